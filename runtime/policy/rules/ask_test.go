package rules_test

import (
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy"
)

func TestAnAgentMayAskOnlyWhereItsPolicyCouldPay(t *testing.T) {
	const account = `"0x00000000000000000000000000000000000000aa"`
	for recipients, want := range map[string]bool{
		"":                                      true, // no list: any payee
		"allowed_recipients: [" + account + "]": true, // an account can be paid anywhere
		`allowed_recipients: ["https://api.example.com"]`:   true,
		`allowed_recipients: ["https://other.example.com"]`: false,
		`allowed_recipients: []`:                            false,
	} {
		text := "version: 1\nagents: {a: {policy: p}}\npolicies:\n  p:\n    max_transaction_usdc: 1\n    daily_spending_limit: 1\n"
		if recipients != "" {
			text += "    " + recipients + "\n"
		}
		bundle, err := policy.Compile(policy.Source{Name: "p.yaml", Data: []byte(text)}, policy.Options{})
		if err != nil {
			t.Fatalf("%s: %v (%s)", recipients, err, abi.CodeOf(err))
		}
		p, ok := bundle.For("a")
		if !ok {
			t.Fatal("no policy")
		}
		if got := p.MayAsk("https://api.example.com"); got != want {
			t.Errorf("%q: %v, want %v", recipients, got, want)
		}
		if p.MayAsk("ftp://api.example.com") || p.MayAsk("") {
			t.Errorf("%q lets an agent ask at no origin", recipients)
		}
	}
}
