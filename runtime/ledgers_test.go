package runtime

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/settle"
	"github.com/purserhq/purser/signer"
)

// bookkeeper is a runtime as far as its ledger, its merchants and its co-signer's word concern it.
type bookkeeper struct {
	*Runtime
	rules *Rules
	clock time.Time
}

const breakerPolicy = `version: 1
tenant: {daily_spending_limit: "100"}
agents: {strict: {policy: latching}, lenient: {policy: reopening}, "*": {policy: none}}
policies:
  latching: {max_transaction_usdc: "1", daily_spending_limit: "10", breaker: {paid_undelivered: 3}}
  reopening: {max_transaction_usdc: "1", daily_spending_limit: "10", breaker: {paid_undelivered: 2, latch: false}}
  none: {max_transaction_usdc: "1", daily_spending_limit: "10"}
`

func openBookkeeper(t *testing.T) *bookkeeper {
	t.Helper()
	ledger, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "runtime.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	compiled, err := policy.Compile(policy.Source{Name: "p.yaml", Data: []byte(breakerPolicy)}, policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	j, err := judge.Open(t.Context(), nil, judge.Source{Bundle: compiled.Bundle, Tokens: compiled.Tokens()})
	if err != nil {
		t.Fatalf("a policy with a breaker is refused: %v", err)
	}
	b := &bookkeeper{rules: &Rules{Judge: j}, clock: time.Unix(1_790_000_000, 0)}
	b.Runtime = &Runtime{
		config: Config{Tenant: "default", Store: ledger, Agents: ledger, Now: func() time.Time { return b.clock }, Log: slog.New(slog.DiscardHandler)},
		tail:   newTail(ledger, "default"), life: t.Context(),
	}
	return b
}

const shop = "https://shop.example.com"

// bought is a settled payment of an agent at an origin.
func bought(agent, id, origin string) Payment {
	return Payment{ID: id, Tenant: "default", Agent: agent, State: Settled, Origin: origin, Header: "signed"}
}

func (b *bookkeeper) mayPay(t *testing.T, agent, origin string) bool {
	t.Helper()
	reason, err := b.checkBreaker(t.Context(), b.rules, bought(agent, "next", origin))
	if err != nil {
		t.Fatal(err)
	}
	if reason != nil && reason.Code != abi.ReasonBreakerOpen {
		t.Errorf("%+v", reason)
	}
	return reason == nil
}

func (b *bookkeeper) count(t *testing.T, p Payment, event Event) {
	t.Helper()
	b.countDelivery(t.Context(), b.rules, p, event)
}

func TestAMerchantThatDoesNotDeliverIsShutOutUntilAnOperatorLooks(t *testing.T) {
	b := openBookkeeper(t)
	for i := range 2 {
		b.count(t, bought("strict", fmt.Sprint("pay_", i), shop), Undelivered{})
	}
	b.count(t, bought("strict", "pay_1", shop), Undelivered{}) // a crash had it found twice
	if !b.mayPay(t, "strict", shop) {
		t.Fatal("open after two")
	}
	b.count(t, bought("strict", "pay_ok", shop), DeliveredNow{})
	for i := range 2 {
		b.count(t, bought("strict", fmt.Sprint("pay_again_", i), shop), Undelivered{})
	}
	if !b.mayPay(t, "strict", shop) {
		t.Fatal("a delivery in between did not begin the count anew")
	}
	// An authorization that the merchant left to expire counts too.
	dead := bought("strict", "pay_dead", shop)
	dead.State = Unknown
	b.count(t, dead, Reconciled{Fate: settle.Fate{Life: abi.LifeDead}})
	if b.mayPay(t, "strict", shop) {
		t.Fatal("not shut out after three in a row")
	}
	if !b.mayPay(t, "strict", "https://other.example.com") || !b.mayPay(t, "anybody", shop) {
		t.Error("another merchant, or a policy without a breaker, is shut out too")
	}
	b.count(t, bought("strict", "pay_dead", shop), DeliveredNow{}) // late
	if b.mayPay(t, "strict", shop) {
		t.Error("a late delivery opened a latched breaker")
	}
	all, err := b.Merchants(t.Context())
	if err != nil || len(all) != 1 || all[0].Latched == nil || all[0].Latched.Payment != "pay_dead" || all[0].Latched.Policy != "latching" {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := b.ResetMerchant(t.Context(), shop); err != nil {
		t.Fatal(err)
	}
	if !b.mayPay(t, "strict", shop) {
		t.Error("shut out after the reset")
	}
	if _, err := b.ResetMerchant(t.Context(), shop); abi.CodeOf(err) != "not_found" {
		t.Errorf("a second reset: %v", err)
	}
	if _, err := b.Payment(t.Context(), merchantID(shop)); abi.CodeOf(err) != "not_found" {
		t.Errorf("a merchant's row is told as a payment: %v", err)
	}
}

func TestABreakerThatDoesNotLatchOpensAgainWithADelivery(t *testing.T) {
	b := openBookkeeper(t)
	for i := range 2 {
		b.count(t, bought("lenient", fmt.Sprint("pay_", i), shop), Undelivered{})
	}
	if b.mayPay(t, "lenient", shop) {
		t.Fatal("not shut out after two")
	}
	failed := bought("lenient", "pay_1", shop)
	failed.Delivery = deliveryFailed
	b.count(t, failed, Undelivered{}) // told again: counted already
	b.count(t, failed, DeliveredNow{})
	if !b.mayPay(t, "lenient", shop) {
		t.Error("shut out although it delivered")
	}
}

// What the agent presents itself, and what never left this side, is not the merchant's doing: nobody shuts a merchant
// out by not paying it.
func TestWhatIsNotTheMerchantsDoingIsNotCounted(t *testing.T) {
	b := openBookkeeper(t)
	handedOut, unsigned := bought("strict", "a", shop), bought("strict", "b", shop)
	handedOut.Ask.HandOut, handedOut.State = true, Unknown
	unsigned.Header, unsigned.State = "", Unknown
	for range 5 {
		b.count(t, handedOut, Reconciled{Fate: settle.Fate{Life: abi.LifeDead}})
		b.count(t, unsigned, Reconciled{Fate: settle.Fate{Life: abi.LifeDead}})
		b.count(t, bought("strict", "c", shop), Reconciled{Fate: settle.Fate{Life: abi.LifeLive}})
		b.count(t, bought("strict", "d", shop), Delayed{})
	}
	if all, err := b.Merchants(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

// witness is a co-signer that answers with what the test gives it.
type witness struct {
	signer.CoSigner
	tombstone *abi.Tombstone
	err       error
	asked     int
}

func (w *witness) Disclaim(context.Context, *abi.Armed) (*abi.Tombstone, error) {
	w.asked++
	return w.tombstone, w.err
}

func TestOnlyAValidTombstoneOfAPaymentOfWhichNothingLeftEndsIt(t *testing.T) {
	key, err := signer.NewIdentity(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := signer.NewIdentity(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	armed := &abi.Armed{Domain: "purser.armed.v1", Payment: "pay_1", Digest: make([]byte, 32), CosignerStore: "theirs"}
	other := &abi.Armed{Domain: "purser.armed.v1", Payment: "pay_2", Digest: make([]byte, 32), CosignerStore: "theirs"}
	write := func(of *abi.Armed, by signer.Identity) *abi.Tombstone {
		tombstone, err := signer.NewTombstone(of, "theirs", 7, by)
		if err != nil {
			t.Fatal(err)
		}
		return tombstone
	}
	const now = 1_790_000_000
	for name, c := range map[string]struct {
		tombstone   *abi.Tombstone
		err         error
		left        bool
		failures    int
		failure     *abi.Error
		validBefore uint64
		asked, ends bool
	}{
		"expired":                                 {tombstone: write(armed, key), validBefore: now, asked: true, ends: true},
		"too late to be of use":                   {tombstone: write(armed, key), validBefore: now + validityMin - 1, asked: true, ends: true},
		"signing kept failing":                    {tombstone: write(armed, key), validBefore: now + 100, failures: signTriesMax, asked: true, ends: true},
		"the co-signer is only busy":              {tombstone: write(armed, key), validBefore: now + 100, failures: signTriesMax, failure: &abi.Error{Code: "busy", Retry: abi.RetryLater}},
		"it may still be signed":                  {tombstone: write(armed, key), validBefore: now + 100, failures: signTriesMax - 1},
		"our last message may have left":          {tombstone: write(armed, key), validBefore: now, left: true},
		"a stranger's word":                       {tombstone: write(armed, stranger), validBefore: now, asked: true},
		"another payment's":                       {tombstone: write(other, key), validBefore: now, asked: true},
		"no word at all":                          {validBefore: now, asked: true},
		"the co-signer says that it may be spent": {err: &abi.Error{Code: "spent"}, validBefore: now, asked: true},
		"the co-signer is away":                   {err: errors.New("no answer"), validBefore: now, asked: true},
	} {
		b, w := openBookkeeper(t), &witness{tombstone: c.tombstone, err: c.err}
		b.config.CoSigner, b.config.CoSignerKey = w, key.Public()
		b.clock = time.Unix(now, 0)
		p := Payment{ID: "pay_1", State: Armed, Version: 4, Armed: armed, Failures: c.failures, Failure: c.failure, Prepared: &Preparation{}}
		p.Prepared.Authorization.ValidBefore = c.validBefore
		if b.unsent.moved(Payment{ID: p.ID, State: Prepared, Version: 3}, ArmedNow{}, p); c.left {
			b.unsent.forget(p.ID)
		}
		event := b.disclaim(t.Context(), p)
		if _, ends := event.(Disclaimed); ends != c.ends || (w.asked > 0) != c.asked {
			t.Errorf("%s: %v, asked %d times", name, event, w.asked)
			continue
		}
		if !c.ends {
			continue
		}
		next, fx, err := step(p, event, timing{now: b.clock})
		if err != nil || next.State != Dead || fx.close != store.Release || next.Tombstone == nil {
			t.Errorf("%s: %s, %v, %v", name, next.State, fx.close, err)
		}
	}
}

func TestWhatLeftIsOnlyKnownOfPaymentsThatNobodyElseTouched(t *testing.T) {
	at := func(version uint64, state State) Payment { return Payment{ID: "pay_1", State: state, Version: version} }
	for name, c := range map[string]struct {
		do   func(b *unsentBook)
		p    Payment
		want bool
	}{
		"armed here": {func(*unsentBook) {}, at(4, Armed), true},
		"armed, delayed, taken again": {func(b *unsentBook) {
			b.moved(at(4, Armed), Delayed{}, at(5, Armed))
			b.taken(at(5, Armed), at(6, Armed))
		}, at(6, Armed), true},
		"taken by somebody else":    {func(*unsentBook) {}, at(5, Armed), false},
		"delayed by somebody else":  {func(b *unsentBook) { b.moved(at(5, Armed), Delayed{}, at(6, Armed)) }, at(6, Armed), false},
		"taken after somebody else": {func(b *unsentBook) { b.taken(at(5, Armed), at(6, Armed)) }, at(6, Armed), false},
		"signed":                    {func(b *unsentBook) { b.moved(at(4, Armed), SignedNow{}, at(5, Signed)) }, at(5, Signed), false},
		"unknown":                   {func(b *unsentBook) { b.moved(at(4, Armed), Reconciled{}, at(5, Unknown)) }, at(5, Unknown), false},
		"forgotten":                 {func(b *unsentBook) { b.forget("pay_1") }, at(4, Armed), false},
	} {
		b := &unsentBook{}
		b.moved(at(3, Prepared), ArmedNow{}, at(4, Armed))
		if c.do(b); b.holds(c.p) != c.want {
			t.Errorf("%s: %v, want %v", name, !c.want, c.want)
		}
	}
	if (&unsentBook{}).holds(at(4, Armed)) {
		t.Error("a process that has just begun knows something")
	}
}

func TestACoSignerThatDoesNotAnswerIsAskedAgainWhileTheTermsAreGood(t *testing.T) {
	b := openBookkeeper(t)
	p := Payment{ID: "pay_1", State: Allowed, Offer: &settle.Offer{Quote: abi.Quote{ObservedUnixS: uint64(b.clock.Unix()), TimeoutS: 60}}} //nolint:gosec // after 1970
	for name, c := range map[string]struct {
		err   error
		later time.Duration
		code  string
	}{
		"away":                            {errors.New("connection refused"), 0, ""},
		"busy":                            {&abi.Error{Code: "busy", Retry: abi.RetryLater}, 59 * time.Second, ""},
		"in time-out":                     {context.DeadlineExceeded, 0, ""},
		"away past the terms":             {errors.New("connection refused"), time.Minute, abi.ReasonCosignerUnreachable},
		"it answers that it never will":   {&abi.Error{Code: "claim_invalid"}, 0, "claim_invalid"},
		"it says so after a wrapped call": {fmt.Errorf("consult: %w", &abi.Error{Code: "agent_unknown", Retry: abi.RetryNever}), 0, "agent_unknown"},
	} {
		b.clock = time.Unix(1_790_000_000, 0).Add(c.later)
		event, err := b.unanswered(p, c.err)
		denial, denied := event.(Failed)
		if denied != (c.code != "") || denial.Reason.Code != c.code || !denied && abi.CodeOf(err) != abi.ReasonCosignerUnreachable {
			t.Errorf("%s: %v, %v", name, event, err)
		}
	}
	// And not for ever, whatever the terms say.
	for range failuresMax {
		next, fx, err := step(p, Delayed{Error: &abi.Error{Code: abi.ReasonCosignerUnreachable}}, timing{now: b.clock})
		if err != nil {
			t.Fatal(err)
		}
		if p = next; p.State == Denied && fx.close != store.Release {
			t.Error("the denial keeps the money")
		}
	}
	if p.State != Denied || p.Denial.Observed != abi.ReasonCosignerUnreachable {
		t.Errorf("%s after %d failures: %+v", p.State, failuresMax, p.Denial)
	}
}
