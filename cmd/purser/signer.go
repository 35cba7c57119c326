package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/signer/link"
	"github.com/purserhq/purser/signer/link/pki"
)

// direct is how an operator reaches the co-signer itself: the runtime might keep an order to itself.
type direct struct {
	address string
	tls     tlsConfig
}

func (d *direct) flags(command *cobra.Command) {
	command.Flags().StringVar(&d.address, "cosigner", os.Getenv("PURSER_COSIGNER"), "address of the co-signer, host:port")
	command.Flags().StringVar(&d.tls.Identity, "tls-identity", os.Getenv("PURSER_TLS_IDENTITY"), "the operator's certificate with its key")
	command.Flags().StringVar(&d.tls.Trust, "tls-trust", os.Getenv("PURSER_TLS_TRUST"), "the authorities to trust")
}

func (d *direct) open() (*link.Client, error) {
	if d.address == "" {
		return nil, &abi.Error{Code: "request_invalid", Where: "--cosigner", Message: "the co-signer's address is missing", Fix: "name it, with --tls-identity and --tls-trust of purser init's operator folder"}
	}
	credentials, err := d.tls.open(pki.Operator, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return link.NewClient(link.ClientConfig{Address: d.address, Credentials: credentials})
}

// command is one that asks the co-signer.
func (d *direct) command(use, short string, args cobra.PositionalArgs, ask func(context.Context, *link.Client, []string) error) *cobra.Command {
	command := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(command *cobra.Command, args []string) error {
			client, err := d.open()
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // it has answered
			return ask(command.Context(), client, args)
		},
	}
	d.flags(command)
	return command
}

func signerCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "signer", Short: "Ask and tell the co-signer itself, past the runtime"}
	command.AddCommand(signerLive(out), signerFreezes(out), signerSubmit(out), signerQuarantine(out), signerClear(out), signerAcceptStore(out))
	return command
}

func signerLive(out *console) *cobra.Command {
	var at direct
	return at.command("live", "List authorizations that could still be used", exactly(0, "none"), func(ctx context.Context, client *link.Client, _ []string) error {
		var live []liveView
		if err := client.Ask(ctx, http.MethodGet, pathLive, nil, &live); err != nil {
			return err
		}
		text := ""
		for _, l := range live {
			word := "not signed yet"
			if l.Spent {
				word = "may be signed"
			}
			text += fmt.Sprintf("%s  %s of %s from %s to %s until %s, %s\n  nonce %s\n", l.Payment, l.Amount, l.Asset, l.Payer, l.Payee, l.Expires.Format(time.RFC3339), word, l.Nonce)
		}
		return out.result(map[string]any{"live": live}, text)
	})
}

func signerFreezes(out *console) *cobra.Command {
	var at direct
	return at.command("freezes", "List what is frozen", exactly(0, "none"), func(ctx context.Context, client *link.Client, _ []string) error {
		var freezes []freezeView
		if err := client.Ask(ctx, http.MethodGet, pathFreezes, nil, &freezes); err != nil {
			return err
		}
		text := ""
		for _, f := range freezes {
			text += fmt.Sprintf("%s  %s\n", f.ID, f.Scope)
		}
		return out.result(map[string]any{"freezes": freezes}, text)
	})
}

func signerSubmit(out *console) *cobra.Command {
	var at direct
	return at.command("submit FILE", "Hand a signed order to the co-signer itself", exactly(1, "FILE"), func(ctx context.Context, client *link.Client, args []string) error {
		o, err := readOrder(args[0])
		if err != nil {
			return err
		}
		if err := client.Accept(ctx, o); err != nil {
			return err
		}
		return out.result(map[string]any{"accepted": o.Subject, "kind": o.Kind, "by": roleCosigner}, fmt.Sprintf("%s %s is in force at the co-signer\n", o.Kind, o.Subject))
	})
}

func signerQuarantine(out *console) *cobra.Command {
	var at direct
	return at.command("quarantines", "List policy plugins that the co-signer does not call any more", exactly(0, "none"), func(ctx context.Context, client *link.Client, _ []string) error {
		var all []judge.Quarantine
		if err := client.Ask(ctx, http.MethodGet, pathQuarantines, nil, &all); err != nil {
			return err
		}
		text := ""
		for _, q := range all {
			text += fmt.Sprintf("%s/%s for %s: %s\n", q.Policy, q.Plugin, forWhom(q.Agent), q.Code)
		}
		return out.result(map[string]any{"quarantine": all}, text)
	})
}

func signerClear(out *console) *cobra.Command {
	var at direct
	var agent string
	command := at.command("clear POLICY PLUGIN", "Have the co-signer call a plugin again", exactly(2, "POLICY PLUGIN"), func(ctx context.Context, client *link.Client, args []string) error {
		var ok done
		if err := client.Ask(ctx, http.MethodPost, pathQuarantines, quarantineKey{Policy: args[0], Plugin: args[1], Agent: agent}, &ok); err != nil {
			return err
		}
		return out.result(ok, fmt.Sprintf("%s/%s is called again for %s\n", args[0], args[1], forWhom(agent)))
	})
	command.Flags().StringVar(&agent, "agent", "", "only for this agent; none: for everybody")
	return command
}

// signerAcceptStore lets a runtime's ledger go on after a restore. Until then the co-signer signs nothing for it.
func signerAcceptStore(out *console) *cobra.Command {
	var at direct
	return at.command("accept-store STORE HEAD", "Vouch for the runtime's ledger after a restore, once it agrees with the chain", exactly(2, "STORE HEAD"), func(ctx context.Context, client *link.Client, args []string) error {
		head, err := strconv.ParseUint(args[1], 10, 63)
		if err != nil {
			return usageError{fmt.Errorf("HEAD %.40q is no position of a log", args[1])}
		}
		var ok done
		if err := client.Ask(ctx, http.MethodPost, pathPeerStore, peerStore{Store: args[0], Head: head}, &ok); err != nil {
			return err
		}
		return out.result(ok, fmt.Sprintf("the co-signer goes on with ledger %s from position %d\n", args[0], head))
	})
}
