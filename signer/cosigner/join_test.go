package cosigner

import (
	"crypto/rand"
	"errors"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

func TestARecordThatIsNotThisSidesPromiseOpensNoSession(t *testing.T) {
	p := openParty(t, shopPolicy)
	x := p.plan(t, 1_000_000)
	promise := p.armed(t, x)
	stranger, err := signer.NewIdentity(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	resigned := func(a *abi.Armed) { // both signatures, but not the co-signer's own key
		if err := errors.Join(signer.SignArmed(a, signer.RoleCoSigner, stranger), signer.SignArmed(a, signer.RoleRuntime, p.ours)); err != nil {
			t.Fatal(err)
		}
	}
	for name, edit := range map[string]func(*abi.Armed){
		"without the runtime's signature":   func(a *abi.Armed) { a.RuntimeSignature = nil },
		"without the co-signer's signature": func(a *abi.Armed) { a.CosignerSignature = nil },
		"with the signatures exchanged": func(a *abi.Armed) {
			a.RuntimeSignature, a.CosignerSignature = a.CosignerSignature, a.RuntimeSignature
		},
		"another digest":               func(a *abi.Armed) { a.Digest = make([]byte, 32) },
		"another digest, signed again": func(a *abi.Armed) { a.Digest = make([]byte, 32); resigned(a) },
		"another payment":              func(a *abi.Armed) { a.Payment = p.plan(t, 1).intent.Payment },
		"a later end":                  func(a *abi.Armed) { a.ExpiresUnixS += 3600 },
		"another wallet":               func(a *abi.Armed) { a.Wallet = "treasury" },
		"another domain":               func(a *abi.Armed) { a.Domain = "purser.approval.v1"; resigned(a) },
		"no digest":                    func(a *abi.Armed) { a.Digest = nil; resigned(a) },
	} {
		bent := *promise
		edit(&bent)
		want := "armed_invalid"
		if name == "another wallet" {
			want = signer.CodeFrameInvalid // the frame says so itself
		}
		if code := p.bind(t, &bent); code != want {
			t.Errorf("%s: %s", name, code)
		}
	}
	if p.engine.Armed.Load() != 0 || p.row(t, x.intent.Payment).State != armed {
		t.Errorf("%d sessions got a digest", p.engine.Armed.Load())
	}
}

// A promise that the co-signer's key signed, but another ledger of its made, such as a backup's.
func TestAPromiseOfAnotherLedgerOpensNoSession(t *testing.T) {
	first, second := openParty(t, shopPolicy), openParty(t, shopPolicy)
	second.ours, second.theirs = first.ours, first.theirs
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	second.open(t, second.judge(t, shopPolicy))
	x := first.plan(t, 1_000_000)
	promise := first.armed(t, x)
	if code := second.bind(t, promise); code != "not_found" {
		t.Errorf("join on a ledger that does not know the payment: %v", code)
	}
	if _, err := second.Consult(t.Context(), x.consult()); err != nil {
		t.Fatal(err)
	}
	if code := second.bind(t, promise); code != "claim_invalid" {
		t.Errorf("join on a ledger that promised nothing: %v", code)
	}
	other := second.planFor(t, x.intent.Key, 1_000_000)
	second.armed(t, other)
	if code := second.bind(t, promise); code != "claim_invalid" {
		t.Errorf("join on a ledger that promised another digest: %v", code)
	}
}

func TestNothingIsSignedBeforeItIsArmedOrAfterItsTime(t *testing.T) {
	p := openParty(t, shopPolicy)
	x := p.plan(t, 1_000_000)
	early := &abi.Armed{Domain: "purser.armed.v1", Payment: x.intent.Payment, Digest: make([]byte, 32), Wallet: "main"}
	if err := signer.SignArmed(early, signer.RoleRuntime, p.ours); err != nil {
		t.Fatal(err)
	}
	if code := p.bind(t, early); code != "armed_invalid" {
		t.Errorf("before arming: %v", code)
	}
	promise := p.armed(t, x)
	p.clock.add(time.Minute)
	if code := p.bind(t, promise); code != "armed_expired" {
		t.Errorf("at its end: %v", code)
	}
}

func TestNothingIsSignedAfterTheChainEndedIt(t *testing.T) {
	for state, life := range map[string]abi.Life{settled: abi.LifeUsed, dead: abi.LifeDead} {
		p := openParty(t, shopPolicy)
		x := p.plan(t, 1_000_000)
		promise := p.armed(t, x)
		if _, err := p.sign(t, promise); err != nil {
			t.Fatal(err)
		}
		p.chain.set(life)
		p.clock.add(2 * time.Minute)
		p.wait(t, x.intent.Payment, state)
		p.clock.add(-2 * time.Minute) // not even when the clock is turned back
		if code := p.bind(t, promise); code != "claim_invalid" {
			t.Errorf("%s: %v", state, code)
		}
		want := abi.Amount{}
		if life == abi.LifeUsed {
			want = abi.NewAmount(1_000_000)
		}
		if spent := p.spent(t); spent != want {
			t.Errorf("%s: spent %s, want %s", state, spent, want)
		}
	}
}

// While the chain says that the authorization lives, nothing ends the promise and its reservation stays.
func TestTimeAloneReleasesNothing(t *testing.T) {
	p := openParty(t, shopPolicy)
	x := p.plan(t, 1_000_000)
	p.armed(t, x)
	p.chain.set(abi.LifeLive)
	p.clock.add(time.Hour)
	before := p.row(t, x.intent.Payment)
	if err := p.reconcile(before); err != nil {
		t.Fatal(err)
	}
	if row := p.row(t, x.intent.Payment); row.State != armed || p.spent(t) != abi.NewAmount(1_000_000) {
		t.Errorf("%s, spent %s", row.State, p.spent(t))
	}
}

func TestASignedPaymentMayBeSignedAgainOverTheSameDigestOnly(t *testing.T) {
	p := openParty(t, shopPolicy)
	x := p.plan(t, 1_000_000)
	promise := p.armed(t, x)
	for range 3 {
		if _, err := p.sign(t, promise); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil { // and after a restart
		t.Fatal(err)
	}
	p.open(t, p.judge(t, shopPolicy))
	if _, err := p.sign(t, promise); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cosigner.allow", "cosigner.armed", "cosigner.spent"}, p.kinds(t, x.intent.Payment)); diff != "" {
		t.Error(diff)
	}
	if spent := p.spent(t); spent != abi.NewAmount(1_000_000) {
		t.Errorf("spent %s", spent)
	}
}

// A policy that turns against a payment after it was armed cannot take the promise back, and one that loosens does not
// arm what was refused without being asked.
func TestAPromiseOutlivesItsPolicy(t *testing.T) {
	p := openParty(t, shopPolicy)
	x := p.plan(t, 1_000_000)
	promise := p.armed(t, x)
	if err := p.Reload(t.Context(), p.judge(t, strings.Replace(shopPolicy, `max_transaction_usdc: "50"`, `max_transaction_usdc: "0.01"`, 1)), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.sign(t, promise); err != nil {
		t.Error(err)
	}
	var refused *signer.Refused
	if _, err := p.Arm(t.Context(), p.plan(t, 1_000_000).arm()); !errors.As(err, &refused) {
		t.Errorf("the new policy does not apply: %v", err)
	}
}

func TestSessionsOfAKeyAreBounded(t *testing.T) {
	p := openParty(t, shopPolicy)
	for n := range readyMaxDefault + sessionsKeySpare {
		if _, err := p.rogue(t); err != nil {
			t.Fatalf("session %d: %v", n, err)
		}
	}
	last, err := p.rogue(t)
	if abi.CodeOf(err) != "busy" {
		t.Errorf("one more session: %v, %v", last, err)
	}
}

func TestCloseDuringASessionLeavesNoGoroutine(t *testing.T) {
	p := openParty(t, shopPolicy)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	before := goruntime.NumGoroutine()
	p.engine.Wait = make(chan struct{}) // never closed: only the end of the co-signer ends the sessions
	p.open(t, p.judge(t, shopPolicy))
	promise := p.armed(t, p.plan(t, 1_000_000))
	var running sync.WaitGroup
	for range 8 {
		session, err := p.rogue(t)
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			if _, err := session.sign(t.Context(), promise); err == nil {
				t.Error("a session that is held before its last message made a signature")
			}
		})
	}
	for deadline := time.Now().Add(time.Minute); p.engine.Armed.Load() < 8; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions got their digest", p.engine.Armed.Load())
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	running.Wait()
	for deadline := time.Now().Add(10 * time.Second); goruntime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines before, %d after\n%s", before, goruntime.NumGoroutine(), stacks[:goruntime.Stack(stacks, true)])
		}
	}
	if row := p.row(t, promise.Payment); row.State != armed {
		t.Errorf("a session that was cut off before its last message left %s", row.State)
	}
}

func TestNothingIsSignedAfterClose(t *testing.T) {
	p := openParty(t, shopPolicy)
	promise := p.armed(t, p.plan(t, 1_000_000))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	here, there := signer.Pipe()
	if _, err := p.Join(t.Context(), &abi.SessionRequest{Wallet: p.wallet.ID, Agent: "shopper", Opening: make([]byte, 16)}, there); err == nil {
		p.working.Wait() // whatever was started has ended now
	}
	if err := here.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Receive(t.Context()); !errors.Is(err, signer.ErrTransportClosed) {
		t.Errorf("a frame left after close: %v", err)
	}
	if row := p.row(t, promise.Payment); row.State != armed {
		t.Errorf("the payment is %s after close", row.State)
	}
}
