package signer

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// bindType is the frame that gives a prepared session its digest. It belongs to no round.
const bindType = "armed"

// NewSession names a session: both openings, both identities and the key are in its id, so that neither side can make
// the other run a session twice, or with somebody else.
func NewSession(wallet Wallet, self Role, parties Parties) (Session, error) {
	if self != RoleRuntime && self != RoleCoSigner {
		return Session{}, inputError("session", fmt.Sprintf("the %s signs no payments", self))
	}
	if parties.Runtime == (Opening{}) || parties.CoSigner == (Opening{}) {
		return Session{}, inputError("session", "an opening is zero")
	}
	hash := sha256.New()
	hash.Write([]byte("purser.session.v2"))
	hash.Write(parties.Runtime[:])
	hash.Write(parties.CoSigner[:])
	hash.Write(appendSized(nil, string(parties.RuntimeKey)))
	hash.Write(appendSized(nil, string(parties.CoSignerKey)))
	peer := RoleCoSigner
	if self == RoleCoSigner {
		peer = RoleRuntime
	}
	return Session{
		ID: [32]byte(hash.Sum(nil)), Wallet: wallet.ID, Epoch: wallet.Epoch, Derivation: wallet.Derivation, Self: self, Peer: peer,
	}, nil
}

// Parties are both sides of a session: fresh randomness and the pinned identity of each.
type Parties struct {
	Runtime, CoSigner       Opening
	RuntimeKey, CoSignerKey ed25519.PublicKey
}

// BindFrame tells the co-signer what the session is for.
func BindFrame(session Session, armed *abi.Armed) (Frame, error) {
	hash, err := ArmedHash(armed)
	if err != nil {
		return Frame{}, err
	}
	body, err := armed.Marshal()
	if err != nil {
		return Frame{}, fmt.Errorf("encode armed record of payment %s: %w", armed.Payment, err)
	}
	return Frame{Session: session.Binding(), Armed: hash, From: session.Self, To: session.Peer, Type: bindType, Body: body}, nil
}

// ReadBind takes the record out of a frame and checks that the frame is this session's and speaks of that record. Who
// signed the record is the caller's to check.
func ReadBind(session Session, frame Frame) (*abi.Armed, [32]byte, error) {
	bad := func(message string) (*abi.Armed, [32]byte, error) {
		return nil, [32]byte{}, frameError(message)
	}
	if frame.Session != session.Binding() || frame.From != session.Peer || frame.To != session.Self {
		return bad("the frame belongs to another session")
	}
	if frame.Type != bindType || frame.Seq != 0 {
		return bad("the session waits for an armed record and for nothing else")
	}
	armed := new(abi.Armed)
	if err := armed.Unmarshal(frame.Body); err != nil {
		return bad("the frame holds no armed record")
	}
	hash, err := ArmedHash(armed)
	if err != nil || hash != frame.Armed {
		return bad("the frame does not carry the hash of its record")
	}
	if armed.Wallet != session.Wallet || armed.Path != session.Derivation.Path || armed.Epoch != uint64(session.Epoch) {
		return bad("the record is for another key than the session's")
	}
	return armed, hash, nil
}
