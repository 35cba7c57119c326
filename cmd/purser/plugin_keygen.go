package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/trust"
)

// publicEnding is appended to a key file's name to name its public half's.
const publicEnding = ".pub"

func pluginKeygenCommand(out *console) *cobra.Command {
	var passphraseFile string
	var open bool
	command := &cobra.Command{
		Use: "keygen FILE", Short: "Make a key that signs plugins, in minisign's format; the public half goes into FILE.pub", Args: exactly(1, "FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			if (passphraseFile == "") == !open {
				return usageError{errors.New("name a --passphrase-file, or say --no-passphrase: the file alone then signs")}
			}
			passphrase, err := readPassphrase(passphraseFile)
			if err != nil {
				return err
			}
			public, err := makePluginKey(args[0], passphrase)
			if err != nil {
				return err
			}
			return out.result(map[string]any{"public_key": public.String(), "key_id": public.ID(), "key_file": args[0], "public_key_file": args[0] + publicEnding, "encrypted": !open},
				fmt.Sprintf("%s  private key in %s, public key in %s\n", public, args[0], args[0]+publicEnding))
		},
	}
	command.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file with the passphrase that encrypts the key")
	command.Flags().BoolVar(&open, "no-passphrase", false, "leave the key file unencrypted")
	return command
}

// makePluginKey writes both halves, never over another file.
func makePluginKey(path string, passphrase *trust.Passphrase) (trust.PublicKey, error) {
	for _, name := range []string{path, path + publicEnding} { // before half a pair is written
		if _, err := os.Lstat(name); err == nil {
			return trust.PublicKey{}, &abi.Error{Code: "file_exists", Where: name, Message: "the file is there already, and is not written over", Fix: "choose another name, or remove it"}
		}
	}
	key, err := trust.GenerateKey(rand.Reader)
	if err != nil {
		return trust.PublicKey{}, err
	}
	public, err := key.Public()
	if err != nil {
		return trust.PublicKey{}, err
	}
	private, err := key.File(passphrase)
	if err != nil {
		return trust.PublicKey{}, err
	}
	if err := writeNew(path, private, 0o600); err != nil {
		return trust.PublicKey{}, err
	}
	return public, writeNew(path+publicEnding, public.File(), 0o644)
}

func writeNew(path string, content []byte, mode os.FileMode) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}

// readPassphrase returns nil for no file.
func readPassphrase(path string) (*trust.Passphrase, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // none was asked for, which is no error
	}
	if _, err := readSecret(path); err != nil { // asks whether others may read it
		return nil, err
	}
	text, err := os.ReadFile(path) // again: spaces at its ends belong to it
	if err != nil {
		return nil, err
	}
	passphrase, err := trust.ReadPassphrase(text)
	return &passphrase, err
}

// readPluginKey reads a private key that only its owner may read.
func readPluginKey(path, passphraseFile string) (trust.PrivateKey, error) {
	text, err := readSecret(path)
	if err != nil {
		return trust.PrivateKey{}, err
	}
	passphrase, err := readPassphrase(passphraseFile)
	if err != nil {
		return trust.PrivateKey{}, err
	}
	return trust.ReadPrivateKey([]byte(text), passphrase)
}
