package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/signer/order"
)

// orderBytesMax bounds an order's file: the largest order with every operator's signature.
const orderBytesMax = 128 << 10

// orderLifeDefault is how long operators have to collect signatures and hand an order in.
const orderLifeDefault = 24 * time.Hour

func operatorCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "operator", Short: "Make the key that an operator signs orders with"}
	command.AddCommand(keygenCommand(out, "Make an operator's key; the public half goes into both signers' configuration"))
	return command
}

func orderCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "order", Short: "Sign and hand in the orders by which operators rule both signers"}
	command.AddCommand(orderSign(out), orderSubmit(out))
	return command
}

// orderSign adds one operator's signature to the file. What is printed is what is signed.
func orderSign(out *console) *cobra.Command {
	var signers endorsers
	command := &cobra.Command{
		Use: "sign FILE --operator NAME --operator-key KEY", Short: "Read an order, and put your signature under it", Args: exactly(1, "FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(signers.names) == 0 {
				return usageError{errors.New("--operator and --operator-key are required")}
			}
			o, err := readOrder(args[0])
			if err != nil {
				return err
			}
			out.note("%s", describeOrder(o))
			if err := signers.sign(o); err != nil {
				return err
			}
			if err := writeOrder(args[0], o); err != nil {
				return err
			}
			return out.result(o, fmt.Sprintf("%s  signed by %s\n", args[0], strings.Join(signedBy(o), ", ")))
		},
	}
	signers.flags(command)
	return command
}

func orderSubmit(out *console) *cobra.Command {
	var where remote
	var groups []string
	command := where.asOperator("submit FILE", "Hand a signed order to a running purser, which tells the co-signer", exactly(1, "FILE"),
		func(ctx context.Context, operator *client.Client, args []string) error {
			o, err := readOrder(args[0])
			if err != nil {
				return err
			}
			return out.submit(ctx, operator, where.data, api.OrderParams{Order: o, Groups: groups})
		})
	command.Flags().StringSliceVar(&groups, "group", nil, "groups of the agent that the order enrols")
	return command
}

// submit hands an order in, and keeps the token when it made an agent.
func (c *console) submit(ctx context.Context, operator *client.Client, data string, params api.OrderParams) error {
	done, err := operator.SubmitOrder(ctx, params)
	if err != nil {
		return err
	}
	o := params.Order
	if done.Kind != o.Kind || done.Subject != o.Subject || o.Kind == order.Enrolment && done.Agent == nil {
		return &abi.Error{Code: "answer_invalid", Where: o.Subject, Message: "the server answered for another order"}
	}
	switch {
	case done.Agent != nil && done.Agent.Token != "":
		return c.token(data, o.Subject, *done.Agent)
	case done.Agent != nil:
		return c.result(done.Agent, describeAgent(*done.Agent))
	}
	return c.result(done, fmt.Sprintf("%s %s is in force\n", done.Kind, done.Subject))
}

// endorsers are the operators who sign on this machine.
type endorsers struct{ names, files []string }

func (e *endorsers) flags(command *cobra.Command) {
	command.Flags().StringArrayVar(&e.names, "operator", nil, "name of an operator who signs here; once for each")
	command.Flags().StringArrayVar(&e.files, "operator-key", nil, "the operator's key file (PEM, PKCS#8); one for each --operator, in their order")
}

func (e *endorsers) sign(o *abi.Order) error {
	if len(e.names) != len(e.files) {
		return usageError{fmt.Errorf("%s and %s: want one key for each operator", count(len(e.names), "--operator"), count(len(e.files), "--operator-key"))}
	}
	for i, name := range e.names {
		key, err := readKeyFile(e.files[i])
		if err != nil {
			return err
		}
		if err := order.Sign(o, name, key); err != nil {
			return err
		}
	}
	return nil
}

func readOrder(path string) (*abi.Order, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, orderBytesMax+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	o := new(abi.Order)
	if err := json.Unmarshal(bytes.TrimSpace(text), o); err != nil || len(text) > orderBytesMax {
		return nil, &abi.Error{Code: "order_invalid", Where: path, Message: "the file holds no order", Cause: err, Fix: "make one with: purser agent enrolment NAME > FILE"}
	}
	return o, nil
}

// writeOrder replaces the file whole: half an order in its place would lose the signatures before.
func writeOrder(path string, o *abi.Order) error {
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode order: %w", err)
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func signedBy(o *abi.Order) []string {
	names := make([]string, 0, len(o.Endorsements))
	for _, e := range o.Endorsements {
		names = append(names, e.Operator)
	}
	return names
}

// describeOrder says what an operator's signature under the order would mean.
func describeOrder(o *abi.Order) string {
	until := time.Unix(int64(o.ExpiresUnixS), 0).UTC().Format(time.RFC3339) //nolint:gosec // at most 2^53-1, by the codec
	head := fmt.Sprintf("%s of %q for tenant %q, serial %d, to be handed in until %s", o.Kind, o.Subject, o.Tenant, o.Serial, until)
	switch {
	case o.Enrolment != nil && o.Enrolment.Revoked:
		head += fmt.Sprintf(": agent %q may not pay any more", o.Enrolment.Agent)
	case o.Enrolment != nil:
		from, proof := "from wallet "+fmt.Sprintf("%q", o.Enrolment.Wallet), "and is known by a bearer token only"
		if o.Enrolment.Derived {
			from = "from a key of its own under wallet " + fmt.Sprintf("%q", o.Enrolment.Wallet)
		}
		if len(o.Enrolment.PublicKey) > 0 {
			proof = "and signs its requests with key " + hex.EncodeToString(o.Enrolment.PublicKey)
		}
		head += fmt.Sprintf(": agent %q pays %s %s", o.Enrolment.Agent, from, proof)
	case o.Freeze != nil:
		head += fmt.Sprintf(": nothing of %q is signed; reason %q", o.Freeze.Scope, o.Freeze.Reason)
	case o.Thaw != nil:
		head += fmt.Sprintf(": lifts %q", o.Thaw.Freezes)
	case o.Policy != nil:
		head += fmt.Sprintf(": policy %x comes into force", o.Policy.PolicySHA256)
	}
	return head
}
