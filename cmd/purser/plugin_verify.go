package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/abi/abitest"
	"github.com/purserhq/purser/internal/trust"
)

const signerUsage = "public key (RW…) or its file, one of which must have signed; may be repeated"

func pluginVerifyCommand(out *console) *cobra.Command {
	var signers []string
	var signatureFile string
	command := &cobra.Command{
		Use: "verify FILE --signer KEY", Short: "Check who signed a module", Args: exactly(1, "FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(signers) == 0 {
				return usageError{errors.New("--signer is required: whose signature is it to be?")}
			}
			trusted, err := readSigners(signers)
			if err != nil {
				return err
			}
			module, err := moduleArgument(args[0])
			if err != nil {
				return err
			}
			if signatureFile == "" {
				signatureFile = args[0] + trust.SignatureEnding
			}
			signature, err := readSignature(signatureFile)
			if err != nil {
				return err
			}
			verified, err := trust.Verify(module, signature, trusted)
			if err != nil {
				return at(err, args[0])
			}
			digest := fmt.Sprintf("%x", sha256.Sum256(module))
			return out.result(map[string]any{"verified": true, "file": args[0], "sha256": digest, "signer": verified.Signer.String(), "comment": verified.Comment},
				fmt.Sprintf("verified  %s\n  signed by  %s\n  comment    %s\n  sha256     %s\n", args[0], verified.Signer, abitest.Printable(verified.Comment), digest))
		},
	}
	command.Flags().StringArrayVar(&signers, "signer", nil, signerUsage)
	command.Flags().StringVar(&signatureFile, "signature", "", "signature file; none: FILE.minisig")
	return command
}

// at gives an error that names no place the file it is about.
func at(err error, place string) error {
	var coded *abi.Error
	if !errors.As(err, &coded) || coded.Where != "" {
		return fmt.Errorf("%s: %w", place, err)
	}
	placed := *coded
	placed.Where = place
	return &placed
}

// readSignature bounds the file; one that is not there has its own code.
func readSignature(path string) ([]byte, error) {
	signature, err := readAtMost(path, trust.SignatureBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &abi.Error{
			Code: trust.CodeSignatureMissing, Where: path, Message: "there is no signature", Cause: err, Fix: "get it from whoever made the plugin, or sign: purser plugin sign FILE --key KEY",
		}
	}
	return signature, err
}

// readSigners takes keys as they are, and files that hold one.
func readSigners(values []string) ([]trust.PublicKey, error) {
	if len(values) > trust.SignersMax {
		return nil, usageError{fmt.Errorf("at most %d signers", trust.SignersMax)}
	}
	var signers []trust.PublicKey
	for _, value := range values {
		signer, err := trust.ParsePublicKey(value)
		if err != nil && value != "" && !strings.HasPrefix(value, "RW") {
			var file []byte
			if file, err = readAtMost(value, trust.KeyFileBytesMax); err == nil {
				signer, err = trust.ReadPublicKey(file)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("signer %.80q: %w", value, err)
		}
		signers = append(signers, signer)
	}
	return signers, nil
}
