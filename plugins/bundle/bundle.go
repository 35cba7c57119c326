// Package bundle carries the plugins that are built with purser inside the binary; it refuses to pretend that one
// is there when it was not built. What it hands out is unverified bytes: the sandbox checks them like anybody's.
package bundle

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/purserhq/purser/abi"
)

//go:embed all:dist
var dist embed.FS

const extension = ".wasm"

// Module returns a copy of the bundled plugin's module, such as Module("chain-evm"). The error has code
// plugin_missing when the binary was built without it.
func Module(name string) ([]byte, error) { return module(dist, name) }

// Names returns the bundled plugins, sorted. It is empty in a binary that was built before make plugins.
func Names() []string { return names(dist) }

func module(files fs.FS, name string) ([]byte, error) {
	missing := &abi.Error{
		Code: "plugin_missing", Message: fmt.Sprintf("plugin %.64q is not in this binary", name),
		Fix: "run `make plugins` and build again",
	}
	// A name is one path element: "../README" must not read beside the modules.
	if name == "" || strings.ContainsAny(name, "/\\.") {
		return nil, missing
	}
	content, err := fs.ReadFile(files, path.Join("dist", name+extension))
	if err != nil {
		missing.Cause = err
		return nil, missing
	}
	return content, nil
}

func names(files fs.FS) (found []string) {
	// The pattern is constant and the names come sorted; Glob has no other error.
	matches, _ := fs.Glob(files, "dist/*"+extension)
	for _, match := range matches {
		found = append(found, strings.TrimSuffix(path.Base(match), extension))
	}
	return found
}
