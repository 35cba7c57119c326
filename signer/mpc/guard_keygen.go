package mpc

import (
	"bytes"
	"math/big"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/keygen"
)

const (
	keygenRounds = 3

	dlnIterations = 128
	dlnParts      = 2 + 2*dlnIterations
	facProofParts = 11
	modIterations = 80
	modProofParts = 2*modIterations + 3
	paillierParts = 13

	keygenNamespace = "binance.tsslib.ecdsa.keygen."
)

// keygenRules lists the messages of a key generation. The largest honest ones: 134 kB in round 1, 42 kB in round 2.
var keygenRules = []rule{
	{"keygen1-moduli", keygenNamespace + "KGRound1Message", 1, true, 138 << 10, checking(checkKeygen1)},
	{"keygen2-share", keygenNamespace + "KGRound2Message1", 2, false, 5 << 10, checking(checkKeygen2Share)},
	{"keygen2-opening", keygenNamespace + "KGRound2Message2", 2, true, 44 << 10, checking(checkKeygen2Opening)},
	{"keygen3-proof", keygenNamespace + "KGRound3Message", 3, true, 4 << 10, checking(checkKeygen3)},
}

var keygenEchoes = echoRulesOf("keygen", keygenRounds)

func checkKeygen1(f *facts, from Role, m *keygen.KGRound1Message) error {
	if err := hash(m.GetCommitment()); err != nil {
		return err
	}
	return checkFreshModuli(f, from, m)
}

// freshModuli are the fields with which a party introduces its moduli, in a key generation and in a resharing.
type freshModuli interface {
	GetPaillierN() []byte
	GetNTilde() []byte
	GetH1() []byte
	GetH2() []byte
	GetDlnproof_1() [][]byte
	GetDlnproof_2() [][]byte
}

// checkFreshModuli also records the sender's moduli, against which its later messages are checked. Nobody may bring a
// modulus or base somebody else has: sharing a Paillier modulus means knowing the other's factors.
func checkFreshModuli(f *facts, from Role, m freshModuli) error {
	n, err := modulus(m.GetPaillierN())
	if err != nil {
		return err
	}
	ring, err := modulus(m.GetNTilde())
	if err != nil {
		return err
	}
	if n.Cmp(ring) == 0 || f.knowsModulus(n) || f.knowsModulus(ring) {
		return errSameModulus
	}
	h1, err := unit(m.GetH1(), ring)
	if err != nil {
		return err
	}
	h2, err := unit(m.GetH2(), ring)
	if err != nil {
		return err
	}
	if h1.Cmp(h2) == 0 || contains(f.bases, h1) || contains(f.bases, h2) {
		return errTrivial
	}
	for _, proof := range [][][]byte{m.GetDlnproof_1(), m.GetDlnproof_2()} {
		if err := checkDLNProof(proof, ring); err != nil {
			return err
		}
	}
	f.paillier[from], f.ring[from] = n, ring
	f.bases = append(f.bases, h1, h2)
	return nil
}

func (f *facts) knowsModulus(n *big.Int) bool {
	for _, role := range everyRole {
		if known := f.paillier[role]; known != nil && known.Cmp(n) == 0 {
			return true
		}
		if known := f.ring[role]; known != nil && known.Cmp(n) == 0 {
			return true
		}
	}
	return false
}

func contains(list []*big.Int, x *big.Int) bool {
	for _, y := range list {
		if x.Cmp(y) == 0 {
			return true
		}
	}
	return false
}

// checkDLNProof guards a list of 128 first values and 128 answers, each part preceded by its length. The library
// slices by the stated length, which may be negative to it.
func checkDLNProof(proof [][]byte, ring *big.Int) error {
	if len(proof) != dlnParts {
		return errPartCount
	}
	length := []byte{dlnIterations}
	if !bytes.Equal(proof[0], length) || !bytes.Equal(proof[1+dlnIterations], length) {
		return errPartCount
	}
	for _, alpha := range proof[1 : 1+dlnIterations] {
		if _, err := unit(alpha, ring); err != nil {
			return err
		}
	}
	for _, answer := range proof[2+dlnIterations:] {
		if _, err := below(answer, ring); err != nil {
			return err
		}
	}
	return nil
}

// checkKeygen2Share guards the Shamir share meant for us and the proof that the sender's Paillier factors are large,
// which is made for our ring.
func checkKeygen2Share(f *facts, from Role, m *keygen.KGRound2Message1) error {
	if _, err := scalar(m.GetShare()); err != nil {
		return err
	}
	n, ring := f.paillier[from], f.ring[f.self]
	if n == nil {
		return errTooEarly
	}
	return checkFacProof(m.GetFacProof(), n, ring)
}

// checkFacProof guards P, Q, A, B, T, Sigma, Z1, Z2, W1, W2, V, made by the owner of n for the owner of ring.
func checkFacProof(proof [][]byte, n, ring *big.Int) error {
	if len(proof) != facProofParts {
		return errPartCount
	}
	for _, member := range proof[:5] {
		if _, err := unit(member, ring); err != nil {
			return err
		}
	}
	product := new(big.Int).Mul(n, ring)
	root := new(big.Int).Mul(orderCubed, new(big.Int).Sqrt(n))
	limits := []*big.Int{
		new(big.Int).Mul(curveOrder, product), root, root, responseMax(ring), responseMax(ring), responseMax(product),
	}
	for i, limit := range limits {
		if _, err := below(proof[5+i], limit); err != nil {
			return err
		}
	}
	return nil
}

// checkKeygen2Opening holds two of the fixes v2.0.2 lacks. 291: the opened polynomial must have exactly two points,
// or the library indexes past a short list in a goroutine. 323: see checkModProof.
func checkKeygen2Opening(f *facts, from Role, m *keygen.KGRound2Message2) error {
	if err := opening(m.GetDeCommitment(), partyThreshold+1); err != nil {
		return err
	}
	n := f.paillier[from]
	if n == nil {
		return errTooEarly
	}
	return checkModProof(m.GetModProof(), n)
}

// checkModProof guards W, 80 X, A, B, 80 Z. W must be a unit, or the proof proves nothing about a modulus that shares a
// factor with it (upstream's fix 323, missing from v2.0.2).
func checkModProof(proof [][]byte, n *big.Int) error {
	if len(proof) != modProofParts {
		return errPartCount
	}
	for i, part := range proof {
		var err error
		if i == modIterations+1 || i == modIterations+2 {
			err = checkBits(part, modIterations+1)
		} else {
			_, err = unit(part, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkBits(part []byte, bits int) error {
	x, err := natural(part, (bits+7)/8)
	if err != nil {
		return err
	}
	if x.BitLen() != bits {
		return errRange
	}
	return nil
}

func checkKeygen3(f *facts, from Role, m *keygen.KGRound3Message) error {
	n := f.paillier[from]
	if n == nil {
		return errTooEarly
	}
	if len(m.GetPaillierProof()) != paillierParts {
		return errPartCount
	}
	for _, root := range m.GetPaillierProof() {
		if _, err := unit(root, n); err != nil {
			return err
		}
	}
	return nil
}
