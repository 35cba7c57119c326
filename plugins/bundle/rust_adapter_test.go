package bundle

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
)

const (
	rustAdapter = "../../examples/chain-evm-rust"
	// hostileRequestsMax keeps the comparison of two adapters to some ten seconds.
	hostileRequestsMax = 600
)

// rustAdapterOnce is the compiled example, shared because the compiler takes seconds.
var rustAdapterOnce []byte

// builtRustAdapter compiles the example with the machine's Rust compiler. Tests that use it do not run in parallel.
func builtRustAdapter(t testing.TB) []byte {
	t.Helper()
	if rustAdapterOnce != nil {
		return rustAdapterOnce
	}
	needsRust(t)
	out := filepath.Join(t.TempDir(), "chain-evm-rust.wasm")
	build := exec.CommandContext(t.Context(), "sh", filepath.Join(rustAdapter, "build.sh"), out) // #nosec G204 -- a constant script
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	module, err := os.ReadFile(out) // #nosec G304 -- made by this test
	if err != nil {
		t.Fatal(err)
	}
	rustAdapterOnce = module
	return module
}

func TestTheRustAdapterGivesTheResultOfEveryVector(t *testing.T) {
	module, vectors := builtRustAdapter(t), readVectors(t, "chain-evm")
	rust := install(t, module, abi.KindChain)
	rust.givesEveryResult(t, vectors)
	golang := install(t, builtModule(t, "chain-evm"), abi.KindChain)
	t.Logf("%d bytes of module", len(module))
	shown := map[string]bool{}
	for _, v := range vectors {
		if v.Call == callConfigure || shown[v.Call] || !strings.HasPrefix(v.ResultHex, "08") {
			continue
		}
		shown[v.Call] = true // the first of each call that does what it is asked
		inRust, inGo := rust.work(t, v), golang.work(t, v)
		t.Logf("%-22s %9d fuel in Rust, %4d KiB; %9d in Go, %5d KiB", v.Call, inRust.Fuel, inRust.MemoryPages<<6, inGo.Fuel, inGo.MemoryPages<<6)
	}
}

// work runs a vector and returns what it took.
func (g guest) work(t *testing.T, v vector) sandbox.Result {
	t.Helper()
	configured, _, err := g.plugin.Configure(t.Context(), unhex(t, v.ConfigureHex))
	if err != nil {
		t.Fatal(err)
	}
	called, err := configured.Call(t.Context(), sandbox.Call{Export: v.Call, Request: unhex(t, v.RequestHex), Now: vectorNowUnixS})
	if err != nil {
		t.Fatal(err)
	}
	return called
}

func TestBothAdaptersShareOneManifest(t *testing.T) {
	inGo, err := os.ReadFile("../chain-evm/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	inRust, err := os.ReadFile(filepath.Join(rustAdapter, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(inGo, inRust) {
		t.Error("the manifests differ")
	}
}

// TestHostileRequestsNeverSplitTheAdapters changes what strangers write, payloads, signatures and the answers of
// endpoints, and the bytes of requests themselves. The host may have either adapter behind it: they must give the same
// bytes, or both none.
func TestHostileRequestsNeverSplitTheAdapters(t *testing.T) {
	rust := install(t, builtRustAdapter(t), abi.KindChain)
	golang := install(t, builtModule(t, "chain-evm"), abi.KindChain)
	vectors := slices.DeleteFunc(readVectors(t, "chain-evm"), func(v vector) bool { return v.Call == callConfigure })
	random := rand.New(rand.NewPCG(7, 2026)) // #nosec G404 -- the same requests each time
	answered, ok := 0, 0
	for range hostileRequestsMax {
		v := vectors[random.IntN(len(vectors))]
		request := hostile(t, random, v)
		fromRust, rustErr := rust.answerTo(t, v, request)
		fromGo, goErr := golang.answerTo(t, v, request)
		if (rustErr == nil) != (goErr == nil) || !bytes.Equal(fromRust, fromGo) {
			t.Errorf("%s, changed from %q: %x\nRust %q %v\n  Go %q %v", v.Call, v.Name, request, fromRust, rustErr, fromGo, goErr)
		}
		if goErr == nil {
			answered++
			if bytes.HasPrefix(fromGo, []byte{0x08, 1}) { // ok
				ok++
			}
		}
	}
	if answered == 0 || ok == 0 || ok == answered {
		t.Errorf("of %d answered requests %d are ok, so not both kinds of answers were compared", answered, ok)
	}
	t.Logf("%d requests, %d answered, %d of them ok", hostileRequestsMax, answered, ok)
}
