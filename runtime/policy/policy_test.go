package policy_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	_ "time/tzdata" // the golden files name zones

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/runtime/policy/rules"
)

func compile(t testing.TB, text string) (*policy.Bundle, error) {
	t.Helper()
	return policy.Compile(policy.Source{Name: "p.yaml", Data: []byte(text)}, policy.Options{})
}

func mustCompile(t testing.TB, text string) *policy.Bundle {
	t.Helper()
	b, err := compile(t, text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return b
}

const plain = `version: 1
agents: {"travel-*": {policy: travel}, "a": {policy: travel}}
policies:
  travel: {max_transaction_usdc: 50, daily_spending_limit: 1000, allowed_recipients: [b.example.com, a.example.com]}
`

func TestTheHashIgnoresHowAFileIsWritten(t *testing.T) {
	want := mustCompile(t, plain).Hash()
	for name, text := range map[string]string{
		"comments": "# a policy\n" + strings.ReplaceAll(plain, "\n", " # yes\n"),
		"order of keys and sets": `policies:
  travel:
    allowed_recipients:
      - a.example.com
      - b.example.com
    daily_spending_limit: 1000
    max_transaction_usdc: 50
agents:
  a: {policy: travel}
  travel-*: {policy: travel}
version: 1
`,
		"numbers":              strings.NewReplacer(" 50,", ` "50.000000",`, " 1000,", " 1000.0,").Replace(plain),
		"spelling of hosts":    strings.Replace(plain, "b.example.com", "https://B.Example.Com:443", 1),
		"defaults written out": strings.Replace(plain, "{max", `{repeats: sequential, validity_max: 120s, evidence_min: fetched, max`, 1),
		"json":                 `{"version":1,"agents":{"travel-*":{"policy":"travel"},"a":{"policy":"travel"}},"policies":{"travel":{"max_transaction_usdc":50,"daily_spending_limit":1000,"allowed_recipients":["b.example.com","a.example.com"]}}}`,
		"windows newlines":     strings.ReplaceAll(plain, "\n", "\r\n"),
	} {
		if got := mustCompile(t, text).Hash(); got != want {
			t.Errorf("%s: %x, want %x", name, got, want)
		}
	}
}

func TestTheHashSeesEveryChange(t *testing.T) {
	seen := map[[32]byte]string{mustCompile(t, plain).Hash(): "the file itself"}
	for name, text := range map[string]string{
		"a limit":           strings.Replace(plain, " 50,", " 50.000001,", 1),
		"a recipient":       strings.Replace(plain, "b.example.com", "c.example.com", 1),
		"no list":           strings.Replace(plain, ", allowed_recipients: [b.example.com, a.example.com]", "", 1),
		"an empty list":     strings.Replace(plain, "[b.example.com, a.example.com]", "[]", 1),
		"an agent":          strings.Replace(plain, `"a":`, `"b":`, 1),
		"a policy's name":   strings.NewReplacer("travel:", "voyage:", "policy: travel", "policy: voyage").Replace(plain),
		"the breaker":       strings.Replace(plain, "{max", "{breaker: {paid_undelivered: 3}, max", 1),
		"the breaker's end": strings.Replace(plain, "{max", "{breaker: {paid_undelivered: 3, latch: false}, max", 1),
		"a ceiling":         plain + "tenant: {daily_spending_limit: 5}\n",
		"an approver":       plain + "approvers: {ada: " + strings.Repeat("1", 64) + "}\n",
		"networks":          plain + "networks: [\"eip155:8453\"]\n",
		"a pin":             plain + "merchants: [{origin: \"https://a.example.com\", pay_to: [\"0x00000000000000000000000000000000000000aa\"]}]\n",
		"a token":           plain + "assets: [{asset: \"eip155:31337/erc20:0x00000000000000000000000000000000000000aa\", symbol: T, unit: usdc, decimals: 6, name: T, version: \"1\"}]\n",
	} {
		hash := mustCompile(t, text).Hash()
		if other, exists := seen[hash]; exists {
			t.Errorf("%s changes nothing against %s", name, other)
		}
		seen[hash] = name
	}
	table, err := pinned.Builtin().With(pinned.Token{
		Asset: "eip155:31337/erc20:0x00000000000000000000000000000000000000ab", Symbol: "T",
		Unit: "usdc", Decimals: 6, Name: "T", Version: "1",
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := policy.Compile(policy.Source{Name: "p.yaml", Data: []byte(plain)}, policy.Options{Tokens: table})
	if err != nil {
		t.Fatal(err)
	}
	if other, exists := seen[b.Hash()]; exists {
		t.Errorf("the table of tokens changes nothing against %s", other)
	}
}

func TestTheFlatFormIsOnePolicyForAllAgents(t *testing.T) {
	flat := mustCompile(t, "max_transaction_usdc: 50.0\ndaily_spending_limit: 1000.0\ntenant: {daily_spending_limit: 5000}\n")
	long := mustCompile(t, `version: 1
agents: {"*": {policy: default}}
tenant: {daily_spending_limit: 5000}
policies: {default: {max_transaction_usdc: 50, daily_spending_limit: 1000}}
`)
	if diff := cmp.Diff(string(long.Canonical()), string(flat.Canonical())); diff != "" {
		t.Errorf("-long +flat\n%s", diff)
	}
	if p, ok := flat.For("anybody"); !ok || p.Name() != "default" {
		t.Errorf("%v", p)
	}
}

func TestDefaults(t *testing.T) {
	p, ok := mustCompile(t, plain).For("a")
	if !ok {
		t.Fatal("no policy")
	}
	if p.ValidityMax().String() != "2m0s" || p.HoldMax().String() != "24h0m0s" || p.Quorum() != 1 || p.Repeats("GET https://x.example/") != rules.RepeatsSequential {
		t.Errorf("%s %s %d %s", p.ValidityMax(), p.HoldMax(), p.Quorum(), p.Repeats(""))
	}
}

func TestLoadReadsPluginsBesideTheFile(t *testing.T) {
	folder := t.TempDir()
	module := []byte("\x00asm")
	digest := sha256.Sum256(module)
	if err := os.MkdirAll(filepath.Join(folder, "plugins"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("plugins/sanity.wasm", module)
	text := fmt.Sprintf("max_transaction_usdc: 50\ndaily_spending_limit: 100\nplugins: [{use: ./plugins/sanity.wasm, sha256: %s, config: {k: 2}}]\n", hex.EncodeToString(digest[:]))
	path := write("policy.yaml", []byte(text))
	b, err := policy.Load(path, policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := b.For("a")
	want := []rules.Plugin{{Name: "sanity", Path: "./plugins/sanity.wasm", SHA256: hex.EncodeToString(digest[:]), Config: `{"k":2}`, Grants: "{}"}}
	if diff := cmp.Diff(want, p.Plugins()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	write("plugins/sanity.wasm", []byte("\x00asn"))
	var problems policy.Problems
	if _, err := policy.Load(path, policy.Options{}); !errors.As(err, &problems) || problems[0].Code != "plugin_digest_mismatch" || problems[0].Where != path+":3:48" {
		t.Errorf("a changed module: %v", err)
	}
	if _, err := policy.Load(filepath.Join(folder, "none.yaml"), policy.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestAHostileFileCostsLittle(t *testing.T) {
	for name, text := range map[string]string{
		"too large":          strings.Repeat("#", policy.FileBytesMax+1),
		"deep lists":         "active_hours: " + strings.Repeat("[", 50_000),
		"deep mappings":      strings.Repeat("{a: ", 50_000),
		"deep blocks":        strings.Repeat("- ", 50_000),
		"many problems":      strings.Repeat("- x\n", 10) + strings.Repeat("k: 1\n", 50_000),
		"many unknown keys":  "version: 1\n" + manyKeys(20_000),
		"many recipients":    "allowed_recipients: [" + strings.Repeat("x,", 100_000) + "]",
		"many aliases":       "a: &a [x]\nb: [" + strings.Repeat("*a,", 60_000) + "]",
		"a long word":        "max_transaction_usdc: " + strings.Repeat("9", 200_000),
		"a long key":         strings.Repeat("k", 200_000) + ": 1",
		"nul":                "max_transaction_usdc: 5\x00",
		"utf-16":             "\xff\xfem\x00a\x00x\x00",
		"byte order mark":    "\xef\xbb\xbfmax_transaction_usdc: 5",
		"surrogate":          `max_transaction_usdc: "\ud800"`,
		"control characters": "version: 1\nagents: {\"a\\u0000\": {policy: p}}\npolicies: {p: {active_hours: \"\\e[2J\"}}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compile(t, text)
			var problems policy.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("%v", err)
			}
			if len(problems) > policy.ProblemsMax+1 {
				t.Errorf("%d problems", len(problems))
			}
			for _, p := range problems {
				if len(p.Message) > 1000 || p.Code == "internal" || p.Where == "" {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "key%d: 1\n", i)
	}
	return b.String()
}

// 2048 agents are allowed in a file, and the compiled form must then fit in what a plugin may be configured with.
func TestAPolicyThatIsTooLargeToCompileSaysSo(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\npolicies: {p: {}}\nagents:\n")
	for i := range rules.AgentsMax {
		fmt.Fprintf(&b, "  a%d: {policy: p, groups: [g%060d, h%060d]}\n", i, i, i)
	}
	var problems policy.Problems
	if _, err := compile(t, b.String()); !errors.As(err, &problems) || problems[0].Where == "" {
		t.Errorf("%v", err)
	}
}

func TestProblemsAreErrors(t *testing.T) {
	_, err := compile(t, "max_transaction_usdc: 1e3\nactive_hours: 5\n")
	if !errors.Is(err, &abi.Error{Code: "hours_invalid"}) || abi.CodeOf(err) != "number_invalid" || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("%v", err)
	}
}

func TestDescribeSaysWhatSurvivesAStolenRuntime(t *testing.T) {
	b := mustCompile(t, `version: 1
agents: {"*": {policy: p}}
tenant: {daily_spending_limit: 5000}
approvers: {ada: "`+strings.Repeat("1", 64)+`"}
merchants: [{origin: "https://pinned.example.com", pay_to: ["0x00000000000000000000000000000000000000aa"]}]
policies:
  p:
    max_transaction_usdc: 50
    daily_spending_limit: 1000
    allowed_recipients: ["0x00000000000000000000000000000000000000bb", pinned.example.com, other.example.com]
    require_human_approval_above: 10
    active_hours: "09:00-17:00 UTC"
    breaker: {paid_undelivered: 3}
`)
	all, err := policy.Describe(b)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range all {
		got = append(got, fmt.Sprintf("%s.%s %s %v", s.Policy, s.Rule, s.Provenance, s.Survives))
		if s.Because == "" {
			t.Errorf("%s has no explanation", s.Rule)
		}
	}
	want := []string{
		"tenant.daily_spending_limit own true",
		"p.max_transaction_usdc own true",
		"p.daily_spending_limit own true",
		"p.merchant_exposure own true",
		"p.allowed_recipients 0x00000000000000000000000000000000000000bb own true",
		"p.allowed_recipients https://other.example.com asserted false",
		"p.allowed_recipients https://pinned.example.com own true",
		"p.evidence_min proven true",
		"p.require_human_approval_above proven true",
		"p.active_hours own true",
		"p.breaker asserted false",
		"p.repeats proven true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
