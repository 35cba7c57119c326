package mpc

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/bnb-chain/tss-lib/v2/crypto"
	"github.com/bnb-chain/tss-lib/v2/crypto/vss"
	"github.com/bnb-chain/tss-lib/v2/ecdsa/keygen"
	"github.com/bnb-chain/tss-lib/v2/ecdsa/signing"
	"github.com/bnb-chain/tss-lib/v2/tss"
	"google.golang.org/protobuf/proto"
)

// The rest of the corpus of docs/threat-model.md, which does not end the process: the library takes each message as well
// formed, and begins to compute with it. Another theta and another s it refuses itself in the end; they are in real
// sessions in cmd/purser's rogue tests.
func TestTheLibraryAloneTakesMessagesThatTheGuardRefuses(t *testing.T) {
	h := honestSession(t)
	rangeProof := func(at int, value []byte) proto.Message {
		m := unpack(t, h.bodies["sign1-ciphertext"]).Interface().(*signing.SignRound1Message1)
		m.RangeProofAlice[at] = value
		return m
	}
	opening := func(change func(m *keygen.KGRound2Message2)) proto.Message {
		m := keygenMessages(t)["keygen2-opening"].(*keygen.KGRound2Message2)
		change(m)
		return m
	}
	for _, c := range []struct {
		name, frame string
		rules       []rule
		facts       *facts
		round       int
		message     proto.Message
	}{
		{"an exponent of 256 KiB in a range proof", "sign1-ciphertext", signingRules, signingFactsOf(t, h), 1, rangeProof(5, bytes.Repeat([]byte{0xff}, 256<<10))},
		{"a trivial range proof (#289)", "sign1-ciphertext", signingRules, signingFactsOf(t, h), 1, rangeProof(3, []byte{1})},
		{"a proof of the modulus with W = 0", "keygen2-opening", keygenRules, keygenFacts(t, 2), 2, opening(func(m *keygen.KGRound2Message2) { m.ModProof[0] = []byte{0} })},
		{"a proof of the modulus whose W shares a factor with it (#323)", "keygen2-opening", keygenRules, keygenFacts(t, 2), 2, opening(func(m *keygen.KGRound2Message2) {
			m.ModProof[0] = demoShare(t, CoSigner).secret.p.Bytes()
		})},
		{"an opened polynomial of one point (#291)", "keygen2-opening", keygenRules, keygenFacts(t, 2), 2, opening(func(m *keygen.KGRound2Message2) {
			m.DeCommitment = m.DeCommitment[:3]
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := pack(t, c.message.ProtoReflect())
			message, err := tss.ParseWireMessage(body, tss.NewPartyID("peer", "peer", big.NewInt(1)), false)
			if err != nil || !message.ValidateBasic() {
				t.Fatalf("the library refuses it, %v: it has changed, and the guard can be looked at again", err)
			}
			g := guardAt(t, generousRules(c.rules), c.facts, c.round)
			_, _, err = g.admit(CoSigner, frameFor(c.frame, body))
			wantCode(t, err, CodeMessageRefused)
		})
	}
}

// What a key generation does with the opened polynomial of one point, in a goroutine of its own.
func TestTheLibraryAloneReadsPastTheEndOfAShortPolynomial(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the library noticed: it has changed, and the guard can be looked at again")
		}
	}()
	share := vss.Share{Threshold: partyThreshold, ID: big.NewInt(2), Share: big.NewInt(3)}
	point := crypto.ScalarBaseMult(curve, big.NewInt(3))
	share.Verify(curve, partyThreshold, vss.Vs{point})
}

// Round eight with two values is stopped by an accident of the library's check, and by ours on purpose.
func TestARoundEightOfTwoValuesIsStoppedTwice(t *testing.T) {
	h := honestSession(t)
	m := unpack(t, h.bodies["sign8-opening"]).Interface().(*signing.SignRound8Message)
	m.DeCommitment = m.DeCommitment[:2]
	if m.ValidateBasic() {
		t.Error("the library takes it")
	}
	_, _, err := guardAt(t, signingRules, signingFactsOf(t, h), 8).admit(CoSigner, frameFor("sign8-opening", pack(t, m.ProtoReflect())))
	wantCode(t, err, CodeMessageRefused)
}
