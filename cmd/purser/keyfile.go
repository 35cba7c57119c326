package main

import (
	"crypto/ed25519"
	"fmt"

	"github.com/spf13/cobra"
)

// keygenCommand makes a private key in a file and prints its public half.
func keygenCommand(out *console, short string) *cobra.Command {
	return &cobra.Command{
		Use: "keygen FILE", Short: short, Args: exactly(1, "FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			public, err := makeApproverKey(args[0])
			if err != nil {
				return err
			}
			return out.result(map[string]string{"public_key": public, "key_file": args[0]}, fmt.Sprintf("%s  private key in %s\n", public, args[0]))
		},
	}
}

// readKeyFile reads an Ed25519 key that only its owner may read.
func readKeyFile(path string) (ed25519.PrivateKey, error) {
	if _, err := readSecret(path); err != nil { // asks whether others may read it
		return nil, err
	}
	return readApproverKey(path)
}
