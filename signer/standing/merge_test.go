package standing

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// link is the other side behind a connection that can be cut.
type link struct {
	*Orders
	cut   atomic.Bool
	calls atomic.Int64
}

var errCut = errors.New("no route")

func (l *link) Offer(ctx context.Context, orders []*abi.Order) error {
	if l.calls.Add(1); l.cut.Load() {
		return errCut
	}
	return l.Orders.Offer(ctx, orders)
}

func (l *link) list(ctx context.Context, after uint64) ([]*abi.Order, error) {
	if l.calls.Add(1); l.cut.Load() {
		return nil, errCut
	}
	return l.Orders.Orders(ctx, after)
}

type peer struct{ *link }

func (p peer) Orders(ctx context.Context, after uint64) ([]*abi.Order, error) {
	return p.link.list(ctx, after)
}

// merging runs the loop until the test ends.
func merging(t testing.TB, here *Orders, there Peer) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); here.Merge(ctx, there) }()
	t.Cleanup(func() { cancel(); <-done })
}

func eventually(t testing.TB, what string, holds func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !holds() {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("%s: not within 30 s", what)
		}
		time.Sleep(200 * time.Microsecond)
	}
	return time.Since(begin)
}

func TestAfterAPartitionBothSidesHoldTheUnion(t *testing.T) {
	runtimeLedger, cosignerLedger := memory(t), memory(t)
	here, there := open(t, runtimeLedger), open(t, cosignerLedger)
	between := &link{Orders: there}
	between.cut.Store(true)
	merging(t, here, peer{between})
	var ours, theirs []*abi.Order
	for i := range OrdersPageMax + 7 { // more than one page each way
		ours = append(ours, freeze(t, fmt.Sprintf("agent/ours-%d", i), ""))
		theirs = append(theirs, freeze(t, fmt.Sprintf("agent/theirs-%d", i), ""))
	}
	accept(t, here, ours...)
	accept(t, there, theirs...)
	accept(t, there, thaw(t, theirs[0], ours[0])) // lifts what this side has not heard of yet
	between.cut.Store(false)
	durable := len(ours) + len(theirs) + 1
	for ledger, o := range map[store.Store]*Orders{runtimeLedger: here, cosignerLedger: there} {
		eventually(t, "the union", func() bool { return len(kinds(t, ledger)) == durable })
		// What was durable a moment ago comes into force with it, unless it tightens: that is in force before.
		eventually(t, "the thaw", func() bool {
			freezes, err := o.Freezes(t.Context())
			return err == nil && len(freezes) == durable-3
		})
	}
}

func TestAFreezeHereHoldsThereSoonAndTheOtherWayRound(t *testing.T) {
	here, there := open(t, memory(t)), open(t, memory(t))
	between := &link{Orders: there}
	merging(t, here, peer{between})
	eventually(t, "the first exchange", func() bool { return between.calls.Load() > 0 })
	accept(t, here, freeze(t, "tenant", "here"))
	t.Logf("frozen here, holds at the co-signer after %s", eventually(t, "there", func() bool { return frozen(t, there) == "frozen" }))
	fresh := freeze(t, "network/eip155:1", "there")
	accept(t, there, fresh)
	t.Logf("frozen at the co-signer, holds here after %s", eventually(t, "here", func() bool {
		freezes, err := here.Freezes(t.Context())
		return err == nil && len(freezes) == 2
	}))
}

// hostile answers with whatever it likes.
type hostile struct{ orders []*abi.Order }

func (h hostile) Offer(context.Context, []*abi.Order) error            { return nil }
func (h hostile) Orders(context.Context, uint64) ([]*abi.Order, error) { return h.orders, nil }

func TestAPeerThatMakesOrdersUpIsBoundedAndChangesNothing(t *testing.T) {
	ledger := memory(t)
	o := open(t, ledger)
	made := freeze(t, "tenant", "")
	made.Endorsements[0].Signature[0] ^= 1
	flood := make([]*abi.Order, OrdersPageMax+1)
	for i := range flood {
		flood[i] = freeze(t, "tenant", "")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	for _, orders := range [][]*abi.Order{{made, nil, {}}, flood} {
		var x exchange
		bounded, stop := context.WithTimeout(ctx, 100*time.Millisecond)
		_ = x.run(bounded, o, hostile{orders}) // whether it fails is its own affair: nothing of it may hold
		stop()
	}
	if code := frozen(t, o); code != "" || len(kinds(t, ledger)) != 0 {
		t.Errorf("%q, %v", code, kinds(t, ledger))
	}
}

func TestAListEndsWhereItEnds(t *testing.T) {
	o := open(t, memory(t))
	accept(t, o, freeze(t, "tenant", ""))
	for after, want := range map[uint64]int{0: 1, 1: 0, 2: 0, 1 << 63: 0, 1<<64 - 1: 0} {
		if list, err := o.Orders(t.Context(), after); err != nil || len(list) != want {
			t.Errorf("after %d: %d orders, %v", after, len(list), err)
		}
	}
}
