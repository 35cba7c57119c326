package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/toolchain"
)

func pluginBuildCommand(out *console) *cobra.Command {
	var output, module string
	command := &cobra.Command{
		Use: "build [FOLDER]", Short: "Compile a plugin's folder into a module with its manifest inside", Args: atMost(1, "FOLDER"),
		Long: "build finds out the language, runs its compiler, and puts manifest.json inside. It runs the project's own code.\n" +
			"A Rust plugin with other dependencies than the SDK: cargo build --release --target wasm32-unknown-unknown, then --module.",
		RunE: func(command *cobra.Command, args []string) error {
			folder := "."
			if len(args) == 1 {
				folder = args[0]
			}
			out.step("compiling %s", folder)
			built, err := buildPlugin(command, folder, output, module)
			if err != nil {
				return err
			}
			out.done()
			return out.result(built, fmt.Sprintf("%s  %s %s %s\n  sha256  %s\n  size    %d bytes\n", built.Path, kindName(built.Kind), built.Name, built.Version, built.SHA256, built.Bytes))
		},
	}
	command.Flags().StringVar(&output, "out", "", "where to write the module; none: NAME.wasm in the folder")
	command.Flags().StringVar(&module, "module", "", "a module that another tool compiled: only put the manifest inside")
	return command
}

func buildPlugin(command *cobra.Command, folder, output, module string) (toolchain.Built, error) {
	if module == "" {
		return toolchain.Build(command.Context(), folder, output)
	}
	compiled, err := moduleArgument(module)
	if err != nil {
		return toolchain.Built{}, err
	}
	return toolchain.Finish(folder, output, compiled)
}

// writeFile writes a result for another program to read.
func writeFile(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // a report is for everybody to read
		return &abi.Error{Code: "failed", Where: path, Message: "the file cannot be written", Cause: err, Fix: "name a file in a folder that exists"}
	}
	return nil
}
