package cosigner

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/peer"
	"github.com/purserhq/purser/signer"
)

// consulted consults on a plan, as an honest runtime does before it arms.
func (p *party) consultedPlan(t testing.TB) plan {
	t.Helper()
	x := p.plan(t, 1_000_000)
	if decision, err := p.Consult(t.Context(), x.consult()); err != nil || decision.Outcome != abi.Allow {
		t.Fatalf("%+v, %v", decision, err)
	}
	return x
}

// says makes the plan's runtime name this head.
func (x plan) says(position, witnessed uint64) plan {
	x.head = func() signer.Head { return signer.Head{Position: position, Witnessed: witnessed} }
	return x
}

// reasonOf is the code of a refusal's first reason.
func reasonOf(err error) string {
	var refused *signer.Refused
	if !errors.As(err, &refused) || len(refused.Decision.Verdicts) == 0 || len(refused.Decision.Verdicts[0].Reasons) == 0 {
		return abi.CodeOf(err)
	}
	return refused.Decision.Verdicts[0].Reasons[0].Code
}

func TestARuntimeThatWasSetBackIsNoticedAtItsFirstArmAndStaysOut(t *testing.T) {
	for name, bend := range map[string]func(p *party, x plan, before signer.Head) *abi.ArmRequest{
		"its head is lower": func(_ *party, x plan, before signer.Head) *abi.ArmRequest {
			return x.says(before.Position-1, before.Witnessed).arm()
		},
		"it has grown past where it was and forgot what it signed": func(_ *party, x plan, before signer.Head) *abi.ArmRequest {
			return x.says(before.Position+100, 0).arm()
		},
		"it is another ledger": func(_ *party, x plan, _ signer.Head) *abi.ArmRequest {
			request := x.arm()
			request.RuntimeStore = "a restored one"
			return request
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := openParty(t, shopPolicy)
			p.said.Store(1000)
			first := p.armed(t, p.consultedPlan(t))
			if _, err := p.sign(t, first); err != nil {
				t.Fatal(err)
			}
			before := signer.Head{Position: p.said.Load(), Witnessed: p.witnessed.Load()}
			x := p.consultedPlan(t)
			code := reasonOf(errOf(p.Arm(t.Context(), bend(p, x, before))))
			if code != peer.CodeRolledBack && code != peer.CodeUnknown {
				t.Fatalf("the set-back runtime got %q", code)
			}
			if err := p.Close(); err != nil { // and after a restart
				t.Fatal(err)
			}
			p.open(t, p.judge(t, shopPolicy))
			decision, err := p.Consult(t.Context(), p.plan(t, 1).consult())
			if err != nil || decision.Outcome != abi.Deny || decision.Verdicts[0].Reasons[0].Code != code {
				t.Errorf("consult after the stop: %+v, %v", decision, err)
			}
			if _, err := p.sign(t, first); err == nil {
				t.Error("a session of an old promise was signed after the stop")
			}
			if err := p.AcceptPeerStore(t.Context(), "runtime-store", 5); abi.CodeOf(err) != peer.CodeUnreconciled {
				t.Errorf("accepted while a promise is open: %v", err)
			}
			p.chain.set(abi.LifeUsed)
			p.clock.add(2 * time.Minute)
			p.wait(t, first.Payment, settled)
			if err := p.AcceptPeerStore(t.Context(), "runtime-store", 5); err != nil {
				t.Fatal(err)
			}
			p.armed(t, p.consultedPlan(t).says(6, 0))
		})
	}
}

func errOf[T any](_ T, err error) error { return err }

// The co-signer's own ledger was set back: the runtime holds a promise that it is too short to have made.
func TestACoSignerThatWasSetBackStopsItself(t *testing.T) {
	p := openParty(t, shopPolicy)
	p.armed(t, p.consultedPlan(t))
	if code := reasonOf(errOf(p.Arm(t.Context(), p.consultedPlan(t).says(50, 1<<30).arm()))); code != peer.CodeOwnRolledBack {
		t.Errorf("%q", code)
	}
	if code := reasonOf(errOf(p.Arm(t.Context(), p.plan(t, 1).arm()))); code != peer.CodeOwnRolledBack {
		t.Errorf("afterwards: %q", code)
	}
}

// Requests of one honest runtime overtake each other: each is above what was known when it was consulted.
func TestRequestsThatOvertakeEachOtherAreArmed(t *testing.T) {
	p := openParty(t, shopPolicy)
	p.armed(t, p.consultedPlan(t).says(10, 0))
	slow, fast := p.consultedPlan(t), p.consultedPlan(t)
	p.armed(t, fast.says(40, 0))
	p.armed(t, slow.says(12, 0))
	if code := reasonOf(errOf(p.Arm(t.Context(), p.consultedPlan(t).says(39, 0).arm()))); code != peer.CodeRolledBack {
		t.Errorf("consulted on after head 40, and armed with 39: %q", code)
	}
}

func TestAClockThatIsNotTheChainsDenies(t *testing.T) {
	p := openParty(t, shopPolicy)
	verdict := func() string {
		decision, err := p.Consult(t.Context(), p.plan(t, 1).consult())
		if err != nil {
			return abi.CodeOf(err)
		}
		return decision.Verdicts[0].Reasons[0].Code
	}
	for range 5 {
		if got := verdict(); got != abi.ReasonAllowed {
			t.Fatalf("in time: %q", got)
		}
	}
	if p.chain.looks != 1 {
		t.Errorf("%d looks at the chain for five payments in one moment", p.chain.looks)
	}
	set := func(behind time.Duration, err error) {
		p.chain.mu.Lock()
		defer p.chain.mu.Unlock()
		p.chain.behind, p.chain.headErr = behind, err
	}
	// Our clock is ahead, or behind, by more than the slack.
	for _, behind := range []time.Duration{clockSkewMax + time.Second, -clockSkewMax - time.Second, 24 * time.Hour} {
		set(behind, nil)
		p.clock.add(headFreshMax + time.Second)
		if got := verdict(); got != CodeClockSkew {
			t.Errorf("a block %s behind us: %q", behind, got)
		}
	}
	set(0, nil)
	p.clock.add(headFreshMax + time.Second)
	if got := verdict(); got != abi.ReasonAllowed {
		t.Errorf("in time again: %q", got)
	}
	// An endpoint that is away is done without for a while, and not for longer.
	set(0, context.DeadlineExceeded)
	p.clock.add(headStaleMax - time.Second)
	if got := verdict(); got != abi.ReasonAllowed {
		t.Errorf("with a look that is old: %q", got)
	}
	p.clock.add(2 * time.Second)
	if got := verdict(); got != "chain_unreachable" {
		t.Errorf("with a look that is too old: %q", got)
	}
	// A clock that jumped is looked at anew at once, however fresh the last look.
	set(0, nil)
	verdict()
	set(24*time.Hour, nil)
	p.clock.add(24 * time.Hour)
	if got := verdict(); got != CodeClockSkew {
		t.Errorf("a day ahead: %q", got)
	}
}

// An endpoint whose chain goes back is not believed.
func TestAHeadThatGoesBackIsNotBelieved(t *testing.T) {
	p := openParty(t, shopPolicy)
	p.chain.number = 100
	if _, err := p.Consult(t.Context(), p.plan(t, 1).consult()); err != nil {
		t.Fatal(err)
	}
	p.chain.number = 99
	p.clock.add(headStaleMax + time.Second)
	if _, err := p.Consult(t.Context(), p.plan(t, 1).consult()); abi.CodeOf(err) != "chain_unreachable" {
		t.Errorf("%v", err)
	}
}

// The cap is this side's, by this side's clock: what the runtime believes the time to be plays no part.
func TestAnAuthorizationLivesNoLongerThanTheCapByOurOwnClock(t *testing.T) {
	p := openParty(t, shopPolicy)
	for seconds, code := range map[uint64]string{120: "", 121: "preimage_mismatch"} {
		x := p.plan(t, 1_000)
		x.transfer.ValidBefore = p.clock.unix() + seconds
		x.quote.ObservedUnixS = p.clock.unix() + 86_400 // the runtime lives a day ahead
		if err := errOf(p.Arm(t.Context(), x.arm())); err != nil && code == "" || code != "" && abi.CodeOf(err) != code {
			t.Errorf("%d s: %v", seconds, err)
		}
	}
}

const exposurePolicy = `version: 1
approvers: {ada: "%x"}
merchants: [{origin: "https://api.example.com", pay_to: ["0x1111111111111111111111111111111111111111"]}]
tenant: {max_transaction_usdc: "1000", daily_spending_limit: "6"}
agents: {shopper: {policy: test}}
policies: {test: {max_transaction_usdc: "1", daily_spending_limit: "1000", repeats: parallel}}
`

// A merchant that leaves authorizations unsettled holds half of the tenant's ceiling at most, and gets it back by
// settling or when they are dead.
func TestAMerchantThatSettlesNothingDoesNotStarveTheBudget(t *testing.T) {
	p := openParty(t, exposurePolicy)
	var payments []string
	for range 3 {
		payments = append(payments, p.armed(t, p.plan(t, 1_000_000)).Payment)
	}
	var refused *signer.Refused
	err := errOf(p.Arm(t.Context(), p.plan(t, 1_000_000).arm()))
	if !errors.As(err, &refused) || !slices.ContainsFunc(refused.Decision.Verdicts[0].Reasons, func(r abi.Reason) bool {
		return r.Code == abi.ReasonBudgetExceeded && r.Rule == "test.merchant_exposure"
	}) {
		t.Fatalf("a fourth open payment: %v", err)
	}
	p.chain.set(abi.LifeUsed)
	p.clock.add(2 * time.Minute)
	for _, payment := range payments {
		p.wait(t, payment, settled)
	}
	p.armed(t, p.plan(t, 1_000_000)) // settled money is spent, and open no more
}

// lossy loses everything that the other side sends from one kind of frame on.
type lossy struct {
	signer.Transport
	kind string
}

func (l lossy) Receive(ctx context.Context) (signer.Frame, error) {
	frame, err := l.Transport.Receive(ctx)
	if err == nil && frame.Type == l.kind {
		return signer.Frame{}, errors.New("the line broke")
	}
	return frame, err
}

func (p *party) lossyPair(t testing.TB, kind string) *signer.Pair {
	t.Helper()
	pair, err := signer.NewPair(signer.PairConfig{
		Wallet: p.wallet, Engine: p.engine.Beside(), CoSigner: p.CoSigner, Identity: p.ours, CoSignerKey: p.theirs.Public(), Random: rand.Reader,
		Connect: func() (signer.Transport, signer.Transport) {
			here, there := signer.Pipe()
			return lossy{here, kind}, there
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pair.Close() }) // never fails
	return pair
}

// The last round is lost: the promise is spent, is not taken back, and only the identical digest is signed again.
func TestALostLastRoundIsSignedAgainOverTheSameDigestOnly(t *testing.T) {
	p := openParty(t, shopPolicy)
	x := p.plan(t, 1_000_000)
	promise := p.armed(t, x)
	_, err := p.lossyPair(t, "whole3").Sign(t.Context(), "shopper", promise)
	if err == nil || signer.NothingLeft(err) {
		t.Fatalf("a lost last round says that nothing left: %v", err)
	}
	p.wait(t, promise.Payment, spent)
	if _, err := p.Disclaim(t.Context(), promise); abi.CodeOf(err) != "spent" {
		t.Errorf("a spent promise was taken back: %v", err)
	}
	if _, err := p.Arm(t.Context(), p.planFor(t, x.intent.Key, 1_000_000).arm()); abi.CodeOf(err) != "other_digest_armed" {
		t.Errorf("another digest for a spent payment: %v", err)
	}
	signature, err := p.sign(t, promise)
	if err != nil {
		t.Fatal(err)
	}
	if err := signature.Verify(p.wallet.PublicKey, [32]byte(promise.Digest)); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"cosigner.allow", "cosigner.armed", "cosigner.spent", "cosigner.refused"}, p.kinds(t, promise.Payment)); diff != "" {
		t.Error(diff)
	}
}

// A session that broke before the last round leaves nothing, and its promise may be taken back.
func TestAPromiseOfWhichNothingLeftIsTakenBackForEver(t *testing.T) {
	p := openParty(t, shopPolicy)
	promise := p.armed(t, p.plan(t, 1_000_000))
	if _, err := p.lossyPair(t, "whole1").Sign(t.Context(), "shopper", promise); !signer.NothingLeft(err) {
		t.Fatalf("%v", err)
	}
	tombstone, err := p.Disclaim(t.Context(), promise)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.VerifyTombstone(tombstone, promise, p.theirs.Public()); err != nil {
		t.Error(err)
	}
	if row := p.row(t, promise.Payment); row.State != dead || !p.spent(t).IsZero() {
		t.Errorf("%s, spent %s", row.State, p.spent(t))
	}
	if err := p.Close(); err != nil { // and after a restart
		t.Fatal(err)
	}
	p.open(t, p.judge(t, shopPolicy))
	if _, err := p.sign(t, promise); err == nil || p.row(t, promise.Payment).State != dead {
		t.Error("what was taken back was signed")
	}
	again, err := p.Disclaim(t.Context(), promise)
	if err != nil || cmp.Diff(tombstone, again) != "" {
		t.Errorf("asked again: %v\n%s", err, cmp.Diff(tombstone, again))
	}
}

// Whoever is first, there is a signature or a tombstone, never both.
func TestASignatureAndATombstoneNeverExistTogether(t *testing.T) {
	p := openParty(t, shopPolicy)
	for range 8 {
		promise := p.armed(t, p.plan(t, 1_000))
		signed, buried := make(chan bool), make(chan bool)
		go func() { _, err := p.sign(t, promise); signed <- err == nil }()
		go func() { _, err := p.Disclaim(t.Context(), promise); buried <- err == nil }()
		if s, b := <-signed, <-buried; s && b || !s && !b {
			t.Fatalf("signed %v, buried %v", s, b)
		}
	}
}
