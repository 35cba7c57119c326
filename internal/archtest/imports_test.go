// Package archtest proves the import rules of docs/architecture.md on the transitive imports that the go tool reports.
// A linter sees direct imports only, and what leaks, leaks through a friend.
package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/purserhq/purser"

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Deps                               []string
	GoFiles                            []string
	Doc                                string
}

// door names a dependency and the only packages that may import it directly. Tests of other packages may not either.
type door struct {
	dependency string
	packages   []string
}

var doors = []door{
	{"github.com/tetratelabs/wazero", []string{"internal/sandbox", "internal/sandbox/meter"}},
	{"github.com/jackc/pgx/v5", []string{"runtime/store/postgres", "runtime/store/postgres/pgtest"}},
	{"modernc.org/sqlite", []string{"internal/sqldb"}},
	{"github.com/gorilla/websocket", []string{"runtime/gateway", "runtime/client"}},
	{"github.com/ethereum/go-ethereum", []string{"settle/evm", "settle/devchain", "settle/devchain/devchaintest", "settle/facilitator"}},
	{"github.com/bnb-chain/tss-lib/v2", []string{"signer/mpc"}},
	{"filippo.io/age", []string{"signer/keystore"}},
	{"go.yaml.in/yaml/v4", []string{"runtime/policy", "cmd/purser"}},
	{"github.com/spf13/cobra", []string{"cmd/purser"}},
	{"github.com/santhosh-tekuri/jsonschema", []string{"internal/schema"}},
	{"aead.dev/minisign", []string{"internal/trust"}},
	{"oras.land/oras-go/v2", []string{"internal/oci"}},
	{"github.com/google/go-containerregistry", []string{"internal/oci"}}, // its tests: a registry to push to
	{"github.com/opencontainers", []string{"internal/oci"}},
}

// wall says that a package must not reach a dependency by any path.
type wall struct {
	from      string
	forbidden []string
	because   string
}

var heavy = []string{
	"github.com/jackc/pgx", "modernc.org/sqlite", "github.com/gorilla/websocket",
	"github.com/ethereum/go-ethereum", "github.com/bnb-chain/tss-lib",
}

var walls = []wall{
	{"runtime", heavy, "the spine names no driver, chain or MPC library"},
	{"runtime/judge", heavy, "both sides judge without any driver"},
	{"runtime/policy", append(slices.Clone(heavy), "github.com/tetratelabs/wazero"), "rules are pure"},
	{"runtime/policy/rules", append(slices.Clone(heavy), "github.com/tetratelabs/wazero", "go.yaml.in/yaml"), "the rules compile to Wasm"},
	{"signer", append(slices.Clone(heavy), module+"/settle", module+"/runtime"), "the signer must not know how money moves"},
	{"signer/mpc", []string{module + "/settle", module + "/runtime", "github.com/ethereum/go-ethereum"}, "the signer must not know how money moves"},
	{"signer/keystore", append(slices.Clone(heavy), module+"/signer/mpc", module+"/settle", module+"/runtime"), "what is sealed is never looked into"},
	{"signer/link", append(slices.Clone(heavy), module+"/settle", module+"/runtime"), "what carries the messages does not judge them"},
	{"signer/order", append(slices.Clone(heavy), module+"/settle", module+"/runtime", module+"/internal/preimage"), "an order proves itself"},
	{"signer/cosigner", append(slices.Clone(heavy), module+"/settle"), "the co-signer never shares the spine's view of the world"},
	{"settle", append(slices.Clone(heavy), module+"/signer"), "settlement never reaches a key"},
	{"settle/x402", append(slices.Clone(heavy), module+"/signer"), "the wire codecs are for everybody"},
	{"settle/evm", []string{module + "/signer", module + "/runtime"}, "settlement never reaches a key"},
	{"settle/facilitator", []string{module + "/signer", module + "/runtime"}, "settlement never reaches a key share"},
	{"internal/trust", append(slices.Clone(heavy), "github.com/tetratelabs/wazero", "net/http", module+"/runtime", module+"/signer", module+"/settle"), "who made a module is a pure question"},
	{"internal/oci", append(slices.Clone(heavy), "github.com/tetratelabs/wazero", module+"/runtime", module+"/signer", module+"/settle"), "what carries plugins never runs them"},
	{"internal/preimage", append(slices.Clone(heavy), "github.com/tetratelabs/wazero"), "keccak and nothing else"},
}

func TestEachHeavyDependencyHasOneDoor(t *testing.T) {
	for _, p := range list(t) {
		for _, d := range doors {
			imports := slices.Concat(p.Imports, p.TestImports, p.XTestImports)
			if slices.ContainsFunc(imports, func(path string) bool { return under(path, d.dependency) }) && !slices.Contains(d.packages, local(p.ImportPath)) {
				t.Errorf("%s imports %s, whose door is %v", p.ImportPath, d.dependency, d.packages)
			}
		}
	}
}

func TestNothingLeaksThroughAFriend(t *testing.T) {
	packages := list(t)
	for _, w := range walls {
		i := slices.IndexFunc(packages, func(p pkg) bool { return local(p.ImportPath) == w.from })
		if i < 0 {
			t.Errorf("package %s, whose imports are bounded, does not exist", w.from)
			continue
		}
		for _, dep := range packages[i].Deps {
			for _, banned := range w.forbidden {
				// A package's own children are not what a wall on its parent is about.
				if under(dep, banned) && !under(dep, module+"/"+w.from) {
					t.Errorf("%s reaches %s: %s", w.from, dep, w.because)
				}
			}
		}
	}
}

func TestSignerAndSettleNeverMeet(t *testing.T) {
	for _, p := range list(t) {
		for from, banned := range map[string]string{"signer": "settle", "settle": "signer"} {
			if !under(local(p.ImportPath), from) {
				continue
			}
			if i := slices.IndexFunc(p.Deps, func(dep string) bool { return under(local(dep), banned) }); i >= 0 {
				t.Errorf("%s reaches %s", p.ImportPath, p.Deps[i])
			}
		}
	}
}

// A door that no package uses is a misspelled one, and a misspelled one keeps nobody out.
func TestEveryDoorIsUsed(t *testing.T) {
	packages := list(t)
	for _, d := range doors {
		for _, name := range d.packages {
			if !slices.ContainsFunc(packages, func(p pkg) bool {
				imports := slices.Concat(p.Imports, p.TestImports, p.XTestImports)
				return local(p.ImportPath) == name && slices.ContainsFunc(imports, func(path string) bool { return under(path, d.dependency) })
			}) {
				t.Errorf("%s does not import %s, whose door it is", name, d.dependency)
			}
		}
	}
}

func TestTheVocabularyIsStandardLibraryOnly(t *testing.T) {
	for _, p := range list(t) {
		if local(p.ImportPath) != "abi" {
			continue
		}
		for _, dep := range p.Deps {
			if first, _, _ := strings.Cut(dep, "/"); strings.Contains(first, ".") {
				t.Errorf("abi reaches %s", dep)
			}
		}
	}
}

func TestOnlyCommandsImportTheDevchain(t *testing.T) {
	for _, p := range list(t) {
		name := local(p.ImportPath)
		if slices.Contains(p.Imports, module+"/settle/devchain") && !strings.HasPrefix(name, "cmd/") && !strings.HasPrefix(name, "settle/devchain") {
			t.Errorf("%s imports settle/devchain, whose compilation is slow", name)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range list(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

func TestNoGoFileAtTheRoot(t *testing.T) {
	files, err := filepath.Glob("../../*.go")
	if err != nil || len(files) > 0 {
		t.Errorf("the root holds %v (%v)", files, err)
	}
}

func under(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

func local(path string) string { return strings.TrimPrefix(path, module+"/") }

// list asks the go tool about every package of the module; Deps are without tests.
func list(t *testing.T) []pkg {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-deps=false", "-json=ImportPath,Imports,TestImports,XTestImports,Deps,GoFiles,Doc", "./...")
	command.Dir = "../.."
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		t.Fatal("go list named no package")
	}
	return packages
}
