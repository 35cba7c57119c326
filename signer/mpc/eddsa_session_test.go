package mpc

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

func TestDifferentMessagesRefuseEachOthersFirstFrame(t *testing.T) {
	a, b := edPair(t, Runtime, CoSigner, []byte("one"))
	b.message = []byte("another")
	a.beforeLast = func() error { t.Error("a side was about to send its last message"); return nil }
	b.beforeLast = a.beforeLast
	oa, ob := edSignBoth(t, newEngine(t), a, b)
	if !errors.Is(oa.err, errWrongSession) && !errors.Is(ob.err, errWrongSession) {
		t.Errorf("errors: %v; %v", oa.err, ob.err)
	}
}

func TestAnEd25519SpendIsRecordedOnceBeforeTheLastMessageLeaves(t *testing.T) {
	var events []string
	a, b := edPair(t, Runtime, CoSigner, []byte("m"))
	a.beforeLast = func() error { events = append(events, "recorded"); return nil }
	a.transport = meddler{Transport: a.transport, sent: func(f Frame) error { events = append(events, f.Type); return nil }}
	if oa, ob := edSignBoth(t, newEngine(t), a, b); oa.err != nil || ob.err != nil {
		t.Fatalf("errors: %v; %v", oa.err, ob.err)
	}
	if want := []string{"edsign1-commitment", "edsign2-opening", "recorded", edLastType}; !slices.Equal(events, want) {
		t.Errorf("got %q, want %q", events, want)
	}
}

func TestAnUnrecordedEd25519SpendLeavesThePeerWithoutASignature(t *testing.T) {
	full := errors.New("disk full")
	a, b := edPair(t, Runtime, CoSigner, []byte("m"))
	a.beforeLast = func() error { return full }
	oa, ob := edSignBoth(t, newEngine(t), a, b)
	wantCode(t, oa.err, CodeSpendNotRecorded)
	if !errors.Is(oa.err, full) {
		t.Error("the store's own error is lost")
	}
	wantCode(t, ob.err, CodeOutcomeUnknown)
	if oa.signature != (EdSignature{}) || ob.signature != (EdSignature{}) {
		t.Error("a side holds a signature")
	}
}

func TestALostLastEd25519MessageIsAnUnknownOutcome(t *testing.T) {
	cut := errors.New("connection reset")
	a, b := edPair(t, Runtime, CoSigner, []byte("m"))
	a.transport = meddler{Transport: a.transport, sent: func(f Frame) error {
		if f.Type == edLastType {
			return cut
		}
		return nil
	}}
	oa, ob := edSignBoth(t, newEngine(t), a, b)
	wantCode(t, oa.err, CodeOutcomeUnknown)
	wantCode(t, ob.err, CodeOutcomeUnknown)
	if !errors.Is(oa.err, cut) {
		t.Error("the transport's own error is lost")
	}
}

func TestAnEd25519SessionRefusesFramesThatAreNotItsPeers(t *testing.T) {
	tests := []struct {
		name string
		turn func(Frame) Frame
		want error
	}{
		{"of another session", func(f Frame) Frame { f.Session[0] ^= 1; return f }, errWrongSession},
		{"of another record", func(f Frame) Frame { f.Armed[0] ^= 1; return f }, errWrongArmed},
		{"from another role", func(f Frame) Frame { f.From = Recovery; return f }, errWrongParty},
		{"reflected from ourselves", func(f Frame) Frame { f.From, f.To = f.To, f.From; return f }, errWrongParty},
		{"to another role", func(f Frame) Frame { f.To = Recovery; return f }, errWrongParty},
		{"of an ECDSA session", func(f Frame) Frame { f.Type = "sign1-commitment"; return f }, errUnknownType},
		{"of the last round", func(f Frame) Frame { f.Type = edLastType; return f }, errWrongRound},
		{"that skips one", func(f Frame) Frame { f.Seq++; return f }, errOutOfSequence},
		{"without a body", func(f Frame) Frame { f.Body = nil; return f }, errWrongSize},
		{"that is no message", func(f Frame) Frame { f.Body = []byte{0xff}; return f }, errUnparsable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := edPair(t, Runtime, CoSigner, []byte("m"))
			a.transport = meddler{Transport: a.transport, received: test.turn}
			oa, ob := edSignBoth(t, newEngine(t), a, b)
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

func TestEd25519SessionsThatDisagreeAboutTheWalletRefuseTheFirstFrame(t *testing.T) {
	for name, change := range map[string]func(*Session){
		"another id":     func(s *Session) { s.ID[31] ^= 1 },
		"another wallet": func(s *Session) { s.Wallet = "ed2" },
		"another epoch":  func(s *Session) { s.Epoch = 1 },
	} {
		a, b := edPair(t, Runtime, CoSigner, []byte("m"))
		change(&b.session)
		oa, ob := edSignBoth(t, newEngine(t), a, b)
		if !errors.Is(oa.err, errWrongSession) && !errors.Is(ob.err, errWrongSession) {
			t.Errorf("%s: errors: %v; %v", name, oa.err, ob.err)
		}
	}
}

func TestAnEd25519CommitmentCannotBeReplacedLater(t *testing.T) {
	a, b := edPair(t, Runtime, CoSigner, []byte("m"))
	var commitment Frame
	queue := &requeue{Transport: a.transport}
	queue.rewrite = func(f Frame) []Frame {
		if f.Type == "edsign1-commitment" {
			commitment = f
		}
		if f.Type == "edsign2-opening" {
			commitment.Seq = f.Seq
			f.Seq++
			return []Frame{commitment, f}
		}
		return []Frame{f}
	}
	a.transport = queue
	oa, ob := edSignBoth(t, newEngine(t), a, b)
	if !errors.Is(oa.err, errSecondMessage) || ob.err == nil {
		t.Errorf("errors: %v; %v", oa.err, ob.err)
	}
}

func TestAReplayedEd25519SessionMakesNoSignature(t *testing.T) {
	engine := newEngine(t)
	a, b := edPair(t, Runtime, CoSigner, []byte("replay"))
	var recorded []Frame
	b.transport = meddler{Transport: b.transport, sent: func(f Frame) error { recorded = append(recorded, f); return nil }}
	if oa, ob := edSignBoth(t, engine, a, b); oa.err != nil || ob.err != nil {
		t.Fatalf("errors: %v; %v", oa.err, ob.err)
	}
	replay := func(engine *Engine, change func(*edParty)) error {
		p := a
		here, there := signer.Pipe()
		for _, f := range recorded {
			if err := there.Send(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		_ = there.Close() // a pipe's Close never fails; queued frames can still be received
		p.transport = replayed{here}
		change(&p)
		_, err := p.sign(t.Context(), engine)
		return err
	}
	wantCode(t, replay(engine, func(*edParty) {}), CodeInputInvalid)
	// An engine that has forgotten the id takes part, with a nonce of its own, which the recorded answer does not fit.
	wantCode(t, replay(newEngine(t), func(*edParty) {}), CodeOutcomeUnknown)
	if err := replay(engine, func(p *edParty) { p.session.ID = freshID() }); !errors.Is(err, errWrongSession) {
		t.Errorf("into another session: %v", err)
	}
	if err := replay(engine, func(p *edParty) { p.message = []byte("another") }); !errors.Is(err, errWrongSession) {
		t.Errorf("for another message: %v", err)
	}
}

// replayed only receives.
type replayed struct{ *signer.PipeEnd }

func (replayed) Send(context.Context, Frame) error { return nil }

func TestUnusableEd25519InputIsRefusedBeforeAnythingIsSent(t *testing.T) {
	engine := newEngine(t)
	shares := edShares(t)
	tests := map[string]func(*edParty){
		"no session id":       func(p *edParty) { p.session.ID = [32]byte{} },
		"no wallet":           func(p *edParty) { p.session.Wallet = "" },
		"ourselves as peer":   func(p *edParty) { p.session.Peer = p.session.Self },
		"a derived key":       func(p *edParty) { p.session.Derivation.Path = "m/1" },
		"a tweak":             func(p *edParty) { p.session.Derivation.Tweak[0] = 1 },
		"no keyshare":         func(p *edParty) { p.share = EdKeyshare{} },
		"another's keyshare":  func(p *edParty) { p.share = shares[2] },
		"no message":          func(p *edParty) { p.message = nil },
		"a long message":      func(p *edParty) { p.message = make([]byte, EdMessageBytesMax+1) },
		"no record":           func(p *edParty) { p.armed = [32]byte{} },
		"no transport":        func(p *edParty) { p.transport = nil },
		"nobody to record it": func(p *edParty) { p.beforeLast = nil },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			a, _ := edPair(t, Runtime, CoSigner, []byte("m"))
			a.transport = meddler{Transport: a.transport, sent: func(Frame) error { t.Error("a frame was sent"); return nil }}
			change(&a)
			_, err := a.sign(t.Context(), engine)
			wantCode(t, err, CodeInputInvalid)
		})
	}
}

// flipped changes one bit of the n-th frame it is shown.
func flipped(n, bit uint) func(Frame) Frame {
	return func(f Frame) Frame {
		if n == 0 {
			f.Body = slices.Clone(f.Body)
			at := bit % uint(8*len(f.Body))
			f.Body[at/8] ^= 1 << (at % 8)
		}
		n--
		return f
	}
}

func FuzzABitFlippedInAnEd25519SessionIsAnErrorAndNeverAWrongSignature(f *testing.F) {
	for frame := range uint8(edSigningMessages) {
		f.Add(frame, uint16(0), true)
		f.Add(frame, uint16(500), true)
		f.Add(frame, uint16(1999), false)
	}
	engine := newEngine(f)
	message := []byte("fuzz")
	f.Fuzz(func(t *testing.T, frame uint8, bit uint16, atRuntime bool) {
		a, b := edPair(t, Runtime, CoSigner, message)
		victim := &a
		if !atRuntime {
			victim = &b
		}
		victim.transport = meddler{Transport: victim.transport, received: flipped(uint(frame%edSigningMessages), uint(bit))}
		oa, ob := edSignBoth(t, engine, a, b)
		hurt, other := oa, ob
		if !atRuntime {
			hurt, other = ob, oa
		}
		if hurt.err == nil || abi.CodeOf(hurt.err) == "" {
			t.Errorf("the receiver of a flipped bit ended with %v", hurt.err)
		}
		key := a.share.PublicKey()
		if other.err == nil && !ed25519.Verify(key[:], message, other.signature[:]) {
			t.Error("the other side holds a wrong signature")
		}
	})
}
