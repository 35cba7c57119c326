package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/internal/trust"
)

func pluginSignCommand(out *console) *cobra.Command {
	var keyFile, passphraseFile string
	command := &cobra.Command{
		Use: "sign FILE --key KEY", Short: "Sign a module into FILE.minisig", Args: exactly(1, "FILE"),
		Long: "sign writes a prehashed minisign signature over the module's bytes beside it. The trusted comment repeats the\nplugin's name, version and SHA-256. Debian's minisign -V accepts it.",
		RunE: func(_ *cobra.Command, args []string) error {
			if keyFile == "" {
				return usageError{errors.New("--key is required; make one with: purser plugin keygen FILE")}
			}
			module, err := moduleArgument(args[0])
			if err != nil {
				return err
			}
			key, err := readPluginKey(keyFile, passphraseFile)
			if err != nil {
				return err
			}
			signature, err := trust.Sign(module, key)
			if err != nil {
				return err
			}
			signer, err := key.Public()
			if err != nil {
				return err
			}
			target := args[0] + trust.SignatureEnding
			if err := writeWhole(target, signature); err != nil {
				return err
			}
			digest := fmt.Sprintf("%x", sha256.Sum256(module))
			return out.result(map[string]string{"file": args[0], "signature_file": target, "sha256": digest, "signer": signer.String()},
				fmt.Sprintf("signed  %s\n  by      %s\n  sha256  %s\n", target, signer, digest))
		},
	}
	command.Flags().StringVar(&keyFile, "key", os.Getenv("PURSER_PLUGIN_KEY_FILE"), "private key file, of `purser plugin keygen` or minisign; required")
	command.Flags().StringVar(&passphraseFile, "passphrase-file", os.Getenv("PURSER_PLUGIN_PASSPHRASE_FILE"), "file with the key's passphrase")
	return command
}

// writeWhole replaces a public file at once: a reader sees the old content or the new. A link there is replaced.
func writeWhole(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone already when it was renamed
	_, err = temporary.Write(content)
	// Not secret, and the co-signer may run as another user.
	if err := errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
