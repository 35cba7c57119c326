package mpc

import (
	"bytes"
	"errors"
	"math/big"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/resharing"
	edresharing "github.com/bnb-chain/tss-lib/v2/eddsa/resharing"
	"github.com/bnb-chain/tss-lib/v2/tss"
)

const (
	reshareRounds = 4

	reshareNamespace   = "binance.tsslib.ecdsa.resharing."
	edReshareNamespace = "binance.tsslib.eddsa.resharing."

	reshareFirstType = "reshare1-old-new-commitment"
)

var (
	errOtherKey  = errors.New("the sender hands on another key than the wallet's")
	errOtherSSID = errors.New("the sender has another view of the old committee")
	errRetired   = errors.New("a modulus is one of the old epoch")
)

// resharingFacts is what the messages of one resharing are checked against, besides the facts.
type resharingFacts struct {
	group   group
	session ReshareSession
	key     curvePoint
	// ssid is the library's hash of the old committee and its moduli: our own if we are in it, else the first that came.
	// The library compares those of all members but one, the one whose place is that of ours in the new committee.
	ssid []byte
	// retired are the moduli of the old epoch, as far as we know them.
	retired []*big.Int
}

// rules lists the messages of a resharing on secp256k1. The largest honest one has 175 kB. The names say which committee
// sends to which: the acknowledgements go to everybody, so that there is one kind of broadcast.
func (s *resharingFacts) rules() []rule {
	return []rule{
		{reshareFirstType, reshareNamespace + "DGRound1Message", 1, true, 320, checking(s.checkCommitment)},
		{"reshare2-new-old-ready", reshareNamespace + "DGRound2Message2", 2, true, 96, checking(checkNothing[*resharing2Ready])},
		{"reshare2-new-new-moduli", reshareNamespace + "DGRound2Message1", 2, true, 180 << 10, checking(s.checkModuli)},
		{"reshare3-old-new-share", reshareNamespace + "DGRound3Message1", 3, false, 160, checking(s.checkShare)},
		{"reshare3-old-new-opening", reshareNamespace + "DGRound3Message2", 3, true, 320, checking(s.checkOpening)},
		{"reshare4-new-new-factors", reshareNamespace + "DGRound4Message1", 4, false, 5 << 10, checking(s.checkFactors)},
		{"reshare4-new-all-done", reshareNamespace + "DGRound4Message2", 4, true, 96, checking(checkNothing[*resharing4Done])},
	}
}

type (
	resharing2Ready   = resharing.DGRound2Message2
	resharing4Done    = resharing.DGRound4Message2
	edResharing2Ready = edresharing.DGRound2Message
	edResharing4Done  = edresharing.DGRound4Message
)

var (
	reshareEchoes = echoRulesOf("reshare", reshareRounds)
	reshareRoutes = map[string]route{
		reshareFirstType:           {oldCommittee, []committee{newCommittee}},
		"reshare2-new-old-ready":   {newCommittee, []committee{oldCommittee}},
		"reshare3-old-new-share":   {oldCommittee, []committee{newCommittee}},
		"reshare3-old-new-opening": {oldCommittee, []committee{newCommittee}},
		"reshare4-new-all-done":    {newCommittee, []committee{newCommittee, oldCommittee}},
	}
)

// noteOwn keeps the SSID of our own first message, before anybody else's is looked at.
func (s *resharingFacts) noteOwn(r rule, content tss.MessageContent) error {
	if r.name != reshareFirstType {
		return nil
	}
	m, ok := content.(*resharing.DGRound1Message)
	if !ok {
		return errOtherContent
	}
	s.ssid = bytes.Clone(m.GetSsid())
	return nil
}

func (s *resharingFacts) checkCommitment(_ *facts, _ Role, m *resharing.DGRound1Message) error {
	if err := s.checkHandedKey(m.GetEcdsaPubX(), m.GetEcdsaPubY(), m.GetVCommitment()); err != nil {
		return err
	}
	if len(m.GetSsid()) == 0 || len(m.GetSsid()) > scalarBytes {
		return errMissingFields
	}
	if s.ssid == nil {
		s.ssid = bytes.Clone(m.GetSsid())
	}
	if !bytes.Equal(s.ssid, m.GetSsid()) {
		return errOtherSSID
	}
	return nil
}

// checkHandedKey compares with the wallet's record: the library takes whatever key the old committee names.
func (s *resharingFacts) checkHandedKey(x, y, commitment []byte) error {
	if err := pointOf(s.group, x, y); err != nil {
		return err
	}
	if !s.key.equal(curvePoint{new(big.Int).SetBytes(x), new(big.Int).SetBytes(y)}) {
		return errOtherKey
	}
	return hash(commitment)
}

// checkModuli holds what the library checks in a key generation and forgets here: the lengths of the moduli.
func (s *resharingFacts) checkModuli(f *facts, from Role, m *resharing.DGRound2Message1) error {
	if err := checkFreshModuli(f, from, m); err != nil {
		return err
	}
	if s.isRetired(f.paillier[from]) || s.isRetired(f.ring[from]) {
		return errRetired
	}
	return checkModProof(m.GetModProof(), f.paillier[from])
}

func (s *resharingFacts) isRetired(n *big.Int) bool { return n != nil && contains(s.retired, n) }

func (s *resharingFacts) checkShare(_ *facts, _ Role, m *resharing.DGRound3Message1) error {
	_, err := scalarOf(s.group, m.GetShare())
	return err
}

func (s *resharingFacts) checkOpening(_ *facts, _ Role, m *resharing.DGRound3Message2) error {
	return openingOf(s.group, m.GetVDecommitment(), partyThreshold+1)
}

func (s *resharingFacts) checkFactors(f *facts, from Role, m *resharing.DGRound4Message1) error {
	n := f.paillier[from]
	if n == nil {
		return errTooEarly
	}
	return checkFacProof(m.GetFacProof(), n, f.ring[f.self])
}

// checkNothing is for messages that have no content: that there is none, not even unknown fields, is checked already.
func checkNothing[M tss.MessageContent](*facts, Role, M) error { return nil }

// edRules lists the messages of a resharing on ed25519.
func (s *resharingFacts) edRules() []rule {
	return []rule{
		{"edreshare1-old-new-commitment", edReshareNamespace + "DGRound1Message", 1, true, 288, checking(s.checkEdCommitment)},
		{"edreshare2-new-old-ready", edReshareNamespace + "DGRound2Message", 2, true, 96, checking(checkNothing[*edResharing2Ready])},
		{"edreshare3-old-new-share", edReshareNamespace + "DGRound3Message1", 3, false, 160, checking(s.checkEdShare)},
		{"edreshare3-old-new-opening", edReshareNamespace + "DGRound3Message2", 3, true, 320, checking(s.checkEdOpening)},
		{"edreshare4-new-all-done", edReshareNamespace + "DGRound4Message", 4, true, 96, checking(checkNothing[*edResharing4Done])},
	}
}

var (
	edReshareEchoes = echoRulesOf("edreshare", reshareRounds)
	edReshareRoutes = map[string]route{
		"edreshare1-old-new-commitment": {oldCommittee, []committee{newCommittee}},
		"edreshare2-new-old-ready":      {newCommittee, []committee{oldCommittee}},
		"edreshare3-old-new-share":      {oldCommittee, []committee{newCommittee}},
		"edreshare3-old-new-opening":    {oldCommittee, []committee{newCommittee}},
		"edreshare4-new-all-done":       {newCommittee, []committee{newCommittee, oldCommittee}},
	}
)

func (s *resharingFacts) checkEdCommitment(_ *facts, _ Role, m *edresharing.DGRound1Message) error {
	return s.checkHandedKey(m.GetEddsaPubX(), m.GetEddsaPubY(), m.GetVCommitment())
}

func (s *resharingFacts) checkEdShare(_ *facts, _ Role, m *edresharing.DGRound3Message1) error {
	_, err := scalarOf(s.group, m.GetShare())
	return err
}

func (s *resharingFacts) checkEdOpening(_ *facts, _ Role, m *edresharing.DGRound3Message2) error {
	return openingOf(s.group, m.GetVDecommitment(), partyThreshold+1)
}
