package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Decision inserts a payment of an agent and reserves amount 1 of two meters for it: money of the whole tenant, at
// most limit in 24 hours, and a count of the agent, without bound. It is what load tests and benchmarks repeat. The
// error is a *store.NoRoomError when the budget is used up.
func Decision(ctx context.Context, ledger store.Store, tenant, agent, id string, limit uint64) error {
	row := store.Row{Tenant: tenant, Agent: agent, ID: id, Key: id, State: "received", Body: []byte(`{"amount":"1"}`)}
	row, claim, err := ledger.Insert(ctx, row, entry("payment.received", id))
	if err != nil || claim == store.ClaimSameKey && row.State != "received" {
		return err // decided before, by a caller that did not hear the answer
	}
	c := change(row, "allowed")
	day, err := store.Rolling(24 * time.Hour)
	if err != nil {
		return err
	}
	c.Reserve = []store.Reservation{
		{Meter: loadMoney, Add: abi.NewAmount(1), Limits: []store.Limit{{Name: "daily", Window: day, Max: abi.NewAmount(limit)}}},
		{
			Meter: store.Meter{Scope: "agent/" + agent, Unit: store.UnitCount}, Add: abi.NewAmount(1),
			Limits: []store.Limit{{Name: "count", Window: day, Max: abi.NewAmount(1 << 50)}},
		},
	}
	_, err = ledger.Commit(ctx, c)
	return err
}

var loadMoney = store.Meter{Scope: "tenant", Unit: "usdc"}

// LoadLevel is how much Decision reserved of the tenant's money in 24 hours.
func LoadLevel(t testing.TB, ledger store.Store, tenant string) uint64 {
	t.Helper()
	facts, err := ledger.Facts(context.Background(), store.FactQuery{
		Tenant: tenant,
		Levels: []store.LevelQuery{{Meter: loadMoney, Window: window(t, "rolling 24h")}, {Meter: loadMoney}},
	})
	if err != nil {
		t.Fatal(err)
	}
	n, ok := facts.Levels[0].Uint64()
	if !ok || facts.Levels[0] != facts.Levels[1] {
		t.Fatalf("levels %v: the buckets do not add up to the total", facts.Levels)
	}
	return n
}

// Bench makes b.N decisions with some callers, each an agent of its own in one tenant whose budget they share, and closes
// the ledger. Only the decisions are timed.
func Bench(b *testing.B, ledger store.Store, callers int) {
	b.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for agent := range callers { // each caller is an agent of its own
		group.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := Decision(b.Context(), ledger, "acme", fmt.Sprint("a", agent), fmt.Sprint("p", i), 1<<50); err != nil {
					b.Errorf("decision %d: %v", i, err)
					return
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
	if got := LoadLevel(b, ledger, "acme"); got != uint64(b.N) { //nolint:gosec // not negative
		b.Errorf("reserved %d of %d", got, b.N)
	}
	if err := ledger.Close(); err != nil {
		b.Error(err)
	}
}
