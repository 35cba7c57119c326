package sdktest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	rustSDK     = "sdk/rust"
	rustSources = "internal/sdktest/testdata/rust"
	rustCeiling = "examples/ceiling/rust"
	rustAdapter = "examples/chain-evm-rust"
	// rustInstanceBytesMax bounds the memory of a Rust guest between calls: what the host restores after each.
	rustInstanceBytesMax = 200 << 10
	// rustModuleBytesMax bounds a small policy with its manifest. Formatting that comes in by accident costs more than
	// what is left.
	rustModuleBytesMax = 42 << 10
)

// rustc returns the compiler that builds guests: $RUSTC or the system's, behind a rustup shim if there is one. With
// the target that it must have, which it may have native only.
func rustc(t testing.TB, target string) []string {
	t.Helper()
	compiler := []string{"sh", "-c", `command -p rustc "$@"`, "rustc"}
	if named := os.Getenv("RUSTC"); named != "" {
		compiler = []string{named}
	}
	ask := append(slices.Clone(compiler[1:]), "--print", "target-libdir")
	if target != "" {
		ask = append(ask, "--target", target)
	}
	// It names the folder of a target's libraries whether or not they are installed.
	found, err := exec.CommandContext(t.Context(), compiler[0], ask...).Output() // #nosec G204 -- a compiler
	if err == nil {
		_, err = os.Stat(strings.TrimSpace(string(found)))
	}
	if err != nil {
		skipWithout(t, "no Rust compiler with the target %q (%v); on Debian: "+
			"apt-get install --no-install-recommends rustc libstd-rust-dev-wasm32 lld-14", target, err)
	}
	return compiler
}

// runRust runs a command in a folder of the repository and returns what it prints.
func runRust(t testing.TB, folder string, command []string, args ...string) string {
	t.Helper()
	run := exec.CommandContext(t.Context(), command[0], append(slices.Clone(command[1:]), args...)...) // #nosec G204 -- constant commands
	run.Dir = filepath.Join(root, folder)
	output, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", run.Args, err, output)
	}
	return string(output)
}

// rustLibrary compiles the SDK for this machine, into a folder that also holds what the caller builds on it.
func rustLibrary(t testing.TB, compiler []string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	runRust(t, rustSDK, compiler, "--edition", "2021", "-C", "opt-level=1", "--crate-type", "rlib", "--crate-name", "purser_sdk",
		"src/lib.rs", "-o", filepath.Join(folder, "libpurser_sdk.rlib"))
	return folder
}

// rustPlugins are the examples built so far, because the compiler takes seconds. Tests that use it do not run in
// parallel.
var rustPlugins = map[string][]byte{}

// rustPlugin builds an example with its own script.
func rustPlugin(t testing.TB, folder string) []byte {
	t.Helper()
	if built := rustPlugins[folder]; built != nil {
		return built
	}
	rustc(t, "wasm32-unknown-unknown")
	out := filepath.Join(t.TempDir(), "plugin.wasm")
	runRust(t, folder, []string{"sh", "build.sh"}, out)
	rustPlugins[folder] = readFile(t, out)
	return rustPlugins[folder]
}
