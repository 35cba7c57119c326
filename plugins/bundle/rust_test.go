package bundle

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
)

const (
	rustPolicy = "../../examples/policy-rust"
	// mutationsMax keeps the comparison of two guests to a few seconds.
	mutationsMax = 150
)

// rustPolicyOnce is the compiled example, shared because the compiler takes seconds.
var rustPolicyOnce []byte

// builtRustPolicy compiles the example with the machine's Rust compiler. Tests that use it do not run in parallel.
func builtRustPolicy(t *testing.T) []byte {
	t.Helper()
	if rustPolicyOnce != nil {
		return rustPolicyOnce
	}
	needsRust(t)
	out := filepath.Join(t.TempDir(), "price-sanity-rust.wasm")
	build := exec.CommandContext(t.Context(), "sh", filepath.Join(rustPolicy, "build.sh"), out) // #nosec G204 -- a constant script
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	module, err := os.ReadFile(out) // #nosec G304 -- made by this test
	if err != nil {
		t.Fatal(err)
	}
	rustPolicyOnce = module
	return module
}

// needsRust stops a test on a machine that cannot compile Rust to WebAssembly.
func needsRust(t testing.TB) {
	t.Helper()
	// The compiler names the folder of a target's libraries whether or not they are installed.
	found, err := exec.CommandContext(t.Context(), "sh", "-c",
		`${RUSTC:-command -p rustc} --print target-libdir --target wasm32-unknown-unknown`).Output()
	if err == nil {
		_, err = os.Stat(strings.TrimSpace(string(found)))
	}
	if err != nil {
		skipWithout(t, "no Rust compiler with the target wasm32-unknown-unknown (%v); on Debian: "+
			"apt-get install --no-install-recommends rustc libstd-rust-dev-wasm32 lld-14", err)
	}
}

func TestTheRustPolicyGivesTheResultOfEveryVector(t *testing.T) {
	install(t, builtRustPolicy(t), abi.KindPolicy).givesEveryResult(t, readVectors(t, "price-sanity"))
}

func TestBothPoliciesShareOneManifest(t *testing.T) {
	inGo, err := os.ReadFile("../price-sanity/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	inRust, err := os.ReadFile(filepath.Join(rustPolicy, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(inGo, inRust) {
		t.Error("the manifests differ")
	}
}

// TestDamagedRequestsNeverSplitThePolicies flips, cuts and repeats bytes of real requests. The Rust policy skips
// fields it does not need, so it may answer where the Go one refuses to read; where both answer, they must agree, and
// neither may stop the host.
func TestDamagedRequestsNeverSplitThePolicies(t *testing.T) {
	rust := install(t, builtRustPolicy(t), abi.KindPolicy)
	golang := install(t, builtModule(t, "price-sanity"), abi.KindPolicy)
	vectors := readVectors(t, "price-sanity")
	random := rand.New(rand.NewPCG(5, 11)) // #nosec G404 -- the same requests each time
	both := 0
	for range mutationsMax {
		v := vectors[random.IntN(len(vectors))]
		if v.Call == callConfigure || len(v.RequestHex) > 2000 {
			continue
		}
		damaged := damage(random, unhex(t, v.RequestHex))
		fromRust, rustErr := rust.answerTo(t, v, damaged)
		fromGo, goErr := golang.answerTo(t, v, damaged)
		if rustErr == nil && goErr == nil {
			both++
			if !bytes.Equal(fromRust, fromGo) {
				t.Errorf("request %x:\nRust %q\n  Go %q", damaged, fromRust, fromGo)
			}
		}
		if goErr == nil && rustErr != nil {
			t.Errorf("request %x: Go answers, Rust says %v", damaged, rustErr)
		}
	}
	if both == 0 {
		t.Error("no damaged request was answered, so nothing was compared")
	}
	t.Logf("%d damaged requests were answered by both", both)
}

func damage(random *rand.Rand, request []byte) []byte {
	damaged := bytes.Clone(request)
	if len(damaged) == 0 {
		return []byte{byte(random.IntN(256))}
	}
	at := random.IntN(len(damaged))
	switch random.IntN(4) {
	case 0:
		damaged[at] ^= 1 << random.IntN(8)
	case 1:
		damaged[at] = byte(random.IntN(256))
	case 2:
		damaged = damaged[:at]
	default:
		damaged = append(damaged, damaged[at:]...)
	}
	return damaged
}
