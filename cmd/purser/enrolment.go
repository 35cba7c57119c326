package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/signer/order"
)

// enrolling is what an enrolment says of an agent.
type enrolling struct {
	wallet, publicKey string
	derived, revoked  bool
	life              time.Duration
}

func (e *enrolling) flags(command *cobra.Command) {
	command.Flags().StringVar(&e.wallet, "wallet", demoWalletID, "wallet the agent pays from")
	command.Flags().BoolVar(&e.derived, "derived", false, "give the agent a key and an address of its own under the wallet")
	command.Flags().StringVar(&e.publicKey, "public-key", "", "Ed25519 key the agent signs its requests with, hex (default: bearer token only, which is weaker)")
	command.Flags().DurationVar(&e.life, "order-life", orderLifeDefault, "how long operators may sign and hand in the order")
}

func (e *enrolling) order(agent string, serial uint64, now time.Time) (*abi.Order, error) {
	key, err := hex.DecodeString(e.publicKey)
	if err != nil {
		return nil, &abi.Error{Code: "request_invalid", Where: "--public-key", Message: "the key is not hex", Fix: "make one with: purser agent keygen FILE"}
	}
	about := abi.Enrolment{Agent: agent, PublicKey: key, Wallet: e.wallet, Derived: e.derived}
	if e.revoked {
		about = abi.Enrolment{Agent: agent, Revoked: true}
	}
	return order.NewEnrolment(defaultTenant, about, serial, now, e.life)
}

// agentEnrolment writes an order for operators to sign, on a machine that reaches no purser.
func agentEnrolment(out *console) *cobra.Command {
	var about enrolling
	var signers endorsers
	var serial uint64
	command := &cobra.Command{
		Use: "enrolment NAME --serial N", Short: "Write the order that enrols an agent, for operators to sign", Args: agentName,
		Example: "  purser agent enrolment shopper --serial 1 --derived --public-key HEX > order.json\n" +
			"  purser order sign order.json --operator ann --operator-key ann.key\n  purser order submit order.json",
		RunE: func(_ *cobra.Command, args []string) error {
			o, err := about.order(args[0], serial, time.Now())
			if err != nil {
				return err
			}
			if err := signers.sign(o); err != nil {
				return err
			}
			text, err := json.Marshal(o)
			if err != nil {
				return fmt.Errorf("encode order: %w", err)
			}
			out.note("%s", describeOrder(o))
			return out.result(o, string(text)+"\n")
		},
	}
	about.flags(command)
	signers.flags(command)
	command.Flags().Uint64Var(&serial, "serial", 1, "one more than that of the enrolment in force, as purser agent show prints it")
	command.Flags().BoolVar(&about.revoked, "revoked", false, "end the agent's enrolment; one operator is enough")
	return command
}

func agentShow(out *console) *cobra.Command {
	var where remote
	return where.asOperator("show NAME", "Show an agent, the account it pays from and how it proves its requests", exactly(1, "NAME"),
		func(ctx context.Context, operator *client.Client, args []string) error {
			agent, err := operator.Agent(ctx, args[0])
			if err != nil {
				return err
			}
			return out.result(agent, describeAgent(agent))
		})
}

func statusOf(agent api.AgentView) string {
	if agent.Revoked {
		return "revoked"
	}
	return "active"
}

func describeAgent(agent api.AgentView) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", agent.ID, statusOf(agent))
	from := "the wallet itself"
	if agent.Derived {
		from = "a key of its own"
	}
	fmt.Fprintf(&b, "  pays from  %s  (%s, wallet %s)\n", agent.Address, from, agent.Wallet)
	if agent.Requests == api.RequestsSigned {
		fmt.Fprintf(&b, "  requests   signed with %s\n", agent.PublicKey)
	} else {
		fmt.Fprintf(&b, "  requests   bearer token only: weaker, the co-signer has the runtime's word for who asked\n")
	}
	if agent.Serial > 0 {
		fmt.Fprintf(&b, "  enrolment  serial %d\n", agent.Serial)
	}
	return b.String()
}

// nextSerial is one more than that of the agent's enrolment in force. A server that lies about it makes an order that
// nobody accepts.
func nextSerial(ctx context.Context, operator *client.Client, agent string) (uint64, error) {
	known, err := operator.Agent(ctx, agent)
	if abi.CodeOf(err) == "not_found" {
		return 1, nil
	}
	return known.Serial + 1, err
}
