package doctest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/trust"
	"github.com/purserhq/purser/runtime/policy"
)

// placeholder stands for every plugin in the documents: they pin the SHA-256 of this word, which no module has.
const placeholder = "test"

// signature is of that word, by the key that the documents demand; the private half was thrown away.
const signature = "untrusted comment: signature from minisign secret key\n" +
	"RUTm5mc/sHVQcigzTaez3y6ksB3PZcSyLYwFdp0Z5eCjJjdKwspfAPa0RcE3BiJ4YGtDQ4ObEetkjwapGLStbROtdHne6hV0JwU=\n" +
	"trusted comment: for the documents\n" +
	"r41eelqWAOA9Ky364bh+9hOqqjMoB0OqGgRrBpA8VfG2Q+TrdA3Z5/pIIlloQ3m0l5biO3sokgSWDVwoVNkECA==\n"

func compile(name, text string, cosigner bool) error {
	read := func(path string) ([]byte, error) {
		if strings.HasSuffix(path, trust.SignatureEnding) {
			return []byte(signature), nil
		}
		return []byte(placeholder), nil
	}
	_, err := policy.Compile(policy.Source{Name: name, Data: []byte(text), ReadFile: read}, policy.Options{Cosigner: cosigner})
	return err
}

func TestEveryPolicyBlockLoads(t *testing.T) {
	loaded := 0
	for _, d := range documents(t) {
		for _, b := range d.blocks {
			if !b.is("yaml") {
				continue
			}
			if b.is("yaml", "policy") {
				loaded++
				if err := compile(fmt.Sprintf("%s:%d", b.file, b.line), b.text, b.is("yaml", "policy", "cosigner")); err != nil {
					t.Error(err)
				}
			} else if !b.is("yaml", "serve") && !b.is("yaml", "cosigner") {
				t.Errorf("%s:%d: a YAML block that no test reads: call it policy, serve or cosigner", b.file, b.line)
			}
		}
	}
	if loaded < 3 {
		t.Errorf("%d policy blocks in the documents, want the README's and both of docs/policy.md", loaded)
	}
}

// unknownKey makes the compiler name the keys it knows, so that this test needs no list of its own.
const unknownKey = "zzzzzzzzzzzzzzzzzzzz"

// TestEveryPolicyKeyIsDocumented asks the compiler at each place of a file which keys it takes there.
func TestEveryPolicyKeyIsDocumented(t *testing.T) {
	d := read(t, "docs/policy.md")
	documented := spans(d.text)
	whole := ""
	for _, b := range d.blocks {
		if b.is("yaml", "policy", "cosigner") {
			whole = b.text
		}
	}
	inPolicy := "policies: {p: {%s}}"
	for _, place := range []string{
		"%s", "tenant: {%s}", "agents: {a: {%s}}", "merchants: [{%s}]", "assets: [{%s}]", inPolicy,
		"policies: {p: {budgets: [{%s}]}}", "policies: {p: {breaker: {%s}}}", "policies: {p: {repeats: [{%s}]}}",
		"trust: {%s}", "trust: {policy: {%s}}", "trust: {chain: {%s}}",
		"policies: {p: {plugins: [{%s}]}}", "policies: {p: {plugins: [{grants: {%s}}]}}", "policies: {p: {approvals: {%s}}}",
	} {
		keys := knownKeys(t, fmt.Sprintf(place, unknownKey+": 1"))
		for _, key := range keys {
			if !slices.Contains(documented, key) {
				t.Errorf("docs/policy.md does not explain %s, known at %s", key, place)
			}
			if !strings.Contains(whole, key+":") {
				t.Errorf("the full example of docs/policy.md lacks %s, known at %s", key, place)
			}
		}
	}
}

func knownKeys(t *testing.T, text string) []string {
	t.Helper()
	var problems policy.Problems
	if !errors.As(compile("probe.yaml", text, false), &problems) {
		t.Fatalf("%q was not refused", text)
	}
	for _, problem := range problems {
		if list, ok := strings.CutPrefix(problem.Fix, "use one of "); ok && problem.Code == "key_unknown" {
			return strings.Split(list, ", ")
		}
	}
	t.Fatalf("%q: no problem names the known keys: %v", text, problems)
	return nil
}

// TestTheProblemsOfPoliciesAreDocumented reads the codes out of the compiler's source: a fail or warn call's second
// argument, and the codes of errors it makes.
func TestTheProblemsOfPoliciesAreDocumented(t *testing.T) {
	text := section(t, read(t, "docs/policy.md"), "## Problems")
	documented := spans(text)
	codes := append(callCodes(t, "runtime/policy"), abi.ReasonNoLimit)
	if len(codes) < 40 {
		t.Fatalf("only %d codes found in runtime/policy: its calls have another shape than this test reads", len(codes))
	}
	for _, code := range codes {
		if !slices.Contains(documented, code) {
			t.Errorf("docs/policy.md, Problems, does not explain %s", code)
		}
	}
}
