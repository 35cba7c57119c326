// Package signer holds what both signers agree on: the wallet, the Armed record that fixes what may be signed, and
// the contracts of the engine and the co-signer. It verifies what comes back and refuses to know how money moves or
// which MPC library does the arithmetic.
package signer

import (
	"context"

	"github.com/purserhq/purser/abi"
)

// Signer turns an Armed record into a signature. A third party can supply another kind of signer.
type Signer interface {
	// Sign signs armed.Digest with the agent's key and nothing else. It may be repeated with the same record: the bytes
	// may differ, the digest never does. The result was verified against the wallet's key. A time-out means that the
	// signature may exist somewhere.
	Sign(ctx context.Context, agent string, armed *abi.Armed) (Signature, error)
	// Expect says that a payment of the agent may be signed soon, so that what does not need the digest can be done
	// ahead. It returns at once and promises nothing.
	Expect(agent string)
}

// CoSigner is the second party as the runtime sees it. It takes nothing from the runtime but what these messages
// hold, and decides for itself. An error that is not a *Refused is a failure to answer: the runtime treats both
// as "do not sign", but only a *Refused says that nothing is armed.
type CoSigner interface {
	// Consult evaluates the intent before nonce and expiry are fixed. It reserves nothing.
	Consult(ctx context.Context, request *abi.ConsultRequest) (*abi.Decision, error)
	// Arm evaluates again, decodes the preimage, reserves in the co-signer's own ledger and makes the promise
	// durable before it answers. Repeated with the same preimage it answers the same; with another it refuses.
	Arm(ctx context.Context, request *abi.ArmRequest) (*abi.Armed, error)
	// Join opens a signing session and runs the co-signer's party on the transport until it ends. Rounds that do not
	// need the digest run at once; then the co-signer waits, for a bounded time, for the frame of [BindFrame] with a
	// record that both sides signed. It closes the transport when the session is over.
	Join(ctx context.Context, request *abi.SessionRequest, transport Transport) (*abi.SessionAnswer, error)
	// Disclaim makes a durable promise never to sign what was armed, or refuses because a signature may exist.
	Disclaim(ctx context.Context, armed *abi.Armed) (*abi.Tombstone, error)
}

// Opening is one side's fresh randomness for a session id.
type Opening [16]byte

// Engine runs one party of signing sessions with one keyshare. signer/mpc has the real one.
type Engine interface {
	// PublicKey is the root key as the engine's keyshare says it: uncompressed, 65 bytes, first byte 4.
	PublicKey() []byte
	// Prepare runs the part of a session that does not depend on what will be signed. It costs nearly all of a
	// session's arithmetic, about half a second of a core, and nothing it sends lets the peer go on alone.
	Prepare(ctx context.Context, session Session, transport Transport) (Prepared, error)
}

// Prepared is a session that waits for its digest. It is single use and never leaves memory.
type Prepared interface {
	// Sign fixes the digest and runs the session to its end; every frame carries armed, the hash of the record that
	// both sides signed. beforeLast is called once, before this side's last message leaves: what it makes durable is
	// durable before a signature can exist. Its error aborts the session.
	Sign(ctx context.Context, digest, armed [32]byte, beforeLast func() error) (Signature, error)
}

// Refused is the co-signer's "no", with its own decision. It also means that no digest of this payment is armed.
type Refused struct {
	// Decision is what the co-signer decided, never nil.
	Decision *abi.Decision
}

func (r *Refused) Error() string {
	return "co-signer refused: " + r.Decision.Outcome.String()
}
