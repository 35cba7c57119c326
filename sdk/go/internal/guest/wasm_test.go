//go:build !wasip1

package guest_test

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// wasiImports are the ten functions that the standard Go toolchain links into
// every module, and that the host has deterministic versions of.
var wasiImports = []string{
	"args_get", "args_sizes_get", "clock_time_get", "environ_get", "environ_sizes_get",
	"fd_write", "poll_oneoff", "proc_exit", "random_get", "sched_yield",
}

func TestModulesImportAndExportWhatTheABIAllows(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: building WebAssembly modules takes a while; run without -short")
	}
	both := []string{"_initialize", "memory", "purser_abi_1", "purser_alloc", "purser_configure"}
	for _, c := range []struct {
		name, pkg string
		log       bool
		exports   []string
	}{
		{"a policy", "../../../../examples/ceiling/go", false, append(both, "purser_policy_decide")},
		{"a chain adapter", "./testdata/adapter", true, append(both, "purser_chain_assemble", "purser_chain_build",
			"purser_chain_describe", "purser_chain_facts", "purser_chain_needs", "purser_chain_plan", "purser_chain_verify")},
	} {
		t.Run(c.name, func(t *testing.T) {
			module := build(t, c.pkg)
			var want []string
			for _, name := range wasiImports {
				want = append(want, "wasi_snapshot_preview1 "+name)
			}
			if c.log {
				want = append(want, "purser_host_1 log")
			}
			slices.Sort(want)
			if got := names(module, 2); !slices.Equal(got, want) {
				t.Errorf("imports %q, want %q", got, want)
			}
			slices.Sort(c.exports)
			if got := names(module, 7); !slices.Equal(got, c.exports) {
				t.Errorf("exports %q, want %q", got, c.exports)
			}
			t.Logf("%s: %d bytes", c.pkg, len(module))
		})
	}
}

func build(t *testing.T, pkg string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "p.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = pkg
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, text)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// names lists, sorted, what the import (2) or export (7) section of a module
// names. It reads the compiler's own output and panics on anything else.
func names(module []byte, section byte) []string {
	r := reader(module[8:])
	for len(r) > 0 {
		id := r[0]
		r = r[1:]
		content := reader(r.take())
		if id != section {
			continue
		}
		var list []string
		for range content.number() {
			name := string(content.take())
			if section == 2 {
				name += " " + string(content.take())
			}
			kind := content[0]
			content = content[1:]
			if kind != 0 && section == 2 {
				panic("an import that is not a function")
			}
			content.number() // index of the type, or of what is exported
			list = append(list, name)
		}
		slices.Sort(list)
		return list
	}
	return nil
}

type reader []byte

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(*r)
	*r = (*r)[n:]
	return v
}

func (r *reader) take() []byte {
	n := r.number()
	b := (*r)[:n]
	*r = (*r)[n:]
	return b
}
