package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/purserhq/purser/internal/toolchain"
)

// documentSteps are the blocks of docs/plugins.md that an author runs, in order, and the script that runs each: FILE is
// the block in a file. What stands in the document for a person at a second terminal is the harness's dev here.
var documentSteps = []struct{ name, script string }{
	{"new", "exec sh -eu FILE"},
	{"build", "exec sh -eu FILE\nstdout '0 failed'"},
	{"sign", "exec sh -eu FILE\nstdout '^signed'"},
	{"dev", "dev"},
	{"delivered", "exits 0 sh -eu FILE\nstderr 'delivered.*0.01 USDC'"},
	{"use", "exec sh -eu FILE\nstdout '^ok +policy'"},
	{"reload", "exec sh -eu FILE\nsays 'reloaded'"},
	{"denied", "exits 3 sh -eu FILE\n! stdout .\nstderr 'ceiling_exceeded'\nstderr 'the amount is above the ceiling of 5000'"},
	{"change", "exec sh -eu FILE\nstdout '^ok +policy'\nsays 'reloaded'\nexits 3 sh -eu denied.sh\nstderr 'ceiling_exceeded'"},
}

var documentBlock = regexp.MustCompile("(?ms)^```sh ([a-z]+)\n(.*?)^```$")

// documentScript turns the document into a testscript: the commands are the document's own, apart from the language and
// from the merchant's address, which a test does not choose.
func documentScript(t *testing.T, language string) string {
	t.Helper()
	document, err := os.ReadFile("../../docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := documentBlock.FindAllStringSubmatch(string(document), -1)
	if len(blocks) != len(documentSteps) {
		t.Fatalf("docs/plugins.md has %d steps, this test knows %d", len(blocks), len(documentSteps))
	}
	var script, files strings.Builder
	for i, step := range documentSteps {
		name, text := blocks[i][1], blocks[i][2]
		if name != step.name {
			t.Fatalf("step %d of docs/plugins.md is %q, want %q", i+1, name, step.name)
		}
		if name == "new" {
			if !strings.Contains(text, "--lang go ") {
				t.Fatalf("the first step names no language: %s", text)
			}
			text = strings.Replace(text, "--lang go ", "--lang "+language+" ", 1)
		}
		text = strings.ReplaceAll(text, "http://127.0.0.1:4021", "$MERCHANT")
		file := name + ".sh"
		fmt.Fprintln(&script, strings.ReplaceAll(step.script, "FILE", file))
		fmt.Fprintf(&files, "-- %s --\n%s", file, text)
	}
	return script.String() + "signal TERM\n" + files.String()
}

// TestAnAuthorFollowsTheDocument goes from nothing to a signed plugin that denies a real payment, by the commands of
// docs/plugins.md and nothing else.
func TestAnAuthorFollowsTheDocument(t *testing.T) {
	for _, language := range []string{"go", "rust"} {
		if err := toolchain.Ready(t.Context(), toolchain.Language(language)); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("required in CI: %v", err)
			}
			t.Skipf("NOT TESTED: %s: %v", language, err)
		}
		path := filepath.Join(t.TempDir(), "author-"+language+".txtar")
		if err := os.WriteFile(path, []byte(documentScript(t, language)), 0o600); err != nil {
			t.Fatal(err)
		}
		params := scriptParams(t)
		params.Files = []string{path}
		testscript.Run(t, params)
	}
}
