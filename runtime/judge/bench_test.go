package judge

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/bench/latency"
	"github.com/purserhq/purser/plugins/bundle"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
)

// BenchmarkDecision measures each stage of one decision: the native rules, the same custom policy as a Go and as a
// Rust guest, and all of it with the facts encoded.
func BenchmarkDecision(b *testing.B) {
	host, err := OpenHost(HostConfig{CacheDir: filepath.Join(b.TempDir(), "cache")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = host.Close() })
	module, err := bundle.Module("price-sanity")
	if err != nil {
		b.Fatal(err)
	}
	j := benchJudge(b, host, module)
	p, ok := j.bundle.For("shopper")
	if !ok {
		b.Fatal("no policy for the agent")
	}
	request := benchRequest(j, p)
	encoded, err := request.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	guest := j.guests[guestKey{p.Name(), "price-sanity"}].plugin
	b.Run("native-rules", func(b *testing.B) {
		latency.Measure(b, time.Microsecond, func() error { return wantAllow(p.Evaluate(request).Outcome) })
	})
	b.Run("go-plugin", func(b *testing.B) {
		latency.Measure(b, time.Microsecond, func() error {
			verdict, _ := ask(b.Context(), "price-sanity", guest, request, encoded)
			return wantAllow(verdict.Outcome)
		})
	})
	b.Run("rust-plugin", func(b *testing.B) {
		path := os.Getenv("PURSER_BENCH_RUST")
		if path == "" {
			b.Skip("set PURSER_BENCH_RUST to the module that examples/policy-rust/build.sh makes")
		}
		rust, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		guest, err := host.Load(b.Context(), Use{Module: rust, Kind: abi.KindPolicy, Grants: []byte(`{"facts":["quotes"]}`), Config: []byte(`{"ceiling":"10000000"}`)})
		if err != nil {
			b.Fatal(err)
		}
		latency.Measure(b, time.Microsecond, func() error {
			verdict, _ := ask(b.Context(), "price-sanity", guest, request, encoded)
			return wantAllow(verdict.Outcome)
		})
	})
	b.Run("whole", func(b *testing.B) {
		latency.Measure(b, time.Microsecond, func() error { return wantAllow(j.Decide(b.Context(), p, request, encoded).Outcome) })
	})
}

func wantAllow(outcome abi.Outcome) error {
	if outcome != abi.Allow {
		return fmt.Errorf("the benchmark's payment is %s", outcome)
	}
	return nil
}

const benchPolicy = `version: 1
agents: {shopper: {policy: p}}
merchants: [{origin: "https://api.example.com", pay_to: ["0x00000000000000000000000000000000000000aa"]}]
policies:
  p:
    max_transaction_usdc: "50"
    daily_spending_limit: "1000"
    max_transactions_per_hour: 100
    allowed_recipients: ["https://api.example.com"]
    require_human_approval_above: "20"
    active_hours: "00:00-24:00 UTC"
    budgets: [{name: month, limit: "5000", window: calendar month Europe/Berlin, by: agent}]
    plugins: [{use: price-sanity.wasm, sha256: "%x", config: {ceiling: "10000000"}, grants: {facts: [quotes]}}]
`

func benchJudge(b *testing.B, host *Host, module []byte) *Judge {
	b.Helper()
	read := func(string) ([]byte, error) { return module, nil }
	bundle, err := policy.Compile(policy.Source{Name: "bench.yaml", Data: fmt.Appendf(nil, benchPolicy, sha256.Sum256(module)), ReadFile: read}, policy.Options{})
	if err != nil {
		b.Fatal(err)
	}
	j, err := Open(context.Background(), host, Source{Bundle: bundle.Bundle, Tokens: bundle.Tokens(), Read: func(rules.Plugin) ([]byte, error) { return module, nil }})
	if err != nil {
		b.Fatal(err)
	}
	return j
}

func benchRequest(j *Judge, p *rules.Policy) *abi.DecideRequest {
	const usdc = "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
	intent := abi.Intent{
		Payment: PaymentID("default", "shopper", "bench"), Tenant: "default", Agent: "shopper", Key: "bench", Method: "GET",
		URL: "https://api.example.com/report?day=1", Origin: "https://api.example.com", BodySHA256: make([]byte, 32), Scheme: "exact",
		Network: "eip155:8453", Asset: usdc, Payee: "0x00000000000000000000000000000000000000aa", Amount: abi.NewAmount(50_000),
	}
	quote := abi.Quote{Scheme: "exact", Network: intent.Network, Asset: usdc, Payee: intent.Payee, Amount: intent.Amount, TimeoutS: 60, Evidence: abi.EvidenceFetched}
	now := time.Unix(1_790_000_000, 0)
	facts := store.Facts{Now: now, Levels: make([]abi.Amount, len(p.Budgets(&intent)))}
	for i := range 16 {
		facts.Quotes = append(facts.Quotes, store.QuoteSeen{Amount: abi.NewAmount(50_000), At: now.Add(-time.Duration(i) * time.Hour)})
	}
	return j.request(p, Case{Intent: intent, Quote: quote, Side: Runtime, Now: now}, facts)
}
