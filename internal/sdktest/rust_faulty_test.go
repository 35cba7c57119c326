package sdktest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
	"github.com/purserhq/purser/internal/toolchain"
)

const rustFaultyManifest = `{"name":"faulty","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},` +
	`"description":"does the wrong thing it is asked for","license":"Apache-2.0"}`

// A panic says why in the log. A panic, a full stack and a full memory end in a trap, which denies; the next call meets a guest that knows nothing of
// it. An allocator that hands one byte out twice would deny here too.
func TestFaultsOfARustPolicyTrap(t *testing.T) {
	rustc(t, "wasm32-unknown-unknown")
	out := filepath.Join(t.TempDir(), "faulty.wasm")
	runRust(t, rustSDK, []string{"sh", "build.sh"}, "../../"+rustSources+"/faulty", out)
	module, err := toolchain.Embed(readFile(t, out), []byte(rustFaultyManifest))
	if err != nil {
		t.Fatal(err)
	}
	guest := newSandboxed(t, module).configured(t, `{}`)
	decide := func(purpose string) (sandbox.Result, error) {
		view := fmt.Sprintf(`{"intent":{"purpose":%q},"quote":{},"agent":{}}`, purpose)
		return guest.Call(t.Context(), sandbox.Call{Export: "purser_policy_decide", Request: bytesOf(t, "DecideRequest", []byte(view))})
	}
	for _, c := range []struct{ purpose, code, logged string }{
		{"panic", "trap", "panic: asked to (src/lib.rs:"},
		{"formatted panic", "trap", "panic: asked for 15 (src/lib.rs:"},
		{"long panic", "trap", "panic: " + strings.Repeat("x", 1<<10) + " (src/lib.rs:"},
		{"index", "trap", "panic: index out of bounds: the len is 1 but the index is 5 (src/lib.rs:"},
		{"overflow the stack", "trap", ""},
		{"exhaust the memory", "trap", ""},
		{"free and grow", "", ""},
		{"log", "", "asked to log"},
		{"nothing", "", ""},
	} {
		called, err := decide(c.purpose)
		if abi.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want code %q", c.purpose, err, c.code)
		}
		var result abi.DecideResult
		if err == nil && (result.Unmarshal(called.Bytes) != nil || result.Outcome != abi.Allow) {
			t.Errorf("%s: %x %+v", c.purpose, called.Bytes, result)
		}
		if said := len(called.Log); c.logged == "" && said > 0 || c.logged != "" && (said != 1 || !strings.HasPrefix(called.Log[0].Text, c.logged)) {
			t.Errorf("%s: the log is %+v", c.purpose, called.Log)
		}
	}
}
