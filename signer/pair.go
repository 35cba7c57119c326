package signer

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/purserhq/purser/abi"
)

// signingTimeMax bounds one session, cold signing on a busy machine included.
const signingTimeMax = 30 * time.Second

// Pair is the runtime's Signer: it runs the runtime's party against one co-signer. Safe for concurrent use.
type Pair struct {
	config PairConfig
}

// PairConfig is what a Pair needs. Every field is required.
type PairConfig struct {
	Wallet   Wallet
	Engine   Engine
	CoSigner CoSigner
	// Identity is the runtime's own, CoSignerKey the co-signer's public one.
	Identity    Identity
	CoSignerKey ed25519.PublicKey
	Random      io.Reader
}

var _ Signer = (*Pair)(nil)

// NewPair checks that the engine's keyshare belongs to the wallet.
func NewPair(config PairConfig) (*Pair, error) {
	if string(config.Engine.PublicKey()) != string(config.Wallet.PublicKey) {
		return nil, fmt.Errorf("wallet %s: the keyshare belongs to another key", config.Wallet.ID)
	}
	return &Pair{config: config}, nil
}

// Sign checks both signatures on the record, opens a session with the co-signer and runs our party.
func (p *Pair) Sign(ctx context.Context, armed *abi.Armed) (Signature, error) {
	if err := VerifyArmed(armed, RoleCoSigner, p.config.CoSignerKey); err != nil {
		return Signature{}, err
	}
	if err := VerifyArmed(armed, RoleRuntime, p.config.Identity.Public()); err != nil {
		return Signature{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, signingTimeMax)
	defer cancel()
	var ours Opening
	if _, err := io.ReadFull(p.config.Random, ours[:]); err != nil {
		return Signature{}, fmt.Errorf("sign payment %s: read randomness: %w", armed.Payment, err)
	}
	here, there := Pipe()
	defer func() { _ = here.Close() }() // a pipe's Close never fails
	theirs, err := p.config.CoSigner.Join(ctx, armed, ours, there)
	if err != nil {
		return Signature{}, fmt.Errorf("sign payment %s: %w", armed.Payment, err)
	}
	session, err := NewSession(armed, p.config.Wallet, RoleRuntime, ours, theirs)
	if err != nil {
		return Signature{}, err
	}
	// The armed row is our durable record of a possible spend: nothing releases it without proof from the chain.
	signature, err := p.config.Engine.Sign(ctx, session, [32]byte(armed.Digest), here, func() error { return nil })
	if err != nil {
		return Signature{}, fmt.Errorf("sign payment %s: %w", armed.Payment, err)
	}
	if err := signature.Verify(p.config.Wallet.PublicKey, [32]byte(armed.Digest)); err != nil {
		return Signature{}, errors.Join(&abi.Error{
			Code: "signature_invalid", Where: armed.Payment,
			Message: "the signing session's result does not verify", Fix: "treat the co-signer as compromised",
		}, err)
	}
	return signature, nil
}

// NewSession names the session of one attempt to sign one armed record: both openings are in its id, so that
// neither side can make the other run a session twice.
func NewSession(armed *abi.Armed, wallet Wallet, self Role, runtime, cosigner Opening) (Session, error) {
	promise, err := ArmedHash(armed)
	if err != nil {
		return Session{}, err
	}
	hash := sha256.New()
	hash.Write([]byte("purser.session.v1"))
	hash.Write(promise[:])
	hash.Write(runtime[:])
	hash.Write(cosigner[:])
	peer := RoleCoSigner
	if self == RoleCoSigner {
		peer = RoleRuntime
	}
	return Session{ID: [32]byte(hash.Sum(nil)), Wallet: wallet.ID, Epoch: wallet.Epoch, Self: self, Peer: peer}, nil
}
