package mpc

import (
	"math/big"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/signing"
)

const (
	signingRounds = 9
	// signingMessages is what each of the two parties sends in one session.
	signingMessages = 10
	// preparedMessages is how many of them leave before the digest is fixed.
	preparedMessages = 4

	// digestBytes is told to the library, which otherwise drops leading zeros.
	digestBytes = 32

	signThetaType = "sign3-theta"
	signLastType  = "sign9-response"

	rangeProofParts = 6
	bobProofParts   = 10
	bobCheckParts   = 12

	signingNamespace = "binance.tsslib.ecdsa.signing."
)

// signingRules lists the messages of a signing session, GG18 in its two-party case. The sizes are those of the
// numbers inside plus the framing of the library's encoding.
var signingRules = []rule{
	{"sign1-ciphertext", signingNamespace + "SignRound1Message1", 1, false, 2560, checking(checkSign1Ciphertext)},
	{"sign1-commitment", signingNamespace + "SignRound1Message2", 1, true, 160, checking(checkSign1Commitment)},
	{"sign2-conversion", signingNamespace + "SignRound2Message", 2, false, 7168, checking(checkSign2)},
	{signThetaType, signingNamespace + "SignRound3Message", 3, true, 160, checking(checkSign3)},
	{"sign4-opening", signingNamespace + "SignRound4Message", 4, true, 320, checking(checkSign4)},
	{"sign5-commitment", signingNamespace + "SignRound5Message", 5, true, 160, checking(checkSign5)},
	{"sign6-opening", signingNamespace + "SignRound6Message", 6, true, 544, checking(checkSign6)},
	{"sign7-commitment", signingNamespace + "SignRound7Message", 7, true, 160, checking(checkSign7)},
	{"sign8-opening", signingNamespace + "SignRound8Message", 8, true, 288, checking(checkSign8)},
	{signLastType, signingNamespace + "SignRound9Message", 9, true, 160, checking(checkSign9)},
}

// checkSign1Ciphertext guards the peer's encrypted nonce and its range proof. A ciphertext of zero has no inverse,
// and the library dereferences the nil in a goroutine of its own: the process would die (reference case one).
func checkSign1Ciphertext(f *facts, from Role, m *signing.SignRound1Message1) error {
	if _, err := ciphertext(m.GetC(), f.paillier[from]); err != nil {
		return err
	}
	proof := m.GetRangeProofAlice() // Z, U, W, S, S1, S2
	if len(proof) != rangeProofParts {
		return errPartCount
	}
	ring := f.ring[f.self]
	if _, err := unit(proof[0], ring); err != nil {
		return err
	}
	if _, err := ciphertext(proof[1], f.paillier[from]); err != nil {
		return err
	}
	if _, err := unit(proof[2], ring); err != nil {
		return err
	}
	if _, err := unit(proof[3], f.paillier[from]); err != nil {
		return err
	}
	s1, err := within(proof[4], curveOrder, orderCubed)
	if err != nil {
		return err
	}
	s2, err := within(proof[5], curveOrder, responseMax(ring))
	if err != nil {
		return err
	}
	// Upstream's fix 289, missing from v2.0.2. Z = 1 and S = 1 are refused as non-units above.
	if s1.Cmp(s2) == 0 {
		return errTrivial
	}
	return nil
}

func checkSign1Commitment(_ *facts, _ Role, m *signing.SignRound1Message2) error {
	return hash(m.GetCommitment())
}

// checkSign2 guards the peer's answers to our ciphertext: everything is modulo our own moduli.
func checkSign2(f *facts, _ Role, m *signing.SignRound2Message) error {
	for _, c := range [][]byte{m.GetC1(), m.GetC2()} {
		if _, err := ciphertext(c, f.paillier[f.self]); err != nil {
			return err
		}
	}
	if len(m.GetProofBob()) != bobProofParts || len(m.GetProofBobWc()) != bobCheckParts {
		return errPartCount
	}
	if err := checkBobProof(f, m.GetProofBob()); err != nil {
		return err
	}
	withCheck := m.GetProofBobWc()
	if err := checkBobProof(f, withCheck[:bobProofParts]); err != nil {
		return err
	}
	// The library multiplies the generator by S1 modulo q before it has verified anything of this proof, and panics
	// in a goroutine of its own when that is the point at infinity: S1 = q would end the process. Not in upstream's
	// list of fixes.
	s1 := new(big.Int).SetBytes(withCheck[6])
	if s1.Mod(s1, curveOrder).Sign() == 0 {
		return errTrivial
	}
	return point(withCheck[10], withCheck[11])
}

// checkBobProof guards Z, Z', T, V, W, S, S1, S2, T1, T2.
func checkBobProof(f *facts, proof [][]byte) error {
	n, ring := f.paillier[f.self], f.ring[f.self]
	for _, i := range []int{0, 1, 2, 4} {
		if _, err := unit(proof[i], ring); err != nil {
			return err
		}
	}
	if _, err := ciphertext(proof[3], n); err != nil {
		return err
	}
	if _, err := unit(proof[5], n); err != nil {
		return err
	}
	answers := []struct {
		part []byte
		high *big.Int
	}{
		{proof[6], orderCubed}, {proof[7], responseMax(ring)}, {proof[8], orderTo7}, {proof[9], responseMax(ring)},
	}
	for _, answer := range answers {
		if _, err := within(answer.part, curveOrder, answer.high); err != nil {
			return err
		}
	}
	return nil
}

// checkSign3 also refuses a theta that cancels ours: the library would dereference the nil inverse of zero.
func checkSign3(f *facts, _ Role, m *signing.SignRound3Message) error {
	theta, err := scalar(m.GetTheta())
	if err != nil {
		return err
	}
	if f.ownTheta == nil {
		return errTooEarly
	}
	sum := new(big.Int).Add(theta, f.ownTheta)
	if sum.Mod(sum, curveOrder).Sign() == 0 {
		return errTrivial
	}
	return nil
}

func checkSign4(_ *facts, _ Role, m *signing.SignRound4Message) error {
	if err := opening(m.GetDeCommitment(), 1); err != nil {
		return err
	}
	if err := point(m.GetProofAlphaX(), m.GetProofAlphaY()); err != nil {
		return err
	}
	_, err := scalar(m.GetProofT())
	return err
}

func checkSign5(_ *facts, _ Role, m *signing.SignRound5Message) error { return hash(m.GetCommitment()) }

func checkSign6(_ *facts, _ Role, m *signing.SignRound6Message) error {
	if err := opening(m.GetDeCommitment(), 2); err != nil {
		return err
	}
	if err := point(m.GetProofAlphaX(), m.GetProofAlphaY()); err != nil {
		return err
	}
	if err := point(m.GetVProofAlphaX(), m.GetVProofAlphaY()); err != nil {
		return err
	}
	for _, answer := range [][]byte{m.GetProofT(), m.GetVProofT(), m.GetVProofU()} {
		if _, err := scalar(answer); err != nil {
			return err
		}
	}
	return nil
}

func checkSign7(_ *facts, _ Role, m *signing.SignRound7Message) error { return hash(m.GetCommitment()) }

// checkSign8 checks the points too: the library adds them without looking whether they are on the curve.
func checkSign8(_ *facts, _ Role, m *signing.SignRound8Message) error {
	return opening(m.GetDeCommitment(), 2)
}

func checkSign9(_ *facts, _ Role, m *signing.SignRound9Message) error {
	_, err := scalar(m.GetS())
	return err
}
