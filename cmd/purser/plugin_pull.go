package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/oci"
	"github.com/purserhq/purser/internal/trust"
)

func pluginPullCommand(out *console) *cobra.Command {
	var target string
	var signers []string
	var plainHTTP bool
	command := &cobra.Command{
		Use: "pull REFERENCE", Short: "Get a module and its signature from a registry or folder", Args: exactly(1, "REFERENCE"),
		Long: "pull checks every byte against the digest. Give it a digest (HOST/NAME@sha256:…); a tag is resolved once, and what it\nstood for is printed: pin that. With --signer nothing is written unless one of them signed the module.\n" + placeHelp,
		RunE: func(command *cobra.Command, args []string) error {
			reference, err := oci.ParseReference(args[0])
			if err != nil {
				return usageError{err}
			}
			trusted, err := readSigners(signers)
			if err != nil {
				return err
			}
			client, err := registryClient(plainHTTP)
			if err != nil {
				return err
			}
			out.step("pulling %s", reference)
			pulled, err := client.Pull(command.Context(), reference)
			out.done()
			if err != nil {
				return err
			}
			signature, signer, err := out.chooseSignature(pulled, trusted)
			if err != nil {
				return err
			}
			if reference.Tag != "" {
				out.note("the tag %s stands for %s now; pin that", reference.Tag, pulled.Reference)
			}
			if target == "" {
				target = pulled.Manifest.Name + ".wasm" // lower-case words and dashes, by the manifest's rules
			}
			return out.keep(target, pulled, signature, signer)
		},
	}
	command.Flags().StringVar(&target, "out", "", "file to write; none: the plugin's name and .wasm")
	command.Flags().StringArrayVar(&signers, "signer", nil, signerUsage)
	command.Flags().BoolVar(&plainHTTP, "plain-http", false, plainHTTPUsage)
	return command
}

// chooseSignature finds the one by a trusted signer. Without signers it takes the only one there is, unverified.
func (c *console) chooseSignature(pulled oci.Pulled, signers []trust.PublicKey) (signature []byte, signer string, err error) {
	if len(signers) == 0 {
		if len(pulled.Signatures) == 1 {
			return pulled.Signatures[0], "", nil
		}
		if len(pulled.Signatures) > 1 {
			c.note("there are %d signatures, and none is written: say which with --signer", len(pulled.Signatures))
		}
		return nil, "", nil
	}
	if len(pulled.Signatures) == 0 {
		return nil, "", &abi.Error{Code: trust.CodeSignatureMissing, Where: pulled.Reference.String(), Message: "the plugin has no signature", Fix: "ask its author to sign and push it again"}
	}
	var telling error
	for _, candidate := range pulled.Signatures {
		verified, err := trust.Verify(pulled.Module, candidate, signers)
		if err == nil {
			return candidate, verified.Signer.String(), nil
		}
		// A stranger's signature says nothing; one under a trusted key that does not hold says a lot.
		if telling == nil || abi.CodeOf(err) != trust.CodeSignerUntrusted {
			telling = err
		}
	}
	return nil, "", fmt.Errorf("%s: %w", pulled.Reference, telling)
}

// keep writes the signature first: a module that appears without it would be refused by whoever demands one.
func (c *console) keep(target string, pulled oci.Pulled, signature []byte, signer string) error {
	view := map[string]any{
		"reference": pulled.Reference.String(), "file": target, "sha256": pulled.ModuleSHA256, "name": pulled.Manifest.Name, "version": pulled.Manifest.Version,
		"kind": pulled.Manifest.Kind, "signatures": len(pulled.Signatures),
	}
	text := fmt.Sprintf("pulled  %s %s into %s\n  pin     %s\n  sha256  %s\n", pulled.Manifest.Name, pulled.Manifest.Version, target, pulled.Reference, pulled.ModuleSHA256)
	there, err := readModule(target)
	if err == nil && !bytes.Equal(there, pulled.Module) {
		return &abi.Error{Code: "file_exists", Where: target, Message: "another module is there, and is not written over", Fix: "remove it, or choose another name with --out"}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if signature != nil {
		if err := spareSignature(target+trust.SignatureEnding, signature, signer); err != nil {
			return err
		}
		if err := writeWhole(target+trust.SignatureEnding, signature); err != nil {
			return err
		}
		view["signature_file"] = target + trust.SignatureEnding
	}
	if signer != "" {
		view["signer"] = signer
		text += "  signed by " + signer + "\n"
	} else {
		text += fmt.Sprintf("  %d signature(s), not verified: name the --signer you trust\n", len(pulled.Signatures))
	}
	if err := writeWhole(target, pulled.Module); err != nil {
		return err
	}
	return c.result(view, text)
}

// spareSignature refuses to put a signature that nobody checked over another one: whoever may push to a registry could
// take away the one that the policy demands.
func spareSignature(path string, signature []byte, signer string) error {
	there, err := readAtMost(path, trust.SignatureBytesMax)
	switch {
	case errors.Is(err, fs.ErrNotExist), signer != "":
		return nil
	case err != nil:
		return err
	case !bytes.Equal(there, signature):
		return &abi.Error{Code: "file_exists", Where: path, Message: "another signature is there, and is not written over by one that was not verified", Fix: "name the --signer you trust, or choose another name with --out"}
	}
	return nil
}
