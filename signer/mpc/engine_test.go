package mpc

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if got := abi.CodeOf(err); got != code {
		t.Fatalf("got error code %q, want %q; error: %v", got, code, err)
	}
}

func TestAnyTwoOfTheThreeRolesSignForTheWallet(t *testing.T) {
	engine := newEngine(t)
	key := demoShare(t, Runtime).PublicKey()
	for _, roles := range [][2]Role{{Runtime, CoSigner}, {Runtime, Recovery}, {CoSigner, Recovery}} {
		t.Run(fmt.Sprintf("%s and %s", roles[0], roles[1]), func(t *testing.T) {
			digest := sha256.Sum256([]byte(t.Name()))
			a, b := pair(t, roles[0], roles[1], digest)
			oa, ob := signBoth(t, engine, a, b)
			if oa.err != nil || ob.err != nil {
				t.Fatalf("errors: %v; %v", oa.err, ob.err)
			}
			if oa.signature != ob.signature {
				t.Error("the two sides hold different signatures")
			}
			if !verifiedByTextbook(key, digest, oa.signature) {
				t.Error("the textbook equation does not hold")
			}
		})
	}
}

// verifiedByTextbook is ECDSA verification over big.Int with affine formulas of our own, so that neither the
// protocol library's curve nor the package that Verify uses decides the test.
func verifiedByTextbook(key PublicKey, digest [32]byte, s Signature) bool {
	q, p := curveOrder, fieldPrime
	r, sv := new(big.Int).SetBytes(s.R[:]), new(big.Int).SetBytes(s.S[:])
	if r.Sign() == 0 || sv.Sign() == 0 || r.Cmp(q) >= 0 || new(big.Int).Lsh(sv, 1).Cmp(q) > 0 || s.V > 1 {
		return false
	}
	inverse := new(big.Int).ModInverse(sv, q)
	u1 := new(big.Int).Mul(new(big.Int).SetBytes(digest[:]), inverse)
	u2 := new(big.Int).Mul(r, inverse)
	g := &affine{curve.Params().Gx, curve.Params().Gy}
	y := &affine{new(big.Int).SetBytes(key.X[:]), new(big.Int).SetBytes(key.Y[:])}
	sum := g.times(u1.Mod(u1, q), p).plus(y.times(u2.Mod(u2, q), p), p)
	return sum != nil && sum.x.Cmp(r) == 0 && sum.y.Bit(0) == uint(s.V)
}

// affine is a point of y^2 = x^3 + 7, nil the point at infinity.
type affine struct{ x, y *big.Int }

func (a *affine) plus(b *affine, p *big.Int) *affine {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	top, bottom := new(big.Int).Sub(b.y, a.y), new(big.Int).Sub(b.x, a.x)
	if bottom.Sign() == 0 {
		if top.Sign() != 0 || a.y.Sign() == 0 {
			return nil
		}
		top.Mul(a.x, a.x).Mul(top, big.NewInt(3))
		bottom.Lsh(a.y, 1)
	}
	slope := top.Mul(top, bottom.ModInverse(bottom.Mod(bottom, p), p))
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, a.x).Sub(x, b.x).Mod(x, p)
	y := new(big.Int).Sub(a.x, x)
	y.Mul(y, slope).Sub(y, a.y).Mod(y, p)
	return &affine{x, y}
}

func (a *affine) times(k, p *big.Int) *affine {
	var sum *affine
	for i := k.BitLen() - 1; i >= 0; i-- {
		sum = sum.plus(sum, p)
		if k.Bit(i) == 1 {
			sum = sum.plus(a, p)
		}
	}
	return sum
}

func TestADigestAboveTheGroupOrderIsReducedAsECDSADoes(t *testing.T) {
	var digest [32]byte
	for i := range digest {
		digest[i] = 0xff
	}
	a, b := pair(t, Runtime, CoSigner, digest)
	oa, ob := signBoth(t, newEngine(t), a, b)
	if oa.err != nil || ob.err != nil {
		t.Fatalf("errors: %v; %v", oa.err, ob.err)
	}
	if !verifiedByTextbook(a.share.PublicKey(), digest, oa.signature) {
		t.Error("the textbook equation does not hold")
	}
}

func TestDifferentDigestsNeverReachTheLastRound(t *testing.T) {
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte("one")))
	b.digest = sha256.Sum256([]byte("another"))
	called := false
	a.beforeLast = func() error { called = true; return nil }
	b.beforeLast = a.beforeLast
	oa, ob := signBoth(t, newEngine(t), a, b)
	if oa.err == nil || ob.err == nil {
		t.Fatalf("two digests made a signature: %v; %v", oa.err, ob.err)
	}
	if called {
		t.Error("a side was about to send its last message")
	}
}

func TestBeforeLastRunsOnceAndBeforeTheLastMessageLeaves(t *testing.T) {
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte(t.Name())))
	var mu sync.Mutex
	var events []string
	note := func(event string) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, event)
	}
	a.beforeLast = func() error { note("spend recorded"); return nil }
	a.transport = meddler{Transport: a.transport, sent: func(f Frame) error { note(f.Type); return nil }}
	oa, ob := signBoth(t, newEngine(t), a, b)
	if oa.err != nil || ob.err != nil {
		t.Fatalf("errors: %v; %v", oa.err, ob.err)
	}
	if len(events) != signingMessages+1 {
		t.Fatalf("got %d events, want every message and one record: %q", len(events), events)
	}
	if last := events[len(events)-2:]; last[0] != "spend recorded" || last[1] != signLastType {
		t.Errorf("the last two events are %q", last)
	}
}

func TestAPeerNeverCompletesWhenTheSpendIsNotRecorded(t *testing.T) {
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte(t.Name())))
	full := errors.New("disk full")
	a.beforeLast = func() error { return full }
	a.transport = meddler{Transport: a.transport, sent: func(f Frame) error {
		if f.Type == signLastType {
			t.Error("the last message left")
		}
		return nil
	}}
	oa, ob := signBoth(t, newEngine(t), a, b)
	wantCode(t, oa.err, CodeSpendNotRecorded)
	if !errors.Is(oa.err, full) {
		t.Error("the store's own error is lost")
	}
	// b recorded its spend and sent its last message, so for b the outcome is unknown; it has no signature.
	wantCode(t, ob.err, CodeOutcomeUnknown)
	if oa.signature != (Signature{}) || ob.signature != (Signature{}) {
		t.Error("a side holds a signature")
	}
}

func TestALostLastMessageIsAnUnknownOutcomeAndASendErrorToo(t *testing.T) {
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte(t.Name())))
	cut := errors.New("connection reset")
	a.transport = meddler{Transport: a.transport, sent: func(f Frame) error {
		if f.Type == signLastType {
			return cut
		}
		return nil
	}}
	oa, ob := signBoth(t, newEngine(t), a, b)
	wantCode(t, oa.err, CodeOutcomeUnknown)
	wantCode(t, ob.err, CodeOutcomeUnknown)
	if !errors.Is(oa.err, cut) {
		t.Error("the transport's own error is lost")
	}
}

func TestASessionRefusesFramesThatAreNotItsPeers(t *testing.T) {
	tests := []struct {
		name string
		turn func(Frame) Frame
		want error
	}{
		{"of another session", func(f Frame) Frame { f.Session[0] ^= 1; return f }, errWrongSession},
		{"from another role", func(f Frame) Frame { f.From = Recovery; return f }, errWrongParty},
		{"reflected from ourselves", func(f Frame) Frame { f.From, f.To = f.To, f.From; return f }, errWrongParty},
		{"to another role", func(f Frame) Frame { f.To = Recovery; return f }, errWrongParty},
		{"of an unknown type", func(f Frame) Frame { f.Type = "sign10-extra"; return f }, errUnknownType},
		{"labelled as another type", func(f Frame) Frame { f.Type = "sign1-commitment"; return f }, errWrongSize},
		{"of a key generation", func(f Frame) Frame { f.Type = "keygen1-moduli"; return f }, errUnknownType},
		{"of the last round", func(f Frame) Frame { f.Type = signLastType; return f }, errWrongRound},
		{"that skips one", func(f Frame) Frame { f.Seq++; return f }, errOutOfSequence},
		{"without a body", func(f Frame) Frame { f.Body = nil; return f }, errWrongSize},
		{"that is no message", func(f Frame) Frame { f.Body = []byte{0xff}; return f }, errUnparsable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte("d")))
			a.transport = meddler{Transport: a.transport, received: test.turn}
			oa, ob := signBoth(t, newEngine(t), a, b)
			wantCode(t, oa.err, CodeMessageRefused)
			if !errors.Is(oa.err, test.want) {
				t.Errorf("refused for %v, want %v", oa.err, test.want)
			}
			if ob.err == nil {
				t.Error("the other side completed")
			}
		})
	}
}

func TestSessionsThatDisagreeAboutTheWalletRefuseTheFirstFrame(t *testing.T) {
	tests := map[string]func(*Session){
		"another id":     func(s *Session) { s.ID[31] ^= 1 },
		"another wallet": func(s *Session) { s.Wallet = "demo2" },
		"another epoch":  func(s *Session) { s.Epoch = 1 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte("d")))
			change(&b.session)
			oa, ob := signBoth(t, newEngine(t), a, b)
			if !errors.Is(oa.err, errWrongSession) && !errors.Is(ob.err, errWrongSession) {
				t.Errorf("errors: %v; %v", oa.err, ob.err)
			}
		})
	}
}

func TestAReplayedSessionIsRefused(t *testing.T) {
	engine := newEngine(t)
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte("replay")))
	var recorded []Frame
	b.transport = meddler{Transport: b.transport, sent: func(f Frame) error { recorded = append(recorded, f); return nil }}
	if oa, ob := signBoth(t, engine, a, b); oa.err != nil || ob.err != nil {
		t.Fatalf("errors: %v; %v", oa.err, ob.err)
	}
	t.Run("under its own id", func(t *testing.T) {
		err := a.replay(t, engine, a.session, recorded)
		wantCode(t, err, CodeInputInvalid)
	})
	t.Run("under its own id at an engine that forgot", func(t *testing.T) {
		err := a.replay(t, newEngine(t), a.session, recorded)
		wantCode(t, err, CodeProtocolFailed)
	})
	t.Run("into another session", func(t *testing.T) {
		other := a.session
		other.ID = freshID()
		err := a.replay(t, engine, other, recorded)
		if !errors.Is(err, errWrongSession) {
			t.Errorf("got %v", err)
		}
	})
}

// replay runs p's side of a session against recorded frames.
func (p party) replay(t *testing.T, engine *Engine, session Session, frames []Frame) error {
	t.Helper()
	p.session, p.transport = session, &recording{frames: frames}
	_, err := p.sign(t.Context(), engine)
	return err
}

// recording plays frames and swallows what is sent.
type recording struct{ frames []Frame }

func (r *recording) Done() <-chan struct{} { return nil }
func (r *recording) Close() error          { return nil }

func (r *recording) Send(context.Context, Frame) error { return nil }

func (r *recording) Receive(context.Context) (Frame, error) {
	if len(r.frames) == 0 {
		return Frame{}, signer.ErrTransportClosed
	}
	frame := r.frames[0]
	r.frames = r.frames[1:]
	return frame, nil
}

// A commitment that can be replaced after the others have opened theirs binds nothing. The library alone accepts
// this and makes a signature.
func TestACommitmentCannotBeReplacedLater(t *testing.T) {
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte(t.Name())))
	var commitment Frame
	queue := &requeue{Transport: a.transport}
	queue.rewrite = func(f Frame) []Frame {
		switch f.Type {
		case "sign1-commitment":
			commitment = f
		case "sign4-opening":
			commitment.Seq, commitment.Armed = f.Seq, f.Armed
			f.Seq++
			return []Frame{commitment, f}
		}
		return []Frame{f}
	}
	a.transport = queue
	oa, ob := signBoth(t, newEngine(t), a, b)
	wantCode(t, oa.err, CodeMessageRefused)
	if !errors.Is(oa.err, errSecondMessage) {
		t.Errorf("refused for %v, want %v", oa.err, errSecondMessage)
	}
	if ob.err == nil {
		t.Error("the other side completed")
	}
}

// requeue turns each received frame into any number of frames.
type requeue struct {
	Transport
	rewrite func(Frame) []Frame
	waiting []Frame
}

func (r *requeue) Receive(ctx context.Context) (Frame, error) {
	for len(r.waiting) == 0 {
		frame, err := r.Transport.Receive(ctx)
		if err != nil {
			return Frame{}, err
		}
		r.waiting = r.rewrite(frame)
	}
	frame := r.waiting[0]
	r.waiting = r.waiting[1:]
	return frame, nil
}

// The peer's last message may be ahead of the one before it. The signature then exists before ours has left.
func TestAnEarlyLastMessageStillWaitsForTheRecord(t *testing.T) {
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte(t.Name())))
	full := errors.New("disk full")
	a.beforeLast = func() error { return full }
	// Give b everything, so that it produces its last message, while a sees 9 before 8.
	early := &requeue{Transport: a.transport}
	var eighth Frame
	early.rewrite = func(f Frame) []Frame {
		switch f.Type {
		case "sign8-opening":
			eighth = f
			return nil
		case signLastType:
			f.Seq, eighth.Seq = eighth.Seq, f.Seq
			return []Frame{f, eighth}
		}
		return []Frame{f}
	}
	a.transport = early
	oa, _ := signBoth(t, newEngine(t), a, b)
	wantCode(t, oa.err, CodeSpendNotRecorded)
	if oa.signature != (Signature{}) {
		t.Error("a signature was released without a record of the spend")
	}
}

func TestUnusableInputIsRefusedBeforeAnythingIsSent(t *testing.T) {
	engine := newEngine(t)
	tests := map[string]func(*party){
		"no session id":      func(p *party) { p.session.ID = [32]byte{} },
		"no wallet":          func(p *party) { p.session.Wallet = "" },
		"a long wallet":      func(p *party) { p.session.Wallet = string(make([]byte, signer.WalletBytesMax+1)) },
		"ourselves as peer":  func(p *party) { p.session.Peer = p.session.Self },
		"an unknown role":    func(p *party) { p.session.Peer = 4 },
		"no keyshare":        func(p *party) { p.share = Keyshare{} },
		"another's keyshare": func(p *party) { p.share = demoShare(t, Recovery) },
		"no transport":       func(p *party) { p.transport = nil },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			a, _ := pair(t, Runtime, CoSigner, sha256.Sum256([]byte("d")))
			a.transport = meddler{Transport: a.transport, sent: func(Frame) error { t.Error("a frame was sent"); return nil }}
			change(&a)
			_, err := engine.Prepare(t.Context(), a.session, a.share, a.transport)
			wantCode(t, err, CodeInputInvalid)
		})
	}
}

func TestAnUnusableDigestIsRefusedBeforeAnythingElseIsSent(t *testing.T) {
	engine := newEngine(t)
	tests := map[string]func(*party){
		"a zero digest":       func(p *party) { p.digest = [32]byte{} },
		"the order as digest": func(p *party) { p.digest = [32]byte(curveOrder.Bytes()) },
		"no armed record":     func(p *party) { p.armed = [32]byte{} },
		"nobody to record it": func(p *party) { p.beforeLast = nil },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte("d")))
			change(&a)
			sent := 0
			a.transport = meddler{Transport: a.transport, sent: func(Frame) error { sent++; return nil }}
			oa, ob := signBoth(t, engine, a, b)
			wantCode(t, oa.err, CodeInputInvalid)
			if sent != preparedMessages || ob.err == nil {
				t.Errorf("%d frames were sent; the other side: %v", sent, ob.err)
			}
		})
	}
}

func TestAnAbandonedSessionEndsWithItsContextAndLeavesNoGoroutines(t *testing.T) {
	engine := newEngine(t)
	before := goruntime.NumGoroutine()
	for _, after := range []int{0, 1, 2, 4} { // frames received before the peer falls silent
		a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte(t.Name())))
		ctx, cancel := context.WithCancel(t.Context())
		a.transport = meddler{Transport: a.transport, received: func(f Frame) Frame {
			if after--; after < 0 {
				cancel()
			}
			return f
		}}
		if after == 0 {
			cancel()
		}
		var done sync.WaitGroup
		for _, p := range []party{a, b} {
			done.Go(func() {
				_, err := p.sign(ctx, engine)
				if abi.CodeOf(err) != CodeInterrupted || !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
		}
		done.Wait()
		cancel()
	}
	// The engine starts none and the library joins its own. The test's own goroutines may still be on their way out,
	// which is waited for; the wait ends the test only if something never goes away.
	var stacks string
	for range 1000 {
		buffer := make([]byte, 1<<20)
		stacks = string(buffer[:goruntime.Stack(buffer, true)])
		if goruntime.NumGoroutine() <= before && !strings.Contains(stacks, "mpc.(*signingRun)") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after:\n%s", before, goruntime.NumGoroutine(), stacks)
}

func TestAnEngineForgetsOnlyTheOldestSessions(t *testing.T) {
	engine := newEngine(t)
	key := func(i int) [32]byte { return sha256.Sum256([]byte{byte(i), byte(i >> 8)}) }
	for i := range sessionIDsRemembered + 1 {
		if err := engine.claim(key(i), Runtime); err != nil {
			t.Fatal(err)
		}
	}
	if err := engine.claim(key(1), Runtime); err == nil {
		t.Error("the second oldest session was forgotten")
	}
	if err := engine.claim(key(0), Runtime); err != nil {
		t.Error("the oldest session was remembered beyond the limit")
	}
	if len(engine.used) != sessionIDsRemembered || len(engine.order) != sessionIDsRemembered {
		t.Errorf("%d and %d sessions remembered", len(engine.used), len(engine.order))
	}
}
