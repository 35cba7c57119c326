package order

import (
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
)

func TestAScopeCoversWhatItNames(t *testing.T) {
	target := Target{Agent: "shopper", Wallet: "main", Payee: payee, Network: "eip155:8453"}
	solana := Target{Agent: "shopper", Wallet: "sol", Payee: "7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV", Network: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"}
	for _, test := range []struct {
		scope  string
		target Target
		covers bool
	}{
		{"tenant", target, true},
		{"tenant", Target{}, true},
		{"agent/shopper", target, true},
		{"agent/shop", target, false},
		{"wallet/main", target, true},
		{"wallet/mai", target, false},
		{"wallet/main", Target{}, false},
		{"network/eip155:8453", target, true},
		{"network/eip155:84532", target, false},
		{"payee/" + payee, target, true},
		{"payee/0x" + strings.ToUpper(payee[2:]), target, true},
		{"payee/eip155:8453:" + payee, target, true},
		{"payee/eip155:1:" + payee, target, false},
		{"payee/" + payee, Target{Payee: "eip155:1:0x" + strings.ToUpper(payee[2:])}, true},
		{"payee/0x2222222222222222222222222222222222222222", target, false},
		{"payee/" + payee, Target{}, false},
		{"payee/" + solana.Payee, solana, true},
		{"payee/" + strings.ToLower(solana.Payee), solana, false},
		{"payee/" + solana.Network + ":" + solana.Payee, solana, true},
		{"payee/eip155:8453:" + payee, Target{Payee: payee, Network: "eip155:1"}, false},
	} {
		scope, err := ParseScope(test.scope)
		if err != nil {
			t.Errorf("%s: %v", test.scope, err)
			continue
		}
		if got := scope.Covers(test.target); got != test.covers {
			t.Errorf("%s covers %+v: %v", test.scope, test.target, got)
		}
	}
}

func TestAScopeThatWouldFreezeNothingIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "/", "tenant/", "tenant/x", "Tenant", "agent", "agent/", "agent/A", "agent/a/b", "agent/*", "agent/~orders", "wallet/", "wallet/a b",
		"network/", "network/8453", "network/eip155", "network/eip155:8453 ", "payee/", "payee/0x12", "payee/0X" + payee[2:], "payee/" + payee + "0", "payee/eip155:8453",
		"payee/eip155:8453:bob", "payee/:" + payee, "payee/" + strings.Repeat("a", 129), "payee/bob/alice", "payee/bób", "all", "agent/shopper\n",
	} {
		if _, err := ParseScope(text); abi.CodeOf(err) != "order_invalid" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseScope(f *testing.F) {
	for _, seed := range []string{"tenant", "agent/shopper", "wallet/main", "payee/" + payee, "payee/eip155:8453:" + payee, "network/eip155:8453", "payee/:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scope, err := ParseScope(text)
		if err != nil {
			return
		}
		again, err := ParseScope(scope.String())
		if err != nil || again != scope {
			t.Fatalf("%q reads as %+v, written %q reads as %+v (%v)", text, scope, scope, again, err)
		}
	})
}
