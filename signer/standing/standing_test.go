package standing

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer/order"
)

func TestAFreezeHoldsUntilTheQuorumNamesIt(t *testing.T) {
	eachStore(t, func(t *testing.T, ledger store.Store, again func() store.Store) {
		o := open(t, ledger)
		everything, payee := freeze(t, "tenant", "one"), freeze(t, "payee/"+shopper.Payee, "two")
		if code := frozen(t, o); code != "" {
			t.Fatalf("before: %s", code)
		}
		accept(t, o, everything, payee)
		accept(t, o, everything) // the same again
		if code := frozen(t, o); code != "frozen" {
			t.Fatalf("frozen: %q", code)
		}
		alone, err := order.NewThaw("default", []string{everything.Subject, payee.Subject}, noon, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Accept(t.Context(), sign(t, alone, "cyd")); abi.CodeOf(err) != "order_unendorsed" {
			t.Fatalf("one person thawed: %v", err)
		}
		accept(t, o, thaw(t, everything))
		if code := frozen(t, o); code != "frozen" {
			t.Fatalf("the other freeze does not hold: %q", code)
		}
		if code := abi.CodeOf(o.Frozen(t.Context(), order.Target{Agent: "shopper"})); code != "" {
			t.Fatalf("what is thawed is frozen: %s", code)
		}
		accept(t, o, thaw(t, payee))
		accept(t, o, everything, payee) // a replay brings nothing back
		if code := frozen(t, o); code != "" {
			t.Fatalf("after the thaw: %s", code)
		}
		if diff := cmp.Diff([]string{"cosigner.order", "cosigner.order", "cosigner.order", "cosigner.order"}, kinds(t, ledger)); diff != "" {
			t.Error(diff)
		}
		later := freeze(t, "agent/shopper", "three")
		accept(t, o, later)
		reopened := open(t, again())
		if code := frozen(t, reopened); code != "frozen" {
			t.Errorf("after a restart: %q", code)
		}
		freezes, err := reopened.Freezes(t.Context())
		if err != nil || len(freezes) != 1 || freezes[0].ID != later.Subject || freezes[0].Scope.String() != "agent/shopper" {
			t.Errorf("%v, %v", freezes, err)
		}
	})
}

func TestOrdersThatDoNotHoldChangeNothing(t *testing.T) {
	ledger := memory(t)
	o := open(t, ledger)
	enrolment, err := order.NewEnrolment("default", abi.Enrolment{Agent: "shopper", Wallet: "main"}, 1, noon, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := order.NewFreeze("elsewhere", "tenant", "", noon, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	late, err := order.NewPolicyRelease("default", [32]byte{9}, 9, noon.Add(-2*time.Hour), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	unsigned := freeze(t, "tenant", "")
	unsigned.Endorsements = nil
	huge := freeze(t, "tenant", "")
	huge.Subject = string(make([]byte, 5<<20))
	for name, test := range map[string]struct {
		order *abi.Order
		want  string
	}{
		"none":                     {nil, "order_invalid"},
		"of nobody":                {unsigned, "order_unendorsed"},
		"of another tenant":        {sign(t, elsewhere, "ada"), "order_invalid"},
		"late":                     {sign(t, late, "ada", "bea"), "order_expired"},
		"of a kind kept elsewhere": {sign(t, enrolment, "ada", "bea"), "order_unsupported"},
		"too large":                {huge, "order_invalid"},
	} {
		if err := o.Accept(t.Context(), test.order); abi.CodeOf(err) != test.want || !Refusal(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if code := frozen(t, o); code != "" {
		t.Errorf("frozen: %s", code)
	}
	if got := kinds(t, ledger); len(got) != 0 {
		t.Errorf("strangers wrote %v", got)
	}
}

func TestAPolicyNeverGoesBack(t *testing.T) {
	eachStore(t, func(t *testing.T, ledger store.Store, again func() store.Store) {
		o := open(t, ledger)
		released := func(o *Orders, hash byte) string { return abi.CodeOf(o.Released(t.Context(), [32]byte{hash})) }
		if code := released(o, 1); code != "policy_unreleased" {
			t.Fatalf("before any release: %q", code)
		}
		if code := released(o, 0); code != "policy_unreleased" { // the zero hash is no release either
			t.Fatalf("before any release: %q", code)
		}
		accept(t, o, policyRelease(t, 1, 5))
		accept(t, o, policyRelease(t, 2, 6))
		accept(t, o, policyRelease(t, 1, 5)) // accepted once, and no way back
		if released(o, 1) != "policy_unreleased" || released(o, 2) != "" {
			t.Fatal("the newest is not the one in force")
		}
		for range 3 { // a replay is logged once
			if err := o.Accept(t.Context(), policyRelease(t, 3, 4)); abi.CodeOf(err) != "order_stale" {
				t.Fatalf("an older serial: %v", err)
			}
		}
		if err := o.Accept(t.Context(), policyRelease(t, 4, 6)); abi.CodeOf(err) != "order_conflict" {
			t.Fatalf("another order with the serial: %v", err)
		}
		if diff := cmp.Diff([]string{"cosigner.order", "cosigner.order", "cosigner.order_refused", "cosigner.order_refused"}, kinds(t, ledger)); diff != "" {
			t.Error(diff)
		}
		back := open(t, again())
		if released(back, 1) != "policy_unreleased" || released(back, 2) != "" {
			t.Fatal("a restart forgot the release")
		}
		accept(t, back, policyRelease(t, 1, 7)) // a rollback is a new serial
		if released(back, 1) != "" || released(back, 2) != "policy_unreleased" {
			t.Fatal("a rollback with a new serial is not in force")
		}
	})
}

// Whatever the order in which orders come, and however often, the result is the same.
func TestTheMergeIsAUnionInAnyOrder(t *testing.T) {
	var all []*abi.Order
	for i := range 6 {
		f := freeze(t, []string{"tenant", "agent/shopper", "network/eip155:8453"}[i%3], fmt.Sprint("reason ", i))
		if all = append(all, f); i < 5 {
			all = append(all, thaw(t, f))
		}
	}
	want := all[10].Subject
	random := rand.New(rand.NewPCG(4, 2)) //nolint:gosec // a test
	for range 8 {
		o := open(t, memory(t))
		for range 2 {
			random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			accept(t, o, all...)
		}
		freezes, err := o.Freezes(t.Context())
		if err != nil || len(freezes) != 1 || freezes[0].ID != want || frozen(t, o) != "frozen" {
			t.Fatalf("%v, %v", freezes, err)
		}
	}
}

func TestFiftyConcurrentAcceptsAllHold(t *testing.T) {
	eachStore(t, func(t *testing.T, ledger store.Store, again func() store.Store) {
		sides := []*Orders{open(t, ledger)}
		if ledger.Shared() { // two processes of one role, over one ledger
			sides = append(sides, open(t, again()))
		}
		const orders = 50
		var group sync.WaitGroup
		for i := range orders {
			given := freeze(t, fmt.Sprintf("agent/agent-%d", i), "")
			for _, o := range []*Orders{sides[i%len(sides)], sides[(i+1)%len(sides)]} { // each twice
				group.Go(func() {
					if err := o.Accept(t.Context(), given); err != nil {
						t.Error(err)
					}
				})
			}
		}
		group.Wait()
		if !ledger.Shared() {
			ledger = again()
		}
		for _, o := range append(sides[1:], open(t, ledger)) {
			freezes, err := o.Freezes(t.Context())
			if err != nil || len(freezes) != orders {
				t.Errorf("%d freezes, %v", len(freezes), err)
			}
		}
		if got := kinds(t, ledger); len(got) != orders {
			t.Errorf("%d entries", len(got))
		}
	})
}

func TestAnotherProcessesFreezeHoldsAtOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, ledger store.Store, again func() store.Store) {
		if !ledger.Shared() {
			return // one process has the file
		}
		here, there := open(t, ledger), open(t, again())
		f := freeze(t, "wallet/main", "")
		accept(t, there, f)
		if code := frozen(t, here); code != "frozen" {
			t.Fatalf("here: %q", code)
		}
		accept(t, here, thaw(t, f), policyRelease(t, 1, 1))
		if code := frozen(t, there); code != "" {
			t.Fatalf("there: %q", code)
		}
		if err := there.Released(t.Context(), [32]byte{1}); err != nil {
			t.Fatal(err)
		}
		// Two orders under one serial, one at each: one wins, for both.
		errs := make(chan error, 2)
		for i, o := range []*Orders{here, there} {
			given := policyRelease(t, byte(10+i), 2)
			go func() { errs <- o.Accept(t.Context(), given) }()
		}
		first, second := <-errs, <-errs
		if (first == nil) == (second == nil) {
			t.Fatalf("%v, %v", first, second)
		}
		if a, b := here.Released(t.Context(), [32]byte{10}), there.Released(t.Context(), [32]byte{10}); abi.CodeOf(a) != abi.CodeOf(b) {
			t.Fatalf("%v, %v", a, b)
		}
	})
}

// A crash before or after the order is on the disk: the freeze holds at once either way, and offered again it is
// durable once.
func TestACrashAroundTheDiskLosesNoFreeze(t *testing.T) {
	for name, test := range map[string]struct {
		before, after int64
		want          string
		durable       bool
	}{
		"before it is durable":          {before: 1, want: "internal"},
		"after it is durable":           {after: 1, durable: true},
		"after, and no answer for long": {after: acceptTriesMax, durable: true},
	} {
		t.Run(name, func(t *testing.T) {
			ledger := &lossy{Store: memory(t)}
			ledger.before.Store(test.before)
			ledger.after.Store(test.after)
			o := open(t, ledger)
			f := freeze(t, "tenant", "")
			if code := abi.CodeOf(o.Accept(t.Context(), f)); code != test.want {
				t.Fatalf("accept: %q", code)
			}
			if code := frozen(t, o); code != "frozen" {
				t.Fatalf("the freeze does not hold: %q", code)
			}
			restarted := open(t, ledger.Store) // what the next process finds
			if code := frozen(t, restarted); (code == "frozen") != test.durable {
				t.Fatalf("after the crash: %q", code)
			}
			accept(t, restarted, f)
			if got := kinds(t, ledger.Store); len(got) != 1 || frozen(t, restarted) != "frozen" {
				t.Fatalf("offered again: %v", got)
			}
		})
	}
}

// Nothing but a freeze is in force before it is durable.
func TestAThawIsInForceOnlyOnceItIsDurable(t *testing.T) {
	ledger := &lossy{Store: memory(t)}
	o := open(t, ledger)
	f := freeze(t, "tenant", "")
	accept(t, o, f)
	ledger.before.Store(1)
	if err := o.Accept(t.Context(), thaw(t, f)); err == nil || frozen(t, o) != "frozen" {
		t.Fatalf("thawed in memory only: %v", err)
	}
	accept(t, o, thaw(t, f))
	if code := frozen(t, o); code != "" {
		t.Fatalf("thawed: %q", code)
	}
}

func TestWithoutOperatorsWhatWasAcceptedStands(t *testing.T) {
	ledger := memory(t)
	accept(t, open(t, ledger), freeze(t, "tenant", ""))
	o, err := Open(t.Context(), Config{Side: "runtime", Tenant: "default", Store: ledger})
	if err != nil {
		t.Fatal(err)
	}
	if code := frozen(t, o); code != "frozen" {
		t.Errorf("frozen: %q", code)
	}
	if err := o.Accept(t.Context(), freeze(t, "agent/shopper", "")); abi.CodeOf(err) != "operators_invalid" {
		t.Errorf("accepted from nobody: %v", err)
	}
	if _, err := Open(t.Context(), Config{Side: "runtime", Tenant: "default", Store: ledger, Operators: order.Operators{Quorum: 1}}); abi.CodeOf(err) != "operators_invalid" {
		t.Errorf("opened with a quorum of nobody: %v", err)
	}
}

// A ledger that does not answer is no reason to sign.
func TestALedgerThatCannotBeReadRefuses(t *testing.T) {
	eachStore(t, func(t *testing.T, ledger store.Store, _ func() store.Store) {
		if !ledger.Shared() {
			return // it is not asked
		}
		o := open(t, ledger)
		if err := ledger.Close(); err != nil {
			t.Fatal(err)
		}
		if err := o.Frozen(t.Context(), shopper); err == nil {
			t.Error("not frozen, says a ledger that is gone")
		}
		if err := o.Released(t.Context(), [32]byte{1}); err == nil || abi.CodeOf(err) == "policy_unreleased" {
			t.Errorf("released, says a ledger that is gone: %v", err)
		}
	})
}

// Whoever endorsed it, an order is one order: more signatures make no second row.
func TestMoreEndorsementsMakeNoSecondOrder(t *testing.T) {
	ledger := memory(t)
	o := open(t, ledger)
	f := freeze(t, "tenant", "")
	accept(t, o, f)
	accept(t, o, sign(t, f, "bea"))
	f.Endorsements = nil
	accept(t, o, f) // it was endorsed once, and that is known
	if got := kinds(t, ledger); len(got) != 1 {
		t.Errorf("%v", got)
	}
}
