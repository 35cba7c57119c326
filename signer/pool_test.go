package signer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	goruntime "runtime"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
)

// eventually waits for something that another goroutine does; the wait ends the test only if it never happens.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func (p *pairing) idle(t testing.TB) {
	t.Helper()
	eventually(t, "the pool is full", func() bool {
		s := p.pair.Status()
		return s.Preparing == 0 && s.Expected == 0
	})
}

func (p *pairing) sign(t testing.TB, agent, payment string) error {
	t.Helper()
	_, err := p.pair.Sign(t.Context(), agent, p.armedFor(t, payment, ""))
	return err
}

func TestAPaymentThatWasExpectedIsSignedWarmAndCountedOnce(t *testing.T) {
	p := newPairing(t)
	p.pair.Expect("shopper")
	p.idle(t)
	if s := p.pair.Status(); s.Ready != 2 || s.Refilled != 2 {
		t.Fatalf("the co-signer allows two: %+v", s)
	}
	if err := p.sign(t, "shopper", "pay_1"); err != nil {
		t.Fatal(err)
	}
	if err := p.sign(t, "stranger", "pay_2"); err != nil {
		t.Fatal(err)
	}
	p.idle(t)
	if s := p.pair.Status(); s.Warm != 1 || s.Cold != 1 || s.Dropped != 0 || s.Failed != 0 {
		t.Errorf("%+v", s)
	}
}

// A warm session that died unseen is replaced, and the one signature is a cold one.
func TestAWarmSessionThatBreaksIsReplacedAndStillCountedOnce(t *testing.T) {
	p := newPairing(t)
	p.pair.Expect("shopper")
	p.idle(t)
	var once sync.Once
	p.cosigner.mu.Lock()
	p.cosigner.atBind = func(Transport) (err error) { once.Do(func() { err = errors.New("restarted") }); return err }
	p.cosigner.mu.Unlock()
	p.pair.DropAll("test") // the sessions before knew no atBind
	p.pair.Expect("shopper")
	p.idle(t)
	if err := p.sign(t, "shopper", "pay_1"); err != nil {
		t.Fatal(err)
	}
	if s := p.pair.Status(); s.Warm+s.Cold != 1 {
		t.Errorf("%+v", s)
	}
}

func TestExpectedAgentsWaitTheirTurnInABoundedQueue(t *testing.T) {
	p := newPairing(t)
	p.engine.gate = make(chan struct{})
	for n := range preparingMax + expectedMax + 10 {
		p.pair.Expect(fmt.Sprintf("agent-%03d", n))
		p.pair.Expect(fmt.Sprintf("agent-%03d", n)) // asked twice, queued once
	}
	eventually(t, "the first are under way", func() bool { return len(p.cosigner.asked()) == preparingMax })
	if s := p.pair.Status(); s.Preparing != preparingMax || s.Expected != expectedMax {
		t.Fatalf("%+v", s)
	}
	close(p.engine.gate)
	p.idle(t)
	if s := p.pair.Status(); s.Ready < preparingMax+expectedMax || s.Failed != 0 {
		t.Errorf("%+v: those in the queue were forgotten", s)
	}
	seen := map[string]bool{}
	for _, agent := range p.cosigner.asked() {
		seen[agent] = true
	}
	for n := range preparingMax + expectedMax + 10 {
		if got, want := seen[fmt.Sprintf("agent-%03d", n)], n < preparingMax+expectedMax; got != want {
			t.Errorf("agent %d was prepared for: %v, want %v", n, got, want)
		}
	}
}

func TestAPaymentTakesOverTheSessionThatIsBeingPreparedForIt(t *testing.T) {
	p := newPairing(t)
	p.engine.gate = make(chan struct{})
	p.pair.Expect("shopper")
	eventually(t, "it is under way", func() bool { return p.engine.prepares.Load() == 1 })
	signed := make(chan error, 1)
	go func() { signed <- p.sign(t, "shopper", "pay_1") }()
	eventually(t, "it is taken over", func() bool {
		p.pair.pool.mu.Lock()
		defer p.pair.pool.mu.Unlock()
		return p.pair.pool.agents["shopper"].preparing[0].hurried
	})
	p.engine.gate <- struct{}{}
	if err := <-signed; err != nil {
		t.Fatal(err)
	}
	close(p.engine.gate)
	// That one, and after a pause the two that are ready for the next.
	eventually(t, "two more are prepared", func() bool { return len(p.cosigner.asked()) == 3 })
	p.idle(t)
	if s := p.pair.Status(); s.Cold != 1 || s.Warm != 0 || s.Ready != 2 {
		t.Errorf("%+v", s)
	}
}

func TestAPaymentThatGivesUpLeavesItsSessionToTheNextOne(t *testing.T) {
	p := newPairing(t)
	p.engine.gate = make(chan struct{})
	p.pair.Expect("shopper")
	eventually(t, "it is under way", func() bool { return p.engine.prepares.Load() == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() { _, err := p.pair.Sign(ctx, "shopper", p.armed(t)); gaveUp <- err }()
	eventually(t, "it is taken over", func() bool {
		p.pair.pool.mu.Lock()
		defer p.pair.pool.mu.Unlock()
		return p.pair.pool.agents["shopper"].preparing[0].adopted
	})
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) || !NothingLeft(err) {
		t.Errorf("got %v", err)
	}
	close(p.engine.gate)
	p.idle(t)
	if s := p.pair.Status(); s.Ready != 2 {
		t.Errorf("%+v", s)
	}
}

func TestPreparedSessionsEndWithWhatTheyAreBoundTo(t *testing.T) {
	for name, end := range map[string]func(*pairing){
		"their time": func(p *pairing) { p.clock.add(readyAgeMax) },
		"a freeze":   func(p *pairing) { p.pair.DropAll("freeze") },
		"the pair":   func(p *pairing) { _ = p.pair.Close() },
		"the epoch": func(p *pairing) {
			armed := p.armed(t)
			armed.Epoch++
			if err := errors.Join(SignArmed(armed, RoleCoSigner, p.theirs), SignArmed(armed, RoleRuntime, p.ours)); err != nil {
				t.Fatal(err)
			}
			if _, err := p.pair.Sign(t.Context(), "shopper", armed); abi.CodeOf(err) != CodeInputInvalid {
				t.Errorf("a record of another epoch: %v", err)
			}
		},
		"the co-signer's epoch": func(p *pairing) {
			p.cosigner.mu.Lock()
			p.cosigner.answer = func(a *abi.SessionAnswer) { a.Epoch++ }
			p.cosigner.mu.Unlock()
			if err := p.sign(t, "stranger", "pay_1"); abi.CodeOf(err) != "epoch_differs" {
				t.Errorf("got %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPairing(t)
			p.pair.Expect("shopper")
			p.idle(t)
			end(p)
			if s := p.pair.Status(); s.Ready != 0 || s.Dropped != 2 {
				t.Errorf("%+v", s)
			}
			eventually(t, "the co-signer's sessions end too", func() bool { return p.cosigner.live.Load() == 0 })
		})
	}
}

func TestASessionThatWasPreparedDuringADropIsNotKept(t *testing.T) {
	p := newPairing(t)
	p.engine.gate = make(chan struct{})
	p.pair.Expect("shopper")
	eventually(t, "it is under way", func() bool { return p.engine.prepares.Load() == 1 })
	p.pair.DropAll("rotation")
	close(p.engine.gate)
	p.idle(t)
	if s := p.pair.Status(); s.Ready != 0 || s.Dropped != 1 || s.LastDrop != "rotation" {
		t.Errorf("%+v", s)
	}
}

func TestABusyCoSignerIsLeftAloneForLongerAndLonger(t *testing.T) {
	p := newPairing(t)
	busy := &abi.Error{Code: codeBusy, Retry: abi.RetryLater}
	p.cosigner.err = busy
	asked := 0
	for _, pause := range []time.Duration{pauseMin, 2 * pauseMin, 4 * pauseMin} {
		p.pair.Expect("shopper")
		p.idle(t)
		asked++
		for n := range 10 { // for nobody, until the pause is over
			p.pair.Expect(fmt.Sprintf("agent-%d", n))
		}
		p.clock.add(pause - 1)
		p.pair.Expect("shopper")
		p.idle(t)
		if got := len(p.cosigner.asked()); got != asked {
			t.Fatalf("asked %d times within the pauses, want %d", got, asked)
		}
		p.clock.add(1)
	}
	p.cosigner.mu.Lock()
	p.cosigner.err = nil
	p.cosigner.mu.Unlock()
	p.pair.Expect("shopper")
	p.idle(t)
	if s := p.pair.Status(); s.Ready != 2 || s.Failed != 3 {
		t.Errorf("%+v", s)
	}
}

// An agent whose sessions are refused, for whatever reason, pays cold; the others do not.
func TestAnAgentWhoseSessionsFailHoldsNobodyElseBack(t *testing.T) {
	p := newPairing(t)
	p.cosigner.err = &abi.Error{Code: "agent_unknown"}
	p.pair.Expect("made-up")
	p.idle(t)
	p.cosigner.mu.Lock()
	p.cosigner.err = nil
	p.cosigner.mu.Unlock()
	p.pair.Expect("made-up")
	p.pair.Expect("shopper")
	p.idle(t)
	asked := p.cosigner.asked()
	if len(asked) != 3 || asked[0] != "made-up" || asked[1] != "shopper" {
		t.Errorf("asked for %q", asked)
	}
}

func TestACoSignerThatOffersNothingOrEverythingIsBounded(t *testing.T) {
	for offered, want := range map[uint64]int{0: 1, 1: 1, 1 << 63: readyKeyMax} {
		p := newPairing(t)
		p.cosigner.answer = func(a *abi.SessionAnswer) { a.ReadyMax = offered }
		p.pair.Expect("shopper")
		p.idle(t)
		if s := p.pair.Status(); s.Ready != want {
			t.Errorf("offered %d: %+v", offered, s)
		}
	}
}

// What the co-signer answers is checked: a session under another path signs nothing of the agent's.
func TestASessionForOnePathIsNotBoundToARecordForAnother(t *testing.T) {
	code := sha256.Sum256([]byte("worthless"))
	p := newPairingWith(t, func(c *PairConfig) { c.Wallet.ChainCode = NewChainCode(code) })
	mine, others := AgentPath("default", "shopper"), AgentPath("default", "buyer")
	if _, err := p.pair.Sign(t.Context(), "shopper", p.armedFor(t, "pay_1", others)); abi.CodeOf(err) != CodeInputInvalid || !NothingLeft(err) {
		t.Errorf("a record for a sibling: %v", err)
	}
	if p.engine.signs.Load() != 0 {
		t.Error("a session got a digest")
	}
	if _, err := p.pair.Sign(t.Context(), "shopper", p.armedFor(t, "pay_2", mine)); abi.CodeOf(err) == CodeInputInvalid {
		t.Errorf("a record for the agent's own key: %v", err)
	}
}

func TestThreeSessionsThatTheCoSignerBreaksFreezeTheWallet(t *testing.T) {
	p := newPairing(t)
	p.engine.prepareErr = &abi.Error{Code: CodeProtocolFailed}
	for n := range abortsInRowMax {
		if err := p.sign(t, "shopper", "pay_1"); abi.CodeOf(err) != CodeProtocolFailed {
			// The refill after each attempt breaks as well and may be the third.
			if abi.CodeOf(err) != CodeWalletCooling || n == 0 {
				t.Fatal(err)
			}
		}
		p.idle(t)
	}
	before := len(p.cosigner.asked())
	if err := p.sign(t, "shopper", "pay_1"); abi.CodeOf(err) != CodeWalletCooling || !NothingLeft(err) {
		t.Errorf("got %v", err)
	}
	p.pair.Expect("buyer")
	p.idle(t)
	if after := len(p.cosigner.asked()); after != before {
		t.Errorf("%d sessions were opened while the wallet is frozen", after-before)
	}
}

// A peer that never answers, one that dies after it joined and one that answers nothing after the digest.
func TestASilentPeerLeavesNoGoroutineAndNoSession(t *testing.T) {
	before := goruntime.NumGoroutine()
	for name, silence := range map[string]func(*pairing){
		"before the digest": func(p *pairing) { p.cosigner.engine.gate = make(chan struct{}) },
		"after the digest": func(p *pairing) {
			p.cosigner.atBind = func(there Transport) error { <-there.Done(); return ErrTransportClosed }
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPairing(t)
			silence(p)
			ctx, cancel := context.WithCancel(t.Context())
			var signing sync.WaitGroup
			for range 20 {
				signing.Go(func() {
					if _, err := p.pair.Sign(ctx, "shopper", p.armed(t)); err == nil {
						t.Error("signed with a silent peer")
					}
				})
			}
			eventually(t, "the sessions are open", func() bool { return p.engine.prepares.Load() >= 20 })
			cancel()
			signing.Wait()
			if err := p.pair.Close(); err != nil {
				t.Error(err)
			}
			if p.cosigner.engine.gate != nil {
				close(p.cosigner.engine.gate)
			}
			eventually(t, "the co-signer's sessions end", func() bool { return p.cosigner.live.Load() == 0 })
		})
	}
	eventually(t, "as many goroutines as before", func() bool { return goruntime.NumGoroutine() <= before })
}

func TestManyPaymentsOfManyAgentsShareOnePool(t *testing.T) {
	p := newPairing(t)
	var signing sync.WaitGroup
	const agents, payments = 8, 12
	for agent := range agents {
		signing.Go(func() {
			for n := range payments {
				name := fmt.Sprintf("agent-%d", agent)
				p.pair.Expect(name)
				if err := p.sign(t, name, fmt.Sprintf("pay_%d_%d", agent, n)); err != nil {
					t.Error(err)
				}
				if n == payments/2 {
					p.pair.DropAll("test")
				}
				p.pair.Status()
			}
		})
	}
	signing.Wait()
	p.idle(t)
	s := p.pair.Status()
	if s.Warm+s.Cold != agents*payments {
		t.Errorf("%+v: want %d signatures", s, agents*payments)
	}
	if err := p.pair.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "the co-signer's sessions end", func() bool { return p.cosigner.live.Load() == 0 })
	if s := p.pair.Status(); s.Ready != 0 || s.Preparing != 0 {
		t.Errorf("after close: %+v", s)
	}
	p.pair.Expect("late")
	if s := p.pair.Status(); s.Preparing != 0 || s.Expected != 0 {
		t.Errorf("after close: %+v", s)
	}
}
