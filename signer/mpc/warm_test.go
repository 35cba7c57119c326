package mpc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/signing"

	"github.com/purserhq/purser/abi"
)

// prepareBoth runs both sides up to their digests.
func prepareBoth(t testing.TB, engine *Engine, a, b party) (*Prepared, *Prepared) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), sessionTimeMax)
	defer cancel()
	var ready [2]*Prepared
	var errs [2]error
	var done sync.WaitGroup
	for i, p := range []party{a, b} {
		done.Go(func() { ready[i], errs[i] = engine.Prepare(ctx, p.session, p.share, p.transport) })
	}
	done.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return ready[0], ready[1]
}

// finishBoth runs both sides from their digests on. A side that fails ends the other one.
func finishBoth(t testing.TB, a, b party, ready ...*Prepared) (outcome, outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), sessionTimeMax)
	defer cancel()
	var outcomes [2]outcome
	var done sync.WaitGroup
	for i, p := range []party{a, b} {
		done.Go(func() {
			o := &outcomes[i]
			if o.signature, o.err = ready[i].Sign(ctx, p.digest, p.armed, p.beforeLast); o.err != nil {
				_ = p.transport.Close() // a pipe's Close never fails
			}
		})
	}
	done.Wait()
	return outcomes[0], outcomes[1]
}

// The whole of a warm session rests on this: the library keeps the pointer it was given and reads the number behind it
// after the digest has been set.
func TestTheDigestThatIsSetAfterThePreparationIsTheOneThatIsSigned(t *testing.T) {
	digest := sha256.Sum256([]byte(t.Name()))
	a, b := pair(t, Runtime, CoSigner, digest)
	x, y := prepareBoth(t, newEngine(t), a, b)
	if x.run.digest.Cmp(digestNumber(digest)) == 0 || x.run.digest.Sign() == 0 || x.run.digest.Cmp(y.run.digest) == 0 {
		t.Fatal("the placeholders are not random")
	}
	oa, ob := finishBoth(t, a, b, x, y)
	if oa.err != nil || ob.err != nil {
		t.Fatalf("errors: %v; %v", oa.err, ob.err)
	}
	if !verifiedByTextbook(a.share.PublicKey(), digest, oa.signature) || oa.signature != ob.signature {
		t.Error("something else was signed")
	}
}

// A library that copied the number at construction would sign the placeholder. Cutting the pointer stands for that: no
// signature comes out, and none of the placeholder either.
func TestALibraryThatCopiedTheDigestWouldFailClosed(t *testing.T) {
	digest := sha256.Sum256([]byte(t.Name()))
	placeholder := sha256.Sum256([]byte("placeholder"))
	a, b := pair(t, Runtime, CoSigner, digest)
	x, y := prepareBoth(t, newEngine(t), a, b)
	for _, p := range []*Prepared{x, y} {
		p.run.digest.Set(digestNumber(placeholder))
		p.run.digest = new(big.Int)
	}
	oa, ob := finishBoth(t, a, b, x, y)
	for _, o := range []outcome{oa, ob} {
		wantCode(t, o.err, CodeOutcomeUnknown) // both last messages left
		if o.signature != (Signature{}) {
			t.Error("a signature was released")
		}
	}
	if !bytes.Contains([]byte(oa.err.Error()+ob.err.Error()), []byte("canonical signature of the digest")) {
		t.Errorf("failed for another reason: %v; %v", oa.err, ob.err)
	}
}

// Our part of the nonce is closed until the digest is fixed: the message that opens it does not exist.
func TestNothingThatOpensTheNonceExistsBeforeTheDigest(t *testing.T) {
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte(t.Name())))
	var mu sync.Mutex
	var types []string
	record := func(f Frame) error {
		mu.Lock()
		defer mu.Unlock()
		types = append(types, f.Type)
		if f.Armed != ([32]byte{}) {
			t.Errorf("%s speaks of a record before there is one", f.Type)
		}
		return nil
	}
	a.transport, b.transport = meddler{Transport: a.transport, sent: record}, meddler{Transport: b.transport, sent: record}
	x, y := prepareBoth(t, newEngine(t), a, b)
	if len(types) != 2*preparedMessages {
		t.Errorf("frames before the digest: %q", types)
	}
	for _, p := range []*Prepared{x, y} {
		if p.run.held == nil || len(p.run.produced) != 0 || p.run.guard.sent != 3 {
			t.Errorf("held %v, %d produced, round %d", p.run.held != nil, len(p.run.produced), p.run.guard.sent)
		}
		if _, held := p.run.held.Content().(*signing.SignRound3Message); !held {
			t.Error("what is held is not the message of round three")
		}
	}
}

func TestASessionTakesOneDigestOnce(t *testing.T) {
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte(t.Name())))
	x, y := prepareBoth(t, newEngine(t), a, b)
	var winners, losers atomic.Int64
	var done sync.WaitGroup
	var once sync.Once
	for i := range 4 { // at the same time, with digests of their own
		done.Go(func() {
			digest := sha256.Sum256([]byte{byte(i)})
			_, err := x.Sign(t.Context(), digest, a.armed, a.beforeLast)
			var refused bool
			if err != nil && abi.CodeOf(err) == CodeInputInvalid {
				refused = true
				losers.Add(1)
			} else {
				winners.Add(1)
			}
			if refused {
				once.Do(func() { _ = b.transport.Close() }) // ends the one that runs; a pipe's Close never fails
			}
		})
	}
	done.Wait()
	if winners.Load() != 1 || losers.Load() != 3 {
		t.Errorf("%d got the session, %d were refused", winners.Load(), losers.Load())
	}
	if _, err := x.Sign(t.Context(), a.digest, a.armed, a.beforeLast); abi.CodeOf(err) != CodeInputInvalid {
		t.Errorf("once more: %v", err)
	}
	// The other side's transport is gone: its digest comes too late, and it is used up all the same.
	if _, err := y.Sign(t.Context(), b.digest, b.armed, b.beforeLast); abi.CodeOf(err) != CodeInterrupted {
		t.Errorf("over a closed transport: %v", err)
	}
	if _, err := y.Sign(t.Context(), b.digest, b.armed, b.beforeLast); abi.CodeOf(err) != CodeInputInvalid {
		t.Errorf("again after a failure: %v", err)
	}
}

func TestSidesThatHoldDifferentRecordsNeverReachTheLastRound(t *testing.T) {
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte("same digest")))
	b.armed[0] ^= 1
	called := false
	a.beforeLast = func() error { called = true; return nil }
	b.beforeLast = a.beforeLast
	oa, ob := signBoth(t, newEngine(t), a, b)
	if !errors.Is(oa.err, errWrongArmed) && !errors.Is(ob.err, errWrongArmed) {
		t.Errorf("errors: %v; %v", oa.err, ob.err)
	}
	if called {
		t.Error("a side was about to send its last message")
	}
}

func TestFramesAfterTheDigestAreRefusedUnlessTheyAreTheNextOnes(t *testing.T) {
	at := func(name string, change func(Frame) []Frame) func(Frame) []Frame {
		return func(f Frame) []Frame {
			if f.Type != name {
				return []Frame{f}
			}
			return change(f)
		}
	}
	tests := map[string]struct {
		rewrite func(Frame) []Frame
		want    error
	}{
		"without the record":     {at("sign4-opening", func(f Frame) []Frame { f.Armed = [32]byte{}; return []Frame{f} }), errWrongArmed},
		"of another record":      {at("sign5-commitment", func(f Frame) []Frame { f.Armed[5] ^= 1; return []Frame{f} }), errWrongArmed},
		"twice":                  {at("sign5-commitment", func(f Frame) []Frame { return []Frame{f, f} }), errOutOfSequence},
		"twice, numbered anew":   {at("sign5-commitment", func(f Frame) []Frame { g := f; g.Seq++; return []Frame{f, g} }), errSecondMessage},
		"of a round before":      {at("sign6-opening", func(f Frame) []Frame { f.Type = "sign1-commitment"; return []Frame{f} }), errSecondMessage},
		"of the round after":     {at("sign5-commitment", func(f Frame) []Frame { f.Type = "sign7-commitment"; return []Frame{f} }), errWrongRound},
		"of another session":     {at("sign7-commitment", func(f Frame) []Frame { f.Session[9] ^= 1; return []Frame{f} }), errWrongSession},
		"from the recovery role": {at("sign8-opening", func(f Frame) []Frame { f.From = Recovery; return []Frame{f} }), errWrongParty},
	}
	engine := newEngine(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte(name)))
			x, y := prepareBoth(t, engine, a, b)
			changed := &requeue{Transport: a.transport, rewrite: test.rewrite}
			x.run.transport = changed
			called := false
			a.beforeLast = func() error { called = true; return nil }
			oa, ob := finishBoth(t, a, b, x, y)
			if abi.CodeOf(oa.err) != CodeMessageRefused || !errors.Is(oa.err, test.want) || ob.err == nil {
				t.Errorf("refused for %v, want %v; the other side: %v", oa.err, test.want, ob.err)
			}
			if called {
				t.Error("our last message was about to leave")
			}
		})
	}
}

// A whole session, recorded, is worth nothing in another one with the same parties, key and digest.
func TestARecordedSecondHalfDoesNotFinishANewSession(t *testing.T) {
	engine := newEngine(t)
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte(t.Name())))
	var recorded []Frame
	b.transport = meddler{Transport: b.transport, sent: func(f Frame) error { recorded = append(recorded, f); return nil }}
	if oa, ob := signBoth(t, engine, a, b); oa.err != nil || ob.err != nil {
		t.Fatalf("errors: %v; %v", oa.err, ob.err)
	}
	for name, relabel := range map[string]bool{"as it was": false, "relabelled for it": true} {
		t.Run(name, func(t *testing.T) {
			c, d := pair(t, Runtime, CoSigner, a.digest)
			x, _ := prepareBoth(t, engine, c, d)
			old := append([]Frame(nil), recorded[preparedMessages:]...)
			for i := range old {
				if relabel {
					old[i].Session = c.session.Binding()
				}
			}
			x.run.transport = &recording{frames: old}
			_, err := x.Sign(t.Context(), c.digest, c.armed, func() error { t.Error("our last message was about to leave"); return nil })
			if relabel {
				wantCode(t, err, CodeProtocolFailed)
			} else if !errors.Is(err, errWrongSession) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestASessionWhoseTransportDiesOrWhoseTimeEndsWhileItWaitsSignsNothing(t *testing.T) {
	engine := newEngine(t)
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte(t.Name())))
	x, y := prepareBoth(t, engine, a, b)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	never := func() error { t.Error("a last message was about to leave"); return nil }
	if _, err := x.Sign(ended, a.digest, a.armed, never); abi.CodeOf(err) != CodeInterrupted {
		t.Errorf("after its time: %v", err)
	}
	if err := a.transport.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := y.Sign(t.Context(), b.digest, b.armed, never); abi.CodeOf(err) != CodeInterrupted {
		t.Errorf("over a dead transport: %v", err)
	}
}
