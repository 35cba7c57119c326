package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/signer/order"
)

// freezeLife is how long a freeze may take to reach a signer. It then lasts until it is thawed.
const freezeLife = 24 * time.Hour

// ruling is a command that makes an order, has operators sign it here, and hands it to the sides that are named.
type ruling struct {
	signers endorsers
	runtime remote
	there   direct
	// file, when set, keeps the order for others to sign instead.
	file string
}

func (r *ruling) flags(command *cobra.Command) {
	r.signers.flags(command)
	r.runtime.flags(command)
	r.there.flags(command)
	command.Flags().StringVar(&r.file, "out", "", "write the order to this file, for further signatures, instead of handing it in")
}

// acknowledgement is what one side said to an order.
type acknowledgement struct {
	Side  string `json:"side"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// carry signs the order and brings it to both sides. A side that does not answer is told apart from one that refuses:
// freezing one side stops every signature.
func (r *ruling) carry(ctx context.Context, out *console, o *abi.Order) error {
	if err := r.signers.sign(o); err != nil {
		return err
	}
	if r.file != "" {
		if err := writeOrder(r.file, o); err != nil {
			return err
		}
		return out.result(o, fmt.Sprintf("%s  %s\n", r.file, describeOrder(o)))
	}
	acks := []acknowledgement{{Side: roleRuntime}}
	errs := []error{r.toRuntime(ctx, o)}
	if r.there.address != "" {
		acks, errs = append(acks, acknowledgement{Side: roleCosigner}), append(errs, r.toCosigner(ctx, o))
	}
	var text strings.Builder
	for i := range acks {
		acks[i].OK = errs[i] == nil
		word := "in force"
		if errs[i] != nil {
			acks[i].Error, word = errs[i].Error(), errs[i].Error()
		}
		fmt.Fprintf(&text, "%-9s %s\n", acks[i].Side, word)
	}
	return errors.Join(out.result(map[string]any{"order": o.Subject, "kind": o.Kind, "sides": acks}, fmt.Sprintf("%s %s\n%s", o.Kind, o.Subject, text.String())), errors.Join(errs...))
}

func (r *ruling) toRuntime(ctx context.Context, o *abi.Order) error {
	operator, err := r.runtime.as(operatorName)
	if err != nil {
		return err
	}
	_, err = operator.SubmitOrder(ctx, api.OrderParams{Order: o})
	return notPaying(err)
}

func (r *ruling) toCosigner(ctx context.Context, o *abi.Order) error {
	client, err := r.there.open()
	if err != nil {
		return err
	}
	return errors.Join(client.Accept(ctx, o), client.Close())
}

func freezeCommand(out *console) *cobra.Command {
	var r ruling
	var reason string
	command := &cobra.Command{
		Use: "freeze SCOPE", Short: "Stop every signature within a scope, at once; one operator is enough", Args: exactly(1, "SCOPE"),
		Example: "  purser freeze tenant --reason 'stolen laptop' --operator ann --operator-key ann.key\n  purser freeze agent/shopper --operator ann --operator-key ann.key --cosigner 10.0.0.2:4030",
		RunE: func(command *cobra.Command, args []string) error {
			o, err := order.NewFreeze(defaultTenant, args[0], reason, time.Now(), freezeLife)
			if err != nil {
				return err
			}
			return r.carry(command.Context(), out, o)
		},
	}
	command.Flags().StringVar(&reason, "reason", "", "why, for the log")
	r.flags(command)
	return command
}

func thawCommand(out *console) *cobra.Command {
	var r ruling
	command := &cobra.Command{
		Use: "thaw FREEZE...", Short: "Lift freezes by their ids; needs the operators' quorum", Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			o, err := order.NewThaw(defaultTenant, args, time.Now(), orderLifeDefault)
			if err != nil {
				return err
			}
			return r.carry(command.Context(), out, o)
		},
	}
	r.flags(command)
	return command
}

// policyRelease makes the order that puts a policy file in force at a co-signer that demands one.
func policyRelease(out *console) *cobra.Command {
	var r ruling
	var serial uint64
	command := &cobra.Command{
		Use: "release FILE --serial N", Short: "Put a policy file in force at the co-signer by an order of the operators", Args: exactly(1, "FILE"),
		RunE: func(command *cobra.Command, args []string) error {
			compiled, err := policy.Load(args[0], policy.Options{Cosigner: true})
			if err != nil {
				return err
			}
			o, err := order.NewPolicyRelease(defaultTenant, compiled.Bundle.Hash(), serial, time.Now(), orderLifeDefault)
			if err != nil {
				return err
			}
			return r.carry(command.Context(), out, o)
		},
	}
	command.Flags().Uint64Var(&serial, "serial", 0, "number of the release, greater than every one before")
	r.flags(command)
	return command
}
