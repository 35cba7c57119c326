package policy_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/runtime/policy/rules"
)

var wherePattern = regexp.MustCompile(`^p\.yaml(:[1-9][0-9]*:[1-9][0-9]*)?$`)

// Whatever the file holds, compiling ends with a bundle that survives its own canonical form, or with problems that
// all have a place.
func FuzzCompile(f *testing.F) {
	files, err := filepath.Glob("testdata/*/policy.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(plain))
	tokens := oneToken(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		source := policy.Source{Name: "p.yaml", Data: data, ReadFile: func(path string) ([]byte, error) { return []byte("not really wasm\n"), nil }}
		first, err := policy.Compile(source, policy.Options{Tokens: tokens})
		if err != nil {
			checkProblems(t, err)
			return
		}
		second, err := policy.Compile(source, policy.Options{Tokens: tokens})
		if err != nil || second.Hash() != first.Hash() {
			t.Fatalf("the same file has two hashes: %v", err)
		}
		decoded, err := rules.Decode(first.Canonical())
		if err != nil || decoded.Hash() != first.Hash() {
			t.Fatalf("the canonical form does not read back: %v", err)
		}
	})
}

func checkProblems(t *testing.T, err error) {
	t.Helper()
	var problems policy.Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("an error without problems: %v", err)
	}
	for _, p := range problems {
		// policy_invalid means that the compiler's checks missed something that the engine's did not.
		if !wherePattern.MatchString(p.Where) || p.Code == "internal" || p.Code == "policy_invalid" || p.Message == "" {
			t.Errorf("%+v", p)
		}
	}
}

// A number that the loader takes is plain digits with at most six after the point, and means what it says.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"50", "50.0", "0", "0.000001", "1e3", "0x10", "1_000", ".5", "5.", "-1", "+1", ".inf", "050", "1.0000001", "~", "[1]", "'5'", "５"} {
		f.Add(s)
	}
	plainNumber := regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]{1,6})?$`)
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\n\r#,{}[]:&*!|>'\"%@`\\ \t\u0085\u2028\u2029\ufeff") {
			return // other YAML than one plain value
		}
		b, err := policy.Compile(policy.Source{Name: "p.yaml", Data: []byte("max_transaction_usdc: " + s + "\n")}, policy.Options{})
		if (err == nil) != (plainNumber.MatchString(s) && len(s) <= 60) && len(s) <= 60 {
			t.Fatalf("%q: %v", s, err)
		}
		if err != nil {
			return
		}
		spec, err := b.Spec()
		if err != nil {
			t.Fatal(err)
		}
		want, err := abi.ParseDecimal(s, rules.UnitDecimals)
		if err != nil || *spec.Policies[0].TransactionMax != want {
			t.Errorf("%q became %s", s, spec.Policies[0].TransactionMax)
		}
	})
}

// One value in a sound file reaches deeper than a mutated file does.
func FuzzValue(f *testing.F) {
	places := []string{
		"max_transaction_usdc: 5\nbudgets: [{name: b, limit: 5, window: %}]", "active_hours: %", "allowed_recipients: [%]", "repeats: [{route: %, repeats: never}]",
		"merchants: [{origin: %, pay_to: ['0x00000000000000000000000000000000000000aa']}]\nmax_transaction_usdc: 5",
		"merchants: [{origin: 'https://a.example', pay_to: [%]}]\nmax_transaction_usdc: 5", "networks: [%]\nmax_transaction_usdc: 5",
		"assets: [{asset: %, symbol: T, unit: usdc, decimals: 6, name: T, version: 1}]\nmax_transaction_usdc: 5",
		"assets: [{asset: 'eip155:1/erc20:0x00000000000000000000000000000000000000aa', symbol: T, unit: %, decimals: 6, name: T, version: 1}]\nmax_transaction_usdc: 5",
		"plugins: [{use: %, sha256: 8e7a239a86c73dc6f32835374585df1fadd19b76ea7ffc793b524f10532c502c}]",
		"plugins: [{use: a, sha256: 8e7a239a86c73dc6f32835374585df1fadd19b76ea7ffc793b524f10532c502c, config: {a: %, %: 1}}]",
		"plugins: [{use: a, sha256: 8e7a239a86c73dc6f32835374585df1fadd19b76ea7ffc793b524f10532c502c, grants: {facts: [%]}}]",
		"approvers: {a: %}\nmax_transaction_usdc: 5", "approvers: {%: '1111111111111111111111111111111111111111111111111111111111111111'}\nvalidity_max: %",
		"version: 1\nagents: {%: {policy: %, tier: %, groups: [%]}}\npolicies: {%: {breaker: {paid_undelivered: %}}}", "evidence_min: %\napprovals: {expires: %}",
	}
	seeds := []string{
		"5", "rolling 24h", "calendar month Europe/Berlin", "mon-fri 22:00-06:00 UTC", "0x1234...", "eip155:8453", "a.example/x/*", "https://a.example:8443",
		"1111111111111111111111111111111111111111111111111111111111111111", "a-*", "*", "15m", "pinned", "eip155:1/erc20:0x00000000000000000000000000000000000000AA", "solana:x:y", "quotes",
	}
	for place := range places {
		for _, seed := range seeds {
			f.Add(uint8(place), seed)
		}
	}
	tokens := oneToken(f)
	f.Fuzz(func(t *testing.T, place uint8, value string) {
		quoted := "'" + strings.ReplaceAll(value, "'", "''") + "'"
		text := strings.ReplaceAll(places[int(place)%len(places)], "%", quoted)
		source := policy.Source{Name: "p.yaml", Data: []byte(text), ReadFile: func(string) ([]byte, error) { return []byte("not really wasm\n"), nil }}
		b, err := policy.Compile(source, policy.Options{Tokens: tokens})
		if err != nil {
			checkProblems(t, err)
			return
		}
		if decoded, err := rules.Decode(b.Canonical()); err != nil || decoded.Hash() != b.Hash() {
			t.Fatalf("the canonical form does not read back: %v", err)
		}
	})
}
