package mpc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/signing"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// honest is what the co-signer sent in one real session, and the theta the runtime sent.
type honest struct {
	bodies map[string][]byte
	theta  *big.Int
}

var recordedOnce struct {
	sync.Mutex
	session *honest
}

func honestSession(t testing.TB) *honest {
	t.Helper()
	recordedOnce.Lock()
	defer recordedOnce.Unlock()
	if recordedOnce.session != nil {
		return recordedOnce.session
	}
	h := &honest{bodies: make(map[string][]byte)}
	a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte("recorded")))
	b.transport = meddler{Transport: b.transport, sent: func(f Frame) error { h.bodies[f.Type] = f.Body; return nil }}
	a.transport = meddler{Transport: a.transport, sent: func(f Frame) error {
		if f.Type == signThetaType {
			h.theta = new(big.Int).SetBytes(unpack(t, f.Body).Interface().(*signing.SignRound3Message).GetTheta())
		}
		return nil
	}}
	if oa, ob := signBoth(t, newEngine(t), a, b); oa.err != nil || ob.err != nil {
		t.Fatalf("errors: %v; %v", oa.err, ob.err)
	}
	recordedOnce.session = h
	return h
}

func signingFactsOf(t testing.TB, h *honest) *facts {
	t.Helper()
	f := demoShare(t, Runtime).secret.signingFacts(Session{Self: Runtime, Peer: CoSigner})
	f.ownTheta = h.theta
	return f
}

func signingLayouts(t *testing.T) map[string]layout {
	t.Helper()
	own, peer := demoShare(t, Runtime).secret, demoShare(t, CoSigner).secret
	ring := own.parties[0].ring
	ownCipher := cipherKind(own.parties[0].paillier, own.p)
	peerCipher := cipherKind(own.parties[1].paillier, peer.p)
	ownUnit, peerUnit := unitKind(own.parties[0].paillier), unitKind(own.parties[1].paillier)
	ownUnit.prime, peerUnit.prime = own.p, peer.p
	ringUnit, blinded := unitKind(ring), answerKind(responseMax(ring))
	s1, t1 := answerKind(orderCubed), answerKind(orderTo7)
	h, s, xy := hashKind(), scalarKind(), pointKind()
	bob := []kind{ringUnit, ringUnit, ringUnit, ownCipher, ringUnit, ownUnit, s1, blinded, t1, blinded}
	return map[string]layout{
		"sign1-ciphertext": {
			"c":                 {peerCipher},
			"range_proof_alice": {ringUnit, peerCipher, ringUnit, peerUnit, s1, blinded},
		},
		"sign1-commitment": {"commitment": {h}},
		"sign2-conversion": {
			"c1": {ownCipher}, "c2": {ownCipher}, "proof_bob": bob, "proof_bob_wc": append(bob[:10:10], xy, xy),
		},
		signThetaType: {"theta": {s}},
		"sign4-opening": {
			"de_commitment": {h, xy, xy}, "proof_alpha_x": {xy}, "proof_alpha_y": {xy}, "proof_t": {s},
		},
		"sign5-commitment": {"commitment": {h}},
		"sign6-opening": {
			"de_commitment": {h, xy, xy, xy, xy},
			"proof_alpha_x": {xy}, "proof_alpha_y": {xy}, "proof_t": {s},
			"v_proof_alpha_x": {xy}, "v_proof_alpha_y": {xy}, "v_proof_t": {s}, "v_proof_u": {s},
		},
		"sign7-commitment": {"commitment": {h}},
		"sign8-opening":    {"de_commitment": {h, xy, xy, xy, xy}},
		signLastType:       {"s": {s}},
	}
}

func TestTheGuardRefusesEveryHostileSigningMessage(t *testing.T) {
	h := honestSession(t)
	layouts := signingLayouts(t)
	if len(layouts) != len(signingRules) || len(signingRules) != signingMessages {
		t.Fatalf("%d layouts, %d rules", len(layouts), len(signingRules))
	}
	for _, r := range signingRules {
		t.Run(r.name, func(t *testing.T) {
			body := h.bodies[r.name]
			if _, _, err := guardAt(t, signingRules, signingFactsOf(t, h), r.round).admit(CoSigner, frameFor(r.name, body)); err != nil {
				t.Fatalf("the honest message was refused: %v", err)
			}
			all := variants(t, body, layouts[r.name])
			for _, v := range all {
				g := guardAt(t, generousRules(signingRules), signingFactsOf(t, h), r.round)
				_, _, err := g.admit(CoSigner, frameFor(r.name, v.body))
				if err == nil {
					t.Errorf("%s was admitted", v.name)
					continue
				}
				wantCode(t, err, CodeMessageRefused)
			}
			t.Logf("%d hostile variants", len(all))
		})
	}
}

func TestTheSizeOfASigningMessageIsBoundedBeforeItIsParsed(t *testing.T) {
	h := honestSession(t)
	for _, r := range signingRules {
		if honest := len(h.bodies[r.name]); honest > r.bodyBytesMax || 2*honest+128 < r.bodyBytesMax {
			t.Errorf("%s: %d honest bytes, limit %d", r.name, honest, r.bodyBytesMax)
		}
		g := guardAt(t, signingRules, signingFactsOf(t, h), r.round)
		_, _, err := g.admit(CoSigner, frameFor(r.name, bytes.Repeat([]byte{1}, r.bodyBytesMax+1)))
		if !errors.Is(err, errWrongSize) {
			t.Errorf("%s: got %v", r.name, err)
		}
	}
}

// The largest numbers the protocol allows must still fit, or one signature in a few million would fail.
func TestTheLargestHonestMessagesFitTheirLimits(t *testing.T) {
	h := honestSession(t)
	for name, fields := range signingLayouts(t) {
		m := unpack(t, h.bodies[name])
		list := m.Descriptor().Fields()
		for i := range list.Len() {
			field := list.Get(i)
			for at, k := range fields[field.Name()] {
				largest := protoreflect.ValueOfBytes(new(big.Int).Sub(k.limit, bigOne).Bytes())
				if field.IsList() {
					m.Mutable(field).List().Set(at, largest)
				} else {
					m.Set(field, largest)
				}
			}
		}
		r := ruleNamed(t, signingRules, name)
		if size := len(pack(t, m)); size > r.bodyBytesMax {
			t.Errorf("%s: %d bytes, limit %d", name, size, r.bodyBytesMax)
		}
	}
}

func TestTrivialRangeProofsAreRefused(t *testing.T) {
	h := honestSession(t)
	m := unpack(t, h.bodies["sign1-ciphertext"]).Interface().(*signing.SignRound1Message1)
	m.RangeProofAlice[5] = m.RangeProofAlice[4] // S1 = S2
	g := guardAt(t, signingRules, signingFactsOf(t, h), 1)
	if _, _, err := g.admit(CoSigner, frameFor("sign1-ciphertext", pack(t, m.ProtoReflect()))); !errors.Is(err, errTrivial) {
		t.Errorf("got %v", err)
	}
}

func TestAThetaThatCancelsOursIsRefused(t *testing.T) {
	h := honestSession(t)
	m := unpack(t, h.bodies[signThetaType]).Interface().(*signing.SignRound3Message)
	m.Theta = new(big.Int).Sub(curveOrder, h.theta).Bytes()
	body := pack(t, m.ProtoReflect())
	g := guardAt(t, signingRules, signingFactsOf(t, h), 3)
	if _, _, err := g.admit(CoSigner, frameFor(signThetaType, body)); !errors.Is(err, errTrivial) {
		t.Errorf("got %v", err)
	}
	early := signingFactsOf(t, h)
	early.ownTheta = nil
	if _, _, err := guardAt(t, signingRules, early, 2).admit(CoSigner, frameFor(signThetaType, body)); !errors.Is(err, errTooEarly) {
		t.Errorf("before ours was sent: got %v", err)
	}
}

func TestAMessageIsTakenOncePerSessionSenderAndType(t *testing.T) {
	h := honestSession(t)
	for _, r := range signingRules {
		g := guardAt(t, signingRules, signingFactsOf(t, h), r.round)
		frame := frameFor(r.name, h.bodies[r.name])
		if _, _, err := g.admit(CoSigner, frame); err != nil {
			t.Fatal(err)
		}
		if _, _, err := g.admit(CoSigner, frame); !errors.Is(err, errOutOfSequence) {
			t.Errorf("%s: the same frame again: %v", r.name, err)
		}
		frame.Seq++
		if _, _, err := g.admit(CoSigner, frame); !errors.Is(err, errSecondMessage) {
			t.Errorf("%s: the identical message again: %v", r.name, err)
		}
	}
}

func TestARefusedMessageCannotBeCorrected(t *testing.T) {
	h := honestSession(t)
	g := guardAt(t, signingRules, signingFactsOf(t, h), 1)
	if _, _, err := g.admit(CoSigner, frameFor("sign1-commitment", []byte{0xff})); err == nil {
		t.Fatal("garbage was admitted")
	}
	second := frameFor("sign1-commitment", h.bodies["sign1-commitment"])
	second.Seq = 1
	if _, _, err := g.admit(CoSigner, second); !errors.Is(err, errSecondMessage) {
		t.Errorf("got %v", err)
	}
}

func TestOnlyTheCurrentRoundAndTheNextAreOpen(t *testing.T) {
	h := honestSession(t)
	for _, r := range signingRules {
		for sent := range signingRounds + 1 {
			g := guardAt(t, signingRules, signingFactsOf(t, h), sent)
			_, _, err := g.admit(CoSigner, frameFor(r.name, h.bodies[r.name]))
			open := r.round == sent || r.round == sent+1
			if open == errors.Is(err, errWrongRound) {
				t.Errorf("%s after we sent round %d: %v", r.name, sent, err)
			}
		}
	}
}

func TestAMessageWithAForeignTypePrefixIsRefused(t *testing.T) {
	h := honestSession(t)
	body := bytes.Replace(h.bodies[signLastType], []byte("type.googleapis.com"), []byte("type.googleapis.con"), 1)
	g := guardAt(t, signingRules, signingFactsOf(t, h), 9)
	if _, _, err := g.admit(CoSigner, frameFor(signLastType, body)); !errors.Is(err, errOtherContent) {
		t.Errorf("got %v", err)
	}
}

// FuzzFlippedBitNeverYieldsAWrongSignature flips one bit of one frame in a whole session: of its head, with the session,
// the armed hash, the roles, the type and the number in it, or of the message.
func FuzzFlippedBitNeverYieldsAWrongSignature(f *testing.F) {
	for i := range signingRules {
		f.Add(uint8(i), uint32(177+100*i), uint8(i)) // the message
	}
	f.Add(uint8(5), uint32(40), uint8(3)) // the armed hash
	f.Add(uint8(3), uint32(34), uint8(0)) // the same, where it must be zero
	f.Add(uint8(7), uint32(70), uint8(1)) // the number
	engine := newEngine(f)
	f.Fuzz(func(t *testing.T, which uint8, offset uint32, bit uint8) {
		name := signingRules[int(which)%len(signingRules)].name
		a, b := pair(t, Runtime, CoSigner, sha256.Sum256([]byte("flip")))
		a.transport = flipper{a.transport, name, offset, bit}
		oa, ob := signBoth(t, engine, a, b)
		if oa.err == nil {
			t.Errorf("a flipped bit in %s went unnoticed", name)
		}
		wantNoSecret(t, "the error", fmt.Sprintf("%v %+v %#v %v", oa.err, oa.err, oa.err, ob.err))
		// The flip is between the two: the other side may complete in the last round, and only then.
		if ob.err == nil && (name != signLastType || !verifiedByTextbook(b.share.PublicKey(), b.digest, ob.signature)) {
			t.Errorf("the other side completed after a flip in %s", name)
		}
	})
}

// flipper flips a bit of the encoding of one frame that is received.
type flipper struct {
	Transport
	name   string
	offset uint32
	bit    uint8
}

func (f flipper) Receive(ctx context.Context) (Frame, error) {
	frame, err := f.Transport.Receive(ctx)
	if err != nil || frame.Type != f.name {
		return frame, err
	}
	data, err := frame.MarshalBinary()
	if err != nil {
		return Frame{}, err
	}
	data[int(f.offset%uint32(len(data)))] ^= 1 << (f.bit % 8) //nolint:gosec // a frame
	var bent Frame
	err = bent.UnmarshalBinary(data)
	return bent, err
}

func FuzzTheGuardNeverPanicsOnAnyBody(f *testing.F) {
	for i := range signingRules {
		f.Add(uint8(i), []byte{0x0a, 0x01})
	}
	share := Keyshare{}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		if share.secret == nil {
			share = demoShare(t, Runtime)
		}
		r := signingRules[int(which)%len(signingRules)]
		g := guardAt(t, signingRules, share.secret.signingFacts(Session{Self: Runtime, Peer: CoSigner}), r.round)
		if _, _, err := g.admit(CoSigner, frameFor(r.name, body)); err != nil {
			wantCode(t, err, CodeMessageRefused)
		}
	})
}
