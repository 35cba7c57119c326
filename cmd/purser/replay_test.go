package main

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/archive"
	"github.com/purserhq/purser/runtime/policy"
)

// Whoever takes a plugin out of a recorded decision, or writes another module in its place, must not have the decision
// passed over when that plugin is replayed.
func TestAPluginIsConcernedByDecisionsItWasTakenOutOf(t *testing.T) {
	module := signable("ceiling", "1.0.0")
	digest, other := sha256.Sum256(module), sha256.Sum256([]byte("another"))
	text := "version: 1\nagents: {shopper: {policy: test}}\npolicies:\n  test:\n    max_transaction_usdc: 50\n    daily_spending_limit: 60\n"
	pins := text + fmt.Sprintf("    plugins: [{use: ceiling.wasm, sha256: %x}]\n", digest)
	kept, err := archive.Open(filepath.Join(t.TempDir(), "archive"))
	if err != nil {
		t.Fatal(err)
	}
	under := func(text string) []byte {
		bundle, err := policy.Compile(policy.Source{Name: "policy.yaml", Data: []byte(text), ReadFile: func(string) ([]byte, error) { return module, nil }}, policy.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kept.Put(bundle.Canonical()); err != nil {
			t.Fatal(err)
		}
		hash := bundle.Hash()
		return hash[:]
	}
	ran := func(module [32]byte) []abi.Verdict {
		return []abi.Verdict{{Source: "rules"}, {Source: "ceiling", Run: &abi.PluginRun{ModuleSHA256: module[:]}}}
	}
	pinning, without := under(pins), under(text)
	asked := concerns(kept, digest)
	for name, c := range map[string]struct {
		policy   []byte
		verdicts []abi.Verdict
		want     bool
	}{
		"it ran":                               {pinning, ran(digest), true},
		"it was taken out":                     {pinning, ran(digest)[:1], true},
		"another is in its place":              {pinning, ran(other), true},
		"it ran, and its policy has none":      {without, ran(digest), true},
		"another ran, and its policy has none": {without, ran(other), false},
	} {
		for range 2 { // the second time from memory
			if got, err := asked(&abi.Decision{PolicySHA256: c.policy, Verdicts: c.verdicts}); got != c.want || err != nil {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
	}
	if _, err := asked(&abi.Decision{PolicySHA256: other[:]}); abi.CodeOf(err) != archive.CodeMissing {
		t.Errorf("under a policy that nobody kept: %v", err)
	}
}

func TestAReplaySaysUnderWhosePolicies(t *testing.T) {
	few := map[string]uint64{"bb": 2, "aa": 1}
	if got, want := underText(few), "          1 under policy aa\n          2 under policy bb\n"; got != want {
		t.Errorf("%q", got)
	}
	many := map[string]uint64{}
	for i := range policiesShownMax + 1 {
		many[strings.Repeat("a", i+1)] = 1
	}
	if got := underText(many); !strings.Contains(got, "under 5 policies") {
		t.Errorf("%q", got)
	}
}
