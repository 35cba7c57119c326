package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/runtime"
)

// needRust skips where Rust cannot be compiled to WebAssembly.
func needRust(t *testing.T) {
	t.Helper()
	found, err := exec.CommandContext(t.Context(), "sh", "-c", `${RUSTC:-command -p rustc} --print target-libdir --target wasm32-unknown-unknown`).Output()
	if err == nil {
		_, err = os.Stat(strings.TrimSpace(string(found)))
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no Rust compiler with the target wasm32-unknown-unknown, and CI must have it")
		}
		t.Skip("SKIPPED: no Rust compiler with the target wasm32-unknown-unknown (Debian: apt-get install --no-install-recommends rustc libstd-rust-dev-wasm32 lld-14)")
	}
}

// rustAdapter builds the chain adapter of examples/chain-evm-rust.
func rustAdapter(t *testing.T) []byte {
	t.Helper()
	needRust(t)
	out := filepath.Join(t.TempDir(), "rust.wasm")
	compile := exec.CommandContext(t.Context(), "sh", filepath.Join("..", "..", "examples", "chain-evm-rust", "build.sh"), out) // #nosec G204 -- a constant script
	if text, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	module, err := os.ReadFile(out) // #nosec G304 -- made above
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// The Rust adapter has the manifest and the bytes of the Go one: the same binary pays through either, and the chain, the
// merchant and the log cannot tell which it was.
func TestAChainAdapterInAnotherLanguagePays(t *testing.T) {
	module := rustAdapter(t)
	i := install(t)
	for _, language := range []string{"Go", "Rust"} {
		s := openTestStack(t, i.config)
		agent, _ := s.agentClient(t, "shopper-with-"+strings.ToLower(language))
		want := i.sum(t, i.adapter)
		if view, _, adapter := i.pay(t, s, agent, "/cheap"); view.State != string(runtime.Delivered) || adapter != want {
			t.Errorf("%s: %s %v by adapter %.8s, want %.8s", language, view.State, codesOf(view), adapter, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		replace(t, i.adapter, module)
		if i.sum(t, i.adapter) == want && language == "Go" {
			t.Fatal("both adapters have the same bytes")
		}
	}
	i.world.evidenceOf(t, i.config.data, i.config.keys[0], 1_000_000).mustHold(t)
}
