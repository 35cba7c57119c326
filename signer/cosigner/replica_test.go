package cosigner

import (
	"context"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/postgres"
	"github.com/purserhq/purser/runtime/store/postgres/pgtest"
	"github.com/purserhq/purser/signer/standing"
)

// twoReplicas are two co-signers of one role over one ledger. Orders reach the second, payments the first.
func twoReplicas(t *testing.T) (first *party, second *CoSigner, m *meddled) {
	t.Helper()
	dsn := pgtest.Start(t)
	open := func() *postgres.Store {
		ledger, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ledger.Close() })
		return ledger
	}
	m = &meddled{ledger: open()}
	var config Config
	first = openParty(t, shopPolicy, func(p *party) {
		p.ledger = m
		p.edits = append(p.edits, func(c *Config) {
			c.Agents, c.Operators = m, twoOfThree
			config = *c
		})
	})
	there := open()
	config.Store, config.Agents = there, there
	config.Judge = first.judge(t, shopPolicy)
	second, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	})
	first.accept(t, first.order(t, abi.Enrolment{Agent: "shopper", Wallet: "main"}, 1, "ann", "ben"))
	return first, second, m
}

func TestAFreezeAtOneReplicaStopsTheOther(t *testing.T) {
	p, other, m := twoReplicas(t)
	promise := p.armed(t, p.plan(t, 1_000_000))
	freeze := p.freezeOrder(t, "agent/shopper")
	begin := time.Now()
	if err := other.Accept(t.Context(), freeze); err != nil {
		t.Fatal(err)
	}
	if code := p.bind(t, promise); code != "frozen" {
		t.Fatalf("the session ended with %q", code)
	}
	t.Logf("frozen at one replica, a session refused by the other after %s", time.Since(begin))
	if decision, err := p.Consult(t.Context(), p.plan(t, 1_000_000).consult()); err != nil || decision.Outcome != abi.Deny {
		t.Errorf("%+v, %v", decision, err)
	}
	if err := other.Accept(t.Context(), p.thawOrder(t, freeze)); err != nil {
		t.Fatal(err)
	}
	// The other replica accepts between the last look of this one and its spend.
	m.spend = func() {
		if err := other.Accept(context.Background(), p.freezeOrder(t, "wallet/main")); err != nil {
			t.Error(err)
		}
	}
	if code := p.bind(t, promise); code != "frozen" {
		t.Fatalf("the session ended with %q", code)
	}
}

// An operator reaches the runtime only; its word has to go over to the co-signer. The figure is printed; only a hang
// fails.
func TestAFreezeAtTheRuntimeStopsTheCoSignersSignature(t *testing.T) {
	p := openRegistry(t)
	promise := p.armed(t, p.planOf(t, "shopper", 1_000_000))
	ours, err := standing.Open(t.Context(), standing.Config{
		Side: judge.Runtime, Tenant: "default", Store: runtimeLedger(t), Operators: twoOfThree, Now: p.clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); ours.Merge(ctx, p.CoSigner) }()
	t.Cleanup(func() { cancel(); <-done })
	begin := time.Now()
	if err := ours.Accept(t.Context(), p.freezeOrder(t, "tenant")); err != nil {
		t.Fatal(err)
	}
	for p.bind(t, promise) != "frozen" {
		if time.Since(begin) > time.Minute {
			t.Fatal("the co-signer still signs")
		}
	}
	t.Logf("frozen at the runtime, a whole new session refused by the co-signer after %s", time.Since(begin))
	// And the other way round, by what the runtime asks for.
	there := p.freezeOrder(t, "network/eip155:1")
	begin = time.Now()
	p.accept(t, there)
	for {
		freezes, err := ours.Freezes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(freezes) == 2 {
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("the runtime does not learn of it")
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("frozen at the co-signer, the runtime knows after %s", time.Since(begin))
}

var _ store.Agents = (*meddled)(nil)
