// Package bundle carries what is built with purser inside the binary: the bundled plugins, and the SDKs with the
// templates of new projects. It refuses to pretend that one is there when it was not built. What it hands out is
// unverified bytes: the sandbox checks modules like anybody's.
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

// archive is what plugins/build.sh packs the SDKs into.
const archive = "dist/sdk.zip"

// SDK returns a copy of the archive of SDKs and templates, as package scaffold reads it. The error has code
// plugin_sdk_missing when the binary was built without it.
func SDK() ([]byte, error) { return sdk(dist) }

func sdk(files fs.FS) ([]byte, error) {
	content, err := fs.ReadFile(files, archive)
	if err != nil {
		return nil, &abi.Error{
			Code: "plugin_sdk_missing", Message: "the SDKs are not in this binary", Cause: err,
			Fix: "run `make plugins` and build again",
		}
	}
	return content, nil
}

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
