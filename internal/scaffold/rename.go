package scaffold

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/toolchain"
)

// exampleNames are the plugins that the templates are.
var exampleNames = map[abi.Kind]string{abi.KindPolicy: "ceiling", abi.KindChain: "adapter"}

// change is one place where an example says its own name or where the SDK is. EXAMPLE, NAME and SDK stand for the
// example's name, the project's and the path of the copied SDK.
type change struct {
	file, old, new string
	// optional places are comments, which not every example has.
	optional bool
}

var changes = map[toolchain.Language][]change{
	toolchain.Go: {
		{file: "go.mod", old: "module EXAMPLE\n", new: "module NAME\n"},
		{file: "go.mod", old: "=> ../../../sdk/go", new: "=> ./SDK"},
		{file: "main.go", old: "// Command EXAMPLE is", new: "// Command NAME is", optional: true},
	},
	toolchain.Rust: {
		{file: "Cargo.toml", old: `name = "EXAMPLE"`, new: `name = "NAME"`},
		{file: "Cargo.toml", old: `path = "../../../sdk/rust"`, new: `path = "SDK"`},
	},
	toolchain.AssemblyScript: {
		{file: "package.json", old: `"name": "EXAMPLE"`, new: `"name": "NAME"`},
		{file: "package.json", old: `"file:../../../sdk/assemblyscript"`, new: `"file:./SDK"`},
		{file: "package.json", old: "EXAMPLE.wasm", new: "NAME.wasm", optional: true},
	},
	toolchain.C: {
		{file: "NAME.c", old: "// EXAMPLE is", new: "// NAME is", optional: true},
	},
}

// sourceLine is where an example's manifest points to this repository, which a new plugin is not from.
var sourceLine = regexp.MustCompile(`(?m)^\s*"source": "[^"\n]*",\n`)

// rename gives a template the project's name. An example that does not say what it should is an error and not a project
// that half works: the test of this package sees it first.
func (p Project) rename(template map[string][]byte) (map[string][]byte, error) {
	example := exampleNames[p.Kind]
	words := strings.NewReplacer("EXAMPLE", example, "NAME", p.Name, "SDK", sdkFolder)
	files := map[string][]byte{}
	for name, content := range template {
		if name == example+".c" {
			name = p.Name + ".c"
		}
		files[name] = content
	}
	all := append([]change{{file: manifestFile, old: `"name": "EXAMPLE"`, new: `"name": "NAME"`}}, changes[p.Language]...)
	for _, c := range all {
		name, old := words.Replace(c.file), []byte(words.Replace(c.old))
		if !c.optional && !bytes.Contains(files[name], old) {
			return nil, badArchive(fmt.Sprintf("%s of the template does not say %q", name, old), nil)
		}
		if content, exists := files[name]; exists {
			files[name] = bytes.Replace(content, old, []byte(words.Replace(c.new)), 1)
		}
	}
	files[manifestFile] = sourceLine.ReplaceAll(files[manifestFile], nil)
	return files, nil
}
