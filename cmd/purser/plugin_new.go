package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/scaffold"
	"github.com/purserhq/purser/internal/toolchain"
	"github.com/purserhq/purser/plugins/bundle"
)

func pluginNewCommand(out *console) *cobra.Command {
	var language, kind, folder string
	command := &cobra.Command{
		Use: "new NAME", Short: "Start a plugin's project: a working example with a copy of the SDK", Args: exactly(1, "NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			archive, err := bundle.SDK()
			if err != nil {
				return err
			}
			if folder == "" {
				folder = args[0]
			}
			project := scaffold.Project{Name: args[0], Language: toolchain.Language(language), Kind: abi.Kind(kind), Folder: folder}
			// What has to be installed into the project itself.
			first := map[toolchain.Language]string{toolchain.AssemblyScript: "npm install --prefix " + folder + " && "}
			files, err := scaffold.Write(archive, project)
			if err != nil {
				return usageOf(err, scaffold.CodeTemplateMissing, scaffold.CodeNameInvalid)
			}
			return out.result(
				map[string]any{"folder": folder, "name": project.Name, "lang": project.Language, "kind": project.Kind, "files": files},
				fmt.Sprintf("%s  a %s in %s, %d files\n  next: %spurser plugin build %s\n", filepath.Clean(folder), kindName(project.Kind), project.Language, len(files), first[project.Language], folder))
		},
	}
	command.Flags().StringVar(&language, "lang", string(toolchain.Go), "language: go, rust, assemblyscript or c")
	command.Flags().StringVar(&kind, "kind", string(abi.KindPolicy), "kind of plugin: policy or chain")
	command.Flags().StringVar(&folder, "folder", "", "where to write the project; none: a new folder NAME")
	return command
}

// kindName is a kind of plugin in words.
func kindName(kind abi.Kind) string {
	if kind == abi.KindChain {
		return "chain adapter"
	}
	return string(kind)
}
