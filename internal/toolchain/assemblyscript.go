package toolchain

import (
	"context"
	"os"
	"path/filepath"

	"github.com/purserhq/purser/abi"
)

const nodeFix = "install Node 20 or newer with npm"

var nodes = []string{"node", "nodejs"}

// entries are where an AssemblyScript plugin may start, in the order they are looked for.
var entries = []string{"policy.ts", "adapter.ts", "index.ts", filepath.Join("assembly", "index.ts")}

// compileAssemblyScript runs the asc that npm installed in the folder; its flags are in asconfig.json.
func compileAssemblyScript(ctx context.Context, folder, out string) error {
	node, err := find(AssemblyScript, nodeFix, nodes...)
	if err != nil {
		return err
	}
	compiler := filepath.Join(folder, "node_modules", "assemblyscript", "bin", "asc.js")
	if _, err := os.Stat(compiler); err != nil {
		return toolMissing(AssemblyScript, "run: npm install --prefix "+folder, "its compiler")
	}
	for _, entry := range entries {
		if _, err := os.Stat(filepath.Join(folder, entry)); err == nil {
			return step{language: AssemblyScript, folder: folder, tool: node, args: []string{compiler, entry, "--outFile", out}}.run(ctx)
		}
	}
	return &abi.Error{Code: CodeBuildFailed, Message: "the folder has no policy.ts, adapter.ts, index.ts or assembly/index.ts", Where: folder, Fix: "give the plugin's first file one of these names"}
}
