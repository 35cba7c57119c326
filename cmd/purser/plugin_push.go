package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/internal/oci"
	"github.com/purserhq/purser/internal/trust"
)

const (
	placeHelp = "REFERENCE is HOST/NAME:TAG in an OCI registry, or oci:FOLDER:TAG for an OCI layout folder. Credentials come from\n" +
		"Docker's configuration, as `docker login` and `oras login` write it. Registries on loopback need no TLS."
	plainHTTPUsage = "speak to a registry that has no TLS"
)

func pluginPushCommand(out *console) *cobra.Command {
	var plainHTTP bool
	command := &cobra.Command{
		Use: "push FILE REFERENCE", Short: "Put a module, and FILE.minisig if it is there, into a registry or folder", Args: exactly(2, "FILE REFERENCE"),
		Long: "push uses the CNCF's layout for Wasm artifacts, with the signature as a referrer, and prints the reference by digest.\n" + placeHelp,
		RunE: func(command *cobra.Command, args []string) error {
			reference, err := oci.ParseReference(args[1])
			if err != nil {
				return usageError{err}
			}
			module, err := moduleArgument(args[0])
			if err != nil {
				return err
			}
			signature, err := readSignature(args[0] + trust.SignatureEnding)
			if errors.Is(err, fs.ErrNotExist) {
				signature, err = nil, nil
				out.note("%s%s is not there: the plugin is pushed without a signature", args[0], trust.SignatureEnding)
			}
			if err != nil {
				return err
			}
			client, err := registryClient(plainHTTP)
			if err != nil {
				return err
			}
			out.step("pushing to %s", reference)
			pushed, err := client.Push(command.Context(), reference, module, signature)
			out.done()
			if err != nil {
				return err
			}
			if pushed.Fallback {
				out.note("the registry refuses the config type of Wasm artifacts: the manifest travels as an annotation")
			}
			return out.result(map[string]any{
				"reference": pushed.Reference.String(), "sha256": pushed.ModuleSHA256, "name": pushed.Manifest.Name, "version": pushed.Manifest.Version,
				"kind": pushed.Manifest.Kind, "signed": pushed.Signed, "annotated": pushed.Fallback,
			}, fmt.Sprintf("pushed  %s %s\n  pin     %s\n  sha256  %s\n", pushed.Manifest.Name, pushed.Manifest.Version, pushed.Reference, pushed.ModuleSHA256))
		},
	}
	command.Flags().BoolVar(&plainHTTP, "plain-http", false, plainHTTPUsage)
	return command
}

func registryClient(plainHTTP bool) (*oci.Client, error) {
	return oci.New(oci.Config{PlainHTTP: plainHTTP, DockerCredentials: true})
}
