package sdktest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
	"github.com/purserhq/purser/internal/toolchain"
)

func TestTheRustReadmeShowsTheExample(t *testing.T) {
	readme := string(readFile(t, filepath.Join(root, rustSDK, "README.md")))
	for fence, file := range map[string]string{"rust": "src/lib.rs", "toml": "Cargo.toml"} {
		source := string(readFile(t, filepath.Join(root, rustCeiling, file)))
		// Outside of the repository the SDK lies beside the plugin's sources.
		source = strings.Replace(source, `path = "../../../sdk/rust"`, `path = "purser-sdk"`, 1)
		if !strings.Contains(readme, "```"+fence+"\n"+source+"```\n") {
			t.Errorf("README.md shows another %s than the example's", file)
		}
	}
}

// The unit test that the README shows passes below the policy that it shows.
func TestTheRustReadmesTestPasses(t *testing.T) {
	compiler := rustc(t, "")
	readme := string(readFile(t, filepath.Join(root, rustSDK, "README.md")))
	_, shown, _ := strings.Cut(readme, "```rust\n#[test]\n")
	shown, _, found := strings.Cut(shown, "```\n")
	if !found {
		t.Fatal("README.md shows no test")
	}
	folder := rustLibrary(t, compiler)
	source := filepath.Join(folder, "lib.rs")
	policy := string(readFile(t, filepath.Join(root, rustCeiling, "src/lib.rs")))
	if err := os.WriteFile(source, []byte(policy+"\n#[test]\n"+shown), 0o600); err != nil {
		t.Fatal(err)
	}
	rustTestsPass(t, compiler, folder, rustCeiling, source)
}

// rustTestsPass compiles the tests of a source file with the SDK in the library folder, and runs them.
func rustTestsPass(t *testing.T, compiler []string, library, folder, source string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "test")
	runRust(t, folder, compiler, "--edition", "2021", "-D", "warnings", "-C", "opt-level=1", "--test", source,
		"--extern", "purser_sdk="+filepath.Join(library, "libpurser_sdk.rlib"), "-o", program)
	report := runRust(t, folder, []string{program})
	if !strings.Contains(report, "test result: ok.") || strings.Contains(report, "running 0 tests") {
		t.Error(report)
	}
}

// TestTheRustSDKsOwnTestsPass compiles them without cargo, because the oldest compiler that the SDK promises to
// support, Debian's, comes without.
func TestTheRustSDKsOwnTestsPass(t *testing.T) {
	compiler := rustc(t, "")
	folder := rustLibrary(t, compiler)
	tests := []string{"src/lib.rs", "tests/vectors/main.rs"}
	more, err := filepath.Glob(filepath.Join(root, rustSDK, "tests", "*.rs"))
	if err != nil || len(more) == 0 {
		t.Fatalf("%d tests: %v", len(more), err)
	}
	for _, path := range more {
		tests = append(tests, "tests/"+filepath.Base(path))
	}
	for _, source := range tests {
		t.Run(source, func(t *testing.T) { rustTestsPass(t, compiler, folder, rustSDK, source) })
	}
	t.Run(rustAdapter, func(t *testing.T) { rustTestsPass(t, compiler, folder, rustAdapter, "src/lib.rs") })
}

// TestTheRustSDKIsCleanOnTheActiveToolchain runs what an author's own toolchain has: current stable where there is one,
// else Debian's.
func TestTheRustSDKIsCleanOnTheActiveToolchain(t *testing.T) {
	if _, err := exec.LookPath("cargo"); err != nil {
		skipWithout(t, "no cargo; install a current stable toolchain, or Debian's cargo")
	}
	t.Setenv("CARGO_TARGET_DIR", t.TempDir())
	for _, folder := range []string{rustSDK, rustCeiling, "examples/policy-rust", rustAdapter} {
		t.Run(folder, func(t *testing.T) {
			// A lock file is a by-product here: there is nothing to lock.
			lock := filepath.Join(root, folder, "Cargo.lock")
			if _, err := os.Stat(lock); os.IsNotExist(err) {
				t.Cleanup(func() { _ = os.Remove(lock) })
			}
			runRust(t, folder, []string{"cargo", "test", "--offline", "--quiet"})
			for tool, args := range map[string][]string{
				"fmt":    {"fmt", "--check"},
				"clippy": {"clippy", "--offline", "--quiet", "--all-targets", "--", "-D", "warnings"},
			} {
				if err := exec.CommandContext(t.Context(), "cargo", tool, "--version").Run(); err != nil { // #nosec G204 -- one of two words
					t.Logf("NOT TESTED: no cargo %s", tool)
					continue
				}
				runRust(t, folder, []string{"cargo"}, args...)
			}
		})
	}
}

func TestTheCeilingInRustIsSmallAndGivesItsVectors(t *testing.T) {
	module := rustPlugin(t, rustCeiling)
	s := newSandboxed(t, module)
	s.givesItsVectors(t)
	s.policyDeniesWhatIsIncomplete(t)
	s.refusesDamage(t)
	outline, err := toolchain.ReadOutline(module)
	if err != nil {
		t.Fatal(err)
	}
	// A panic says why in the log; nothing else is imported.
	if len(outline.Imports) != 1 || outline.Imports[0].Module != abi.ImportModule || outline.Imports[0].Name != abi.ImportLog {
		t.Errorf("imports %v", outline.Imports)
	}
	if len(module) > rustModuleBytesMax {
		t.Errorf("the module has %d bytes, want at most %d", len(module), rustModuleBytesMax)
	}
	called, err := s.configured(t, `{"ceiling":"50000"}`).Call(t.Context(), sandbox.Call{
		Export:  "purser_policy_decide",
		Request: bytesOf(t, "DecideRequest", []byte(`{"intent":{"amount":"50001"},"quote":{"amount":"50001"},"agent":{"id":"bot"}}`)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if bytes := called.MemoryPages << 16; bytes > rustInstanceBytesMax {
		t.Errorf("a guest has %d bytes after a call, want at most %d", bytes, rustInstanceBytesMax)
	}
	t.Logf("%d bytes of module, %d KiB of memory", len(module), called.MemoryPages<<6)
}

// The same sources give the same bytes in any folder, so that a digest can be checked by building again.
func TestRustModulesDoNotDependOnWhereTheyAreBuilt(t *testing.T) {
	here := rustPlugin(t, rustCeiling)
	elsewhere := t.TempDir()
	for _, folder := range []string{rustSDK, rustCeiling} {
		copyFolder(t, filepath.Join(root, folder), filepath.Join(elsewhere, folder))
	}
	out := filepath.Join(elsewhere, "plugin.wasm")
	runRust(t, "", []string{"sh", filepath.Join(elsewhere, rustSDK, "build.sh")}, filepath.Join(elsewhere, rustCeiling), out)
	there, err := toolchain.Embed(readFile(t, out), readFile(t, filepath.Join(root, rustCeiling, "manifest.json")))
	if err != nil {
		t.Fatal(err)
	}
	if string(here) != string(there) {
		t.Errorf("%d bytes here and %d there differ", len(here), len(there))
	}
}
