package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
)

// usdcDecimals turns --max into smallest units: limits count in millionths of a dollar.
const usdcDecimals = 6

func payCommand(out *console) *cobra.Command {
	var where remote
	var agent, method, bodyFile, ceiling, key, purpose, agentKey string
	command := &cobra.Command{
		Use: "pay URL", Short: "Pay a 402 and print the response", Args: exactly(1, "URL"),
		Example: "  purser pay http://127.0.0.1:4021/paid --max 0.05",
		RunE: func(command *cobra.Command, args []string) error {
			params := api.PayParams{Key: key, Method: strings.ToUpper(method), URL: args[0], Purpose: purpose}
			var err error
			if ceiling != "" {
				if params.AmountMax, err = abi.ParseDecimal(ceiling, usdcDecimals); err != nil {
					return usageError{err}
				}
			}
			if bodyFile != "" {
				if params.Body, err = os.ReadFile(bodyFile); err != nil {
					return err
				}
			}
			if params.Key == "" {
				params.Key = rand.Text()
				out.note("idempotency key %s: use --idempotency-key with it to repeat this payment safely", params.Key)
			}
			client, err := where.as(agent)
			if err != nil {
				return err
			}
			if agentKey != "" {
				private, err := readKeyFile(agentKey)
				if err != nil {
					return err
				}
				client = client.Signing(private)
			}
			view, err := client.Pay(command.Context(), params)
			if err != nil {
				return err
			}
			return out.payment(view)
		},
	}
	where.flags(command)
	command.Flags().StringVar(&agent, "agent", environment("PURSER_AGENT", "agent"), "agent of the data folder to pay as")
	command.Flags().StringVar(&method, "method", "GET", "HTTP method")
	command.Flags().StringVar(&bodyFile, "body", "", "file with the request body")
	command.Flags().StringVar(&ceiling, "max", "", "the most to pay, in USDC, such as 0.05")
	command.Flags().StringVar(&key, "idempotency-key", "", "one key for each thing to buy; repeat it on a retry (default: a new one)")
	command.Flags().StringVar(&agentKey, "agent-key", os.Getenv("PURSER_AGENT_KEY_FILE"), "the agent's key file, to sign the request with (PEM, PKCS#8)")
	command.Flags().StringVar(&purpose, "purpose", "", "what for; recorded, never interpreted")
	return command
}

// payment prints a payment: the resource on standard output, what it cost on standard error. The exit code says what
// became of it.
func (c *console) payment(view api.View) error {
	if c.json {
		if err := c.line(view); err != nil {
			return err
		}
	} else {
		if view.Response != nil {
			if err := c.result(nil, string(view.Response.Body)); err != nil {
				return err
			}
		}
		text := c.describe(view)
		if view.State == string(runtime.Held) {
			text += fmt.Sprintf("\n  an approver of the policy answers with: purser approvals approve %s --approver NAME --key-file FILE", view.ID)
		}
		c.note("%s", text)
	}
	if code := exitOf(view); code != exitOK {
		return exitError{code}
	}
	return nil
}

func exitOf(view api.View) int {
	switch runtime.State(view.State) {
	case runtime.Delivered:
		return exitOK
	case runtime.Denied:
		return exitDenied
	case runtime.Held:
		return exitHeld
	case runtime.Dead:
		return exitFailed
	case runtime.Received, runtime.Allowed, runtime.Prepared, runtime.Armed, runtime.Signed, runtime.Unknown, runtime.Settled:
		return exitUnknown
	}
	return exitUnknown
}

// describe says in a few lines what became of a payment, and why.
func (c *console) describe(view api.View) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s", view.ID, c.paintState(view.State), view.URL)
	if amount, err := abi.ParseAmount(view.Amount); err == nil {
		fmt.Fprintf(&b, "  %s USDC to %s", amount.FormatDecimal(usdcDecimals), view.Payee)
	}
	if view.DuplicateOf != "" {
		fmt.Fprintf(&b, "\n  the same request is not done yet under another key: %s", view.DuplicateOf)
	}
	if view.Receipt != nil {
		fmt.Fprintf(&b, "\n  tx %s  block %d  gas %d", view.Receipt.Transaction, view.Receipt.Block, view.Receipt.GasUsed)
	}
	for _, reason := range view.Reasons {
		if view.State == string(runtime.Denied) && reason.Outcome == abi.Deny.String() || view.State == string(runtime.Held) && reason.Outcome != abi.Allow.String() {
			fmt.Fprintf(&b, "\n  %s (%s): %s", reason.Code, strings.Trim(reason.Source+" "+ruleOf(reason.Source, reason.Rule), " "), reasonText(reason))
		}
	}
	if view.Pending != nil {
		fmt.Fprintf(&b, "\n  waiting: %s", view.Pending.Error())
	}
	return b.String()
}

func reasonText(reason api.ReasonView) string {
	text := reason.Text
	if reason.Observed != "" {
		text += fmt.Sprintf("; observed %s", reason.Observed)
	}
	if reason.Limit != "" {
		text += fmt.Sprintf(", limit %s", reason.Limit)
	}
	return text
}

func (c *console) paintState(state string) string {
	switch runtime.State(state) {
	case runtime.Delivered, runtime.Settled, runtime.Allowed:
		return c.paint(green, state)
	case runtime.Denied, runtime.Dead:
		return c.paint(red, state)
	case runtime.Held, runtime.Unknown, runtime.Received, runtime.Prepared, runtime.Armed, runtime.Signed:
		return c.paint(yellow, state)
	}
	return state
}
