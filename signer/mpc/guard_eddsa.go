package mpc

import (
	"github.com/bnb-chain/tss-lib/v2/eddsa/keygen"
	"github.com/bnb-chain/tss-lib/v2/eddsa/signing"
)

const (
	edKeygenRounds    = 2
	edSigningMessages = 3

	edLastType = "edsign3-response"

	edKeygenNamespace  = "binance.tsslib.eddsa.keygen."
	edSigningNamespace = "binance.tsslib.eddsa.signing."
)

// edKeygenRules lists the messages of an Ed25519 key generation. The largest honest one has 340 bytes.
var edKeygenRules = []rule{
	{"edkeygen1-commitment", edKeygenNamespace + "KGRound1Message", 1, true, 160, checking(checkEdKeygen1)},
	{"edkeygen2-share", edKeygenNamespace + "KGRound2Message1", 2, false, 160, checking(checkEdKeygen2Share)},
	{"edkeygen2-opening", edKeygenNamespace + "KGRound2Message2", 2, true, 448, checking(checkEdKeygen2Opening)},
}

var edKeygenEchoes = echoRulesOf("edkeygen", edKeygenRounds)

func checkEdKeygen1(_ *facts, _ Role, m *keygen.KGRound1Message) error {
	return hash(m.GetCommitment())
}

func checkEdKeygen2Share(_ *facts, _ Role, m *keygen.KGRound2Message1) error {
	_, err := scalarOf(edGroup{}, m.GetShare())
	return err
}

// checkEdKeygen2Opening: the opened polynomial must have exactly two points, or the library indexes past a short list
// in a goroutine and the process dies (upstream's fix 291, missing from v2.0.2 in this scheme too).
func checkEdKeygen2Opening(_ *facts, _ Role, m *keygen.KGRound2Message2) error {
	if err := openingOf(edGroup{}, m.GetDeCommitment(), partyThreshold+1); err != nil {
		return err
	}
	return checkEdProof(m)
}

// edProof is a Schnorr proof of knowledge of an opened point's logarithm.
type edProof interface {
	GetProofAlphaX() []byte
	GetProofAlphaY() []byte
	GetProofT() []byte
}

func checkEdProof(m edProof) error {
	if err := pointOf(edGroup{}, m.GetProofAlphaX(), m.GetProofAlphaY()); err != nil {
		return err
	}
	_, err := scalarOf(edGroup{}, m.GetProofT())
	return err
}

// edSigningRules lists the messages of an Ed25519 signing session.
var edSigningRules = []rule{
	{"edsign1-commitment", edSigningNamespace + "SignRound1Message", 1, true, 160, checking(checkEdSign1)},
	{"edsign2-opening", edSigningNamespace + "SignRound2Message", 2, true, 384, checking(checkEdSign2)},
	{edLastType, edSigningNamespace + "SignRound3Message", 3, true, 160, checking(checkEdSign3)},
}

func checkEdSign1(_ *facts, _ Role, m *signing.SignRound1Message) error {
	return hash(m.GetCommitment())
}

// checkEdSign2 looks at the nonce's coordinates before the library does, which multiplies what it has found not to be a
// point, a nil, before it looks at its own error.
func checkEdSign2(_ *facts, _ Role, m *signing.SignRound2Message) error {
	if err := openingOf(edGroup{}, m.GetDeCommitment(), 1); err != nil {
		return err
	}
	return checkEdProof(m)
}

// checkEdSign3 wants s below the order. The library reads the first 32 bytes of however many there are, and reduces:
// one signature would have many messages.
func checkEdSign3(_ *facts, _ Role, m *signing.SignRound3Message) error {
	_, err := scalarOf(edGroup{}, m.GetS())
	return err
}
