package policy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/internal/pinned"
	"github.com/purserhq/purser/runtime/policy"
)

var update = flag.Bool("update", false, "rewrite what the golden files expect")

// oneToken keeps golden files short; the built-in table has its own tests.
func oneToken(t testing.TB) pinned.Table {
	t.Helper()
	table, err := pinned.Table{}.With(pinned.Token{
		Asset: "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", Symbol: "USDC", Unit: "usdc", Decimals: 6, Name: "USD Coin", Version: "2",
	})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Each folder of testdata holds policy.yaml, the files it names, and what compiling it must give: problems or
// canonical JSON, and warnings, all with their exact places. A folder's name says which side compiles it.
func TestFilesGiveExactlyTheseProblemsOrThisBundle(t *testing.T) {
	files, err := filepath.Glob("testdata/*/policy.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		folder := filepath.Dir(file)
		t.Run(filepath.Base(folder), func(t *testing.T) { checkGolden(t, folder) })
	}
}

func checkGolden(t *testing.T, folder string) {
	files := os.DirFS(folder)
	source, err := fs.ReadFile(files, "policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	read := func(path string) ([]byte, error) { return fs.ReadFile(files, path) }
	bundle, err := policy.Compile(policy.Source{Name: "policy.yaml", Data: source, ReadFile: read},
		policy.Options{Tokens: oneToken(t), Cosigner: strings.HasPrefix(filepath.Base(folder), "cosigner-")})
	got := outcome(t, bundle, err)
	for _, name := range []string{"want.problems", "want.warnings", "want.json"} {
		path := filepath.Join(folder, name)
		if *update {
			rewrite(t, path, got[name])
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got[name]); diff != "" {
			t.Errorf("%s: -want +got (run with -update and read the change):\n%s", name, diff)
		}
	}
}

func rewrite(t *testing.T, path, text string) {
	t.Helper()
	err := os.Remove(path)
	if text != "" {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func outcome(t *testing.T, bundle *policy.Bundle, err error) map[string]string {
	t.Helper()
	got := map[string]string{}
	var problems policy.Problems
	if errors.As(err, &problems) {
		got["want.problems"] = lines(problems)
		return got
	}
	if err != nil {
		t.Fatalf("an error that is not Problems: %v", err)
	}
	if warnings := bundle.Warnings(); len(warnings) > 0 {
		got["want.warnings"] = lines(warnings)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, bundle.Canonical(), "", " "); err != nil {
		t.Fatal(err)
	}
	got["want.json"] = pretty.String() + "\n"
	return got
}

func lines(problems policy.Problems) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.Where + " " + p.Code + ": " + p.Message + "\n")
		if p.Fix != "" {
			b.WriteString("    " + p.Fix + "\n")
		}
	}
	return b.String()
}
