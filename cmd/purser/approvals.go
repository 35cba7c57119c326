package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/runtime/judge"
)

func approvalsCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "approvals", Short: "List, inspect, approve and reject held payments"}
	command.AddCommand(approvalsList(out), approvalsShow(out), approvalsAnswer(out, true), approvalsAnswer(out, false), approvalsKeygen(out))
	return command
}

func approvalsList(out *console) *cobra.Command {
	var where remote
	return where.asOperator("list", "List payments that wait for a person", exactly(0, "none"), func(ctx context.Context, operator *client.Client, _ []string) error {
		held, err := operator.Held(ctx)
		if err != nil {
			return err
		}
		text := ""
		for _, view := range held {
			text += out.describe(view) + "\n"
		}
		return out.result(map[string]any{"held": held}, text)
	})
}

func approvalsShow(out *console) *cobra.Command {
	var where remote
	return where.asOperator("show PAYMENT", "Show one payment with everything that was said about it", exactly(1, "PAYMENT"),
		func(ctx context.Context, operator *client.Client, args []string) error {
			view, err := operator.Payment(ctx, args[0])
			if err != nil {
				return err
			}
			return out.result(view, out.describe(view)+"\n")
		})
}

// approvalsAnswer signs on the approver's own machine: the statement names payee, asset, amount and resource, and what
// is printed is what is signed.
func approvalsAnswer(out *console, approve bool) *cobra.Command {
	var where remote
	var keyFile, approver string
	name, short := "approve", "Sign a yes to exactly this payment"
	if !approve {
		name, short = "reject", "Sign a no: the payment is denied"
	}
	command := &cobra.Command{
		Use: name + " PAYMENT --approver NAME --key-file FILE", Short: short, Args: exactly(1, "PAYMENT"),
		RunE: func(command *cobra.Command, args []string) error {
			if approver == "" || keyFile == "" {
				return usageError{fmt.Errorf("--approver and --key-file are required")}
			}
			key, err := readApproverKey(keyFile)
			if err != nil {
				return err
			}
			client, err := where.as(operatorName)
			if err != nil {
				return err
			}
			statement, err := client.Statement(command.Context(), args[0], approver, approve)
			if err != nil {
				return err
			}
			// What is signed is what was asked for: a server could answer a rejection with a statement that approves.
			if statement.Payment != args[0] || statement.Approver != approver || statement.Approve != approve {
				return &abi.Error{Code: "answer_invalid", Where: args[0], Message: "the server answered with a statement for something else", Fix: "nothing was signed; do not trust this server"}
			}
			out.note("%s %s USDC to %s for %s %s, until %s", name, statement.AmountMax.FormatDecimal(usdcDecimals), statement.Payee, statement.Agent,
				statement.ResourceURL, time.Unix(int64(statement.ExpiresUnixS), 0).UTC().Format(time.RFC3339)) //nolint:gosec // at most 2^53-1, by the codec
			if err := judge.SignStatement(&statement, key); err != nil {
				return err
			}
			view, err := client.Approve(command.Context(), statement)
			if err != nil {
				return err
			}
			if err := out.result(view, out.describe(view)+"\n"); err != nil {
				return err
			}
			if code := exitOf(view); approve && code != exitOK {
				return exitError{code}
			}
			return nil
		},
	}
	where.flags(command)
	command.Flags().StringVar(&keyFile, "key-file", os.Getenv("PURSER_APPROVER_KEY_FILE"), "the approver's Ed25519 key, PEM (PKCS#8)")
	command.Flags().StringVar(&approver, "approver", os.Getenv("PURSER_APPROVER"), "the approver's name in the policy")
	return command
}

func approvalsKeygen(out *console) *cobra.Command {
	return &cobra.Command{
		Use: "keygen FILE", Short: "Make an approver's key; the public half goes into the policy's approvers", Args: exactly(1, "FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			public, err := makeApproverKey(args[0])
			if err != nil {
				return err
			}
			return out.result(map[string]string{"public_key": public, "key_file": args[0]}, fmt.Sprintf("%s  private key in %s\n", public, args[0]))
		},
	}
}

// makeApproverKey writes a new key, never over another, and returns its public half in hex.
func makeApproverKey(path string) (string, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	if err := pem.Encode(file, &pem.Block{Type: "PRIVATE KEY", Bytes: der}); err != nil {
		_ = file.Close() // the first error is the one to report
		return "", err
	}
	return hex.EncodeToString(public), file.Close()
}

func readApproverKey(path string) (ed25519.PrivateKey, error) {
	bad := func(cause error) error {
		return &abi.Error{
			Code: "key_invalid", Where: path, Message: "the file holds no Ed25519 key in PEM", Cause: cause,
			Fix: "make one with: purser approvals keygen FILE, or openssl genpkey -algorithm ed25519",
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, bad(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, bad(nil)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, bad(nil) // the cause could quote the key
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, bad(nil)
	}
	return key, nil
}

// publicHex is the public half of an approver's key, as policies name it.
func publicHex(key ed25519.PrivateKey) string {
	public, _ := key.Public().(ed25519.PublicKey) // always of that type
	return hex.EncodeToString(public)
}
