package runtime

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/settle"
)

func TestEveryArrowEndsInAKnownState(t *testing.T) {
	for from, targets := range arrows {
		for _, to := range targets {
			if _, ok := arrows[to]; !ok {
				t.Errorf("%s leads to %s, which has no arrows", from, to)
			}
		}
		if from.Final() != (len(targets) == 0) {
			t.Errorf("%s: final %v, but %d arrows", from, from.Final(), len(targets))
		}
		if _, working := works[from]; working == from.Final() {
			t.Errorf("%s: final %v, but work %v", from, from.Final(), working)
		}
	}
}

func TestNothingBeforeArmedNeedsTheChainAndNothingAfterItLeavesWithoutIt(t *testing.T) {
	for _, from := range []State{Armed, Signed, Unknown} {
		for _, event := range []Event{Failed{}, Rejected{}, CoSignerRefused{}, Decided{}, Approved{}} {
			if _, _, err := step(sample(from), event, timing{}); err == nil {
				t.Errorf("%s let %s through", from, event.kind())
			}
		}
	}
}

// TestLivesKeepTheInvariants drives payments through random events and checks what must hold after each step,
// whatever the order.
func TestLivesKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := sample(Received)
		reserved, closed := 0, 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			event := randomEvent(t)
			at := timing{now: time.Unix(1_790_000_000, 0), holdFor: time.Minute, slotForever: rapid.Bool().Draw(t, "never")}
			next, fx, err := step(p, event, at)
			if err != nil {
				if next.State != p.State || fx.close != store.KeepOpen || fx.reserve != nil {
					t.Fatalf("a refused event changed something")
				}
				continue
			}
			if fx.reserve != nil {
				reserved++
			}
			if fx.close != store.KeepOpen {
				closed++
			}
			checkTransition(t, p, next, fx, event)
			if open := reserved - closed; open != openWanted(next.State) {
				t.Fatalf("%s after %s: %d reservations open, want %d", next.State, event.kind(), open, openWanted(next.State))
			}
			p = next
		}
	})
}

// openWanted is invariant 2 and 4: money is reserved from allowed until the chain has spoken.
func openWanted(s State) int {
	if slices.Contains([]State{Allowed, Prepared, Armed, Signed, Unknown}, s) {
		return 1
	}
	return 0
}

func checkTransition(t *rapid.T, p, next Payment, fx effects, event Event) {
	if fx.close == store.Release && slices.Contains([]State{Armed, Signed, Unknown}, p.State) {
		found, asked := fateOf(event)
		_, disclaimed := event.(Disclaimed)
		if byChain := asked && found.Life == abi.LifeDead; !byChain && (!disclaimed || p.State != Armed || next.Tombstone == nil) {
			t.Fatalf("%s released a budget of a payment that was %s", event.kind(), p.State)
		}
	}
	if p.Armed != nil && (next.Armed != p.Armed || next.Prepared != p.Prepared) {
		t.Fatalf("%s changed what is armed", event.kind())
	}
	if next.Tombstone != p.Tombstone && (p.State != Armed || next.State != Dead || next.Header != "") {
		t.Fatalf("%s buried a payment that was %s", event.kind(), p.State)
	}
	if p.Header != "" && next.Header != p.Header {
		t.Fatalf("%s changed the signed payment", event.kind())
	}
	if next.State == Settled && next.Receipt == nil {
		t.Fatalf("settled without a receipt")
	}
	if next.State.Final() != next.Due.IsZero() && next.Delivery != deliveryFailed {
		t.Fatalf("%s is due at %v", next.State, next.Due)
	}
	if p.Response != nil && fx.answer {
		t.Fatalf("%s fixed a second response", event.kind())
	}
}

func fateOf(event Event) (settle.Fate, bool) {
	switch e := event.(type) {
	case PresentedNow:
		return e.Fate, true
	case Reconciled:
		return e.Fate, true
	default:
		return settle.Fate{}, false
	}
}

func sample(state State) Payment {
	p := Payment{
		ID: "pay_1", Tenant: "t", Agent: "a", Key: "key-00001", State: state, Slot: "slot",
		Offer:    &settle.Offer{Quote: abi.Quote{Network: "eip155:402402", Payee: "0x01", Asset: "eip155:402402/erc20:0x02", Amount: abi.NewAmount(5)}},
		Decision: &abi.Decision{Outcome: abi.Allow}, Prepared: &Preparation{}, Ask: Ask{Resource: settle.Resource{URL: "http://127.0.0.1/paid", Method: "GET"}},
	}
	return p
}

func randomEvent(t *rapid.T) Event {
	outcome := rapid.SampledFrom([]abi.Outcome{abi.Deny, abi.Hold, abi.Allow}).Draw(t, "outcome")
	fate := rapid.SampledFrom([]settle.Fate{{}, {Life: abi.LifeDead}, {Life: abi.LifeUsed, Receipt: &settle.Receipt{Transaction: "0x1"}}}).Draw(t, "fate")
	presented := settle.Presented{Response: settle.Response{Status: rapid.SampledFrom([]int{0, 200, 402, 500}).Draw(t, "status")}}
	return rapid.SampledFrom([]Event{
		Quoted{Offer: settle.Offer{Quote: abi.Quote{Amount: abi.NewAmount(5)}}},
		ServedFree{Response: settle.Response{Status: 200}},
		Decided{Decision: abi.Decision{Outcome: outcome}, Reserve: []store.Reservation{{}}},
		Failed{},
		Approved{},
		Rejected{},
		CoSignerRefused{Decision: abi.Decision{Outcome: min(outcome, abi.Hold)}},
		PreparedNow{Preparation: Preparation{Kind: "eip712"}},
		ArmedNow{},
		SignedNow{Header: "header"},
		Disclaimed{Tombstone: abi.Tombstone{Payment: "pay_1"}},
		HandedOut{},
		PresentedNow{Presented: presented, Fate: fate},
		Reconciled{Fate: fate},
		DeliveredNow{},
		Undelivered{Presented: presented},
		Delayed{Error: &abi.Error{Code: "x"}},
	}).Draw(t, "event")
}
