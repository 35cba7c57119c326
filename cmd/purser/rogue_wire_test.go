package main

import (
	"context"
	"crypto/rand"
	"io"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// lastFrame is the message that completes a signature.
const lastFrame = "sign9-response"

// wire is the attacker's end of a session: it sends what bend makes of the engine's frames.
type wire struct {
	signer.Transport
	bend func(w *wire, frame signer.Frame) []signer.Frame
	// shift renumbers the engine's frames after one was put between them or left out.
	shift uint32
	sent  []signer.Frame
	last  bool // the co-signer's last message arrived
}

func (w *wire) Send(ctx context.Context, frame signer.Frame) error {
	frame.Seq += w.shift
	out := []signer.Frame{frame}
	if w.bend != nil {
		out = w.bend(w, frame)
	}
	for _, f := range out {
		w.sent = append(w.sent, f)
		if err := w.Transport.Send(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (w *wire) Receive(ctx context.Context) (signer.Frame, error) {
	frame, err := w.Transport.Receive(ctx)
	w.last = w.last || err == nil && frame.Type == lastFrame
	return frame, err
}

// rogueSession is a session as the attacker runs it: nothing is looked at before it is sent.
type rogueSession struct {
	rogue    *rogue
	session  signer.Session
	engine   signer.Engine
	prepared signer.Prepared
	wire     *wire
	wallet   signer.Wallet
}

// rogueStepMax bounds each half of a session on a busy machine.
const rogueStepMax = 2 * time.Minute

// open joins a session for an agent's key and sends nothing yet.
func (r *rogue) open(t testing.TB, agent, wallet string) (*rogueSession, error) {
	t.Helper()
	var ours signer.Opening
	if _, err := io.ReadFull(rand.Reader, ours[:]); err != nil {
		t.Fatal(err)
	}
	here, there := signer.Pipe()
	answer, err := r.link.Join(t.Context(), &abi.SessionRequest{Wallet: wallet, Agent: agent, Opening: ours[:]}, there)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = here.Close() }) // never fails
	child, err := r.keys[wallet].wallet.At(answer.Path)
	if err != nil {
		t.Fatal(err)
	}
	session, err := signer.NewSession(child, signer.RoleRuntime, signer.Parties{
		Runtime: ours, CoSigner: signer.Opening(answer.Opening), RuntimeKey: r.ours.Public(), CoSignerKey: r.theirs,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &rogueSession{rogue: r, session: session, engine: r.keys[wallet].runtime, wire: &wire{Transport: here}, wallet: child}, nil
}

// prepare runs the rounds before the digest.
func (s *rogueSession) prepare(t testing.TB) (err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rogueStepMax)
	defer cancel()
	s.prepared, err = s.engine.Prepare(ctx, s.session, s.wire)
	return err
}

// ready is a session of the payer's that waits for its digest.
func (r *rogue) ready(t testing.TB, p payer) *rogueSession {
	t.Helper()
	s, err := r.open(t, p.name, p.root)
	if err == nil {
		err = s.prepare(t)
	}
	if err != nil {
		t.Fatalf("prepare a session of %s: %v", p.name, err)
	}
	return s
}

// sign binds the session to a record, whatever it says, and goes on over the digest as if the co-signer had to.
func (s *rogueSession) sign(t testing.TB, promise *abi.Armed, digest [32]byte) error {
	t.Helper()
	bind, err := signer.BindFrame(s.session, promise)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), rogueStepMax)
	defer cancel()
	if err := s.wire.Transport.Send(ctx, bind); err != nil {
		return err
	}
	signature, err := s.prepared.Sign(ctx, digest, bind.Armed, func() error { return nil })
	r := s.rogue
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.wire.last {
		r.lasts[promise.Payment]++
	}
	if err == nil {
		must(t, signature.Verify(s.wallet.PublicKey, digest))
		r.signatures[promise.Payment]++
	}
	return err
}

// pay signs an allowed payment to its end.
func (r *rogue) pay(t testing.TB, p payer, promise *abi.Armed) *rogueSession {
	t.Helper()
	r.allowed(promise.Payment)
	s := r.ready(t, p)
	if err := s.sign(t, promise, [32]byte(promise.Digest)); err != nil {
		t.Fatalf("sign what the policy allows: %v", err)
	}
	must(t, s.wire.Close())
	return s
}

// bindInVain binds a fresh session of the payer's to a record that must not be signed, and returns how the co-signer's
// log names the session with the code.
func (r *rogue) bindInVain(t testing.TB, p payer, promise *abi.Armed, code string) string {
	t.Helper()
	s := r.ready(t, p)
	digest := [32]byte{1}
	copy(digest[:], promise.Digest)
	if err := s.sign(t, promise, digest); err == nil {
		t.Errorf("the attacker has a signature of payment %s", promise.Payment)
	}
	return s.ended(code)
}

// ended is what the co-signer's log says of a session that ended with a code.
func (s *rogueSession) ended(code string) string {
	return "wallet=" + s.session.Wallet + " path=" + s.session.Derivation.Path + " code=" + code
}
