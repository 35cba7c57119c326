package rules

import (
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
)

func TestTrustHasOneSpelling(t *testing.T) {
	const first, second = "RWQW9yQeu7TXA7LUGdyYxvGd7iEeyAEKN3HgHlo9OIBw5+6gGVnDZDvu", "RWTm5mc/sHVQcjXzwRUSvSeqEGEsHUFWLynLuNpZ8khdBG0kLB/6cFAz"
	digest := strings.Repeat("0", 64)
	withSigners := func(signers ...string) Spec {
		return Spec{Format: Format, Policies: []PolicySpec{{
			Name: "p", Repeats: RepeatsNever, ValidityS: ValidityDefaultS, Evidence: abi.EvidencePinned, Approvals: ApprovalsSpec{Quorum: 1, HoldS: HoldDefaultS},
			Plugins: []Plugin{{Name: "ceiling", SHA256: digest, Config: "{}", Grants: "{}", Signers: signers}},
		}}}
	}
	ofChain := func(trust Trust) Spec { return Spec{Format: Format, ChainTrust: trust} }
	for _, c := range []struct {
		name string
		spec Spec
		ok   bool
	}{
		{"no signer", withSigners(), true},
		{"two signers, sorted", withSigners(first, second), true},
		{"not sorted", withSigners(second, first), false},
		{"twice", withSigners(first, first), false},
		{"not a key", withSigners("RW"), false},
		{"another algorithm", withSigners("AA" + first[2:]), false},
		{"line ends in it", withSigners(first[:20] + "\n" + first[20:]), false},
		{"too many", withSigners(make([]string, SignersMax+1)...), false},
		{"chain: digest and signer", ofChain(Trust{SHA256: []string{digest}, Signers: []string{first}}), true},
		{"chain: no digest", ofChain(Trust{SHA256: []string{"00"}}), false},
		{"chain: upper case", ofChain(Trust{SHA256: []string{strings.Repeat("F", 64)}}), false},
		{"chain: not a key", ofChain(Trust{Signers: []string{digest}}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bundle, err := New(c.spec)
			if c.ok != (err == nil) || err != nil && abi.CodeOf(err) != "policy_invalid" {
				t.Fatalf("%v", err)
			}
			if !c.ok {
				return
			}
			again, err := Decode(bundle.Canonical())
			if err != nil || again.Hash() != bundle.Hash() {
				t.Errorf("it does not read back: %v", err)
			}
		})
	}
}

func TestWhoMustSignIsPartOfTheHash(t *testing.T) {
	without, err := New(Spec{Format: Format})
	if err != nil {
		t.Fatal(err)
	}
	with, err := New(Spec{Format: Format, ChainTrust: Trust{Signers: []string{"RWTm5mc/sHVQcjXzwRUSvSeqEGEsHUFWLynLuNpZ8khdBG0kLB/6cFAz"}}})
	if err != nil || with.Hash() == without.Hash() {
		t.Errorf("two bundles, one hash: %v", err)
	}
}
