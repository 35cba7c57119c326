package mpc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/big"

	"github.com/bnb-chain/tss-lib/v2/common"
	"github.com/bnb-chain/tss-lib/v2/eddsa/signing"
	"github.com/bnb-chain/tss-lib/v2/tss"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// EdMessageBytesMax bounds what an Ed25519 wallet signs: the longest transaction Solana takes, an IPv6 packet without
// its headers (docs.solana.com, "Transactions"). The library turns the message into a number and back.
const EdMessageBytesMax = 1232

// BindingEdDSA is what every frame of [Engine.SignEdDSA] carries in [Frame.Session]. It holds the message: two sides
// that were told to sign different ones refuse each other's first frame.
func BindingEdDSA(session Session, message []byte) [32]byte {
	low, high := min(session.Self, session.Peer), max(session.Self, session.Peer)
	protocol := fmt.Sprintf("purser/mpc/v2/sign/eddsa-ed25519:%x", sha256.Sum256(message))
	return signer.BindSession(protocol, session.ID, session.Wallet, session.Epoch, low, high)
}

// SignEdDSA runs this party's side of one session of an Ed25519 wallet and returns the signature of message under
// share's wallet, verified by the standard library. The message is signed as it is (PureEdDSA), leading zeros included.
// Both sides call it with the same message and the same armed, the hash of the record that allows it.
//
// beforeLast and the errors are as in [Prepared.Sign]; there is nothing to prepare ahead, since a session costs both
// sides together about an eighth of a CPU-second. The library has no derived keys for this scheme: a session with a
// derivation is refused.
func (e *Engine) SignEdDSA(
	ctx context.Context, session Session, share EdKeyshare, message []byte, armed [32]byte,
	transport Transport, beforeLast func() error,
) (EdSignature, error) {
	if err := checkEdSigning(session, share, message, armed, transport, beforeLast); err != nil {
		return EdSignature{}, err
	}
	if err := interruption(ctx, "the context ended before the session began"); err != nil {
		return EdSignature{}, err
	}
	message = bytes.Clone(message) // it is read again at the end
	if err := e.claim(BindingEdDSA(session, message), session.Self); err != nil {
		return EdSignature{}, err
	}
	run, finished, err := newEdSigningRun(session, share, message, e.random)
	if err != nil {
		return EdSignature{}, err
	}
	run.armed, run.transport, run.beforeLast = armed, transport, beforeLast
	if err = run.start(); err == nil {
		err = run.complete(ctx, edSigningMessages)
	}
	if err == nil {
		var signature EdSignature
		if signature, err = edSignatureFrom(finished, share.PublicKey(), message); err == nil {
			return signature, nil
		}
	}
	if run.lastLeft {
		return EdSignature{}, unknownOutcome(err)
	}
	return EdSignature{}, err
}

func newEdSigningRun(
	session Session, share EdKeyshare, message []byte, random io.Reader,
) (*pairRun, <-chan *common.SignatureData, error) {
	finished := make(chan *common.SignatureData, 1)
	run := &pairRun{
		self: session.Self, peer: session.Peer, binding: BindingEdDSA(session, message), lastType: edLastType,
		produced: make(chan tss.Message, edSigningMessages),
	}
	err := caught(func() error {
		self := partyID(session.Self, share.secret.ids[session.Self.Index()])
		peer := partyID(session.Peer, share.secret.ids[session.Peer.Index()])
		parties := tss.SortPartyIDs(tss.UnSortedPartyIDs{self, peer}) // sets the indexes in place
		params := tss.NewParameters(edCurve, tss.NewPeerContext(parties), self, len(parties), partyThreshold)
		params.SetRand(random)
		params.SetPartialKeyRand(random)
		// Without the length the library drops leading zero bytes of the message.
		run.party = signing.NewLocalParty(
			new(big.Int).SetBytes(message), params, share.secret.forEdLibrary(), run.produced, finished, len(message))
		run.guard = newGuard(run.binding, edSigningRules, &facts{self: session.Self}, map[Role]*tss.PartyID{session.Peer: peer})
		return nil
	})
	if err != nil {
		return nil, nil, protocolError("the session could not be prepared", err)
	}
	return run, finished, nil
}

// edSignatureFrom takes over the library's result if it is a signature of our message under our key. The library's own
// copies of both are ignored.
func edSignatureFrom(finished <-chan *common.SignatureData, key EdPublicKey, message []byte) (EdSignature, error) {
	var signature EdSignature
	select {
	case result := <-finished:
		if copy(signature[:], result.GetSignature()) != len(signature) || len(result.GetSignature()) != len(signature) ||
			!signature.Verify(key, message) {
			return EdSignature{}, signatureError()
		}
		return signature, nil
	default:
		return EdSignature{}, protocolError("the session ended without a signature", nil)
	}
}

func checkEdSigning(
	session Session, share EdKeyshare, message []byte, armed [32]byte, transport Transport, beforeLast func() error,
) error {
	if err := session.Check(); err != nil {
		return err
	}
	switch {
	case session.Derivation != (signer.Derivation{}):
		return inputError("session", "an ed25519 wallet has no derived keys")
	case share.secret == nil:
		return inputError("keyshare", "there is no keyshare")
	case share.Role() != session.Self:
		return inputError("keyshare", "the keyshare belongs to another role than the session's")
	case len(message) == 0 || len(message) > EdMessageBytesMax:
		return &abi.Error{
			Code: CodeInputInvalid, Message: fmt.Sprintf("an ed25519 wallet signs messages of 1 to %d bytes", EdMessageBytesMax),
			Where: "message", Fix: "correct the call", Retry: abi.RetryNever,
		}
	case armed == ([32]byte{}) || transport == nil || beforeLast == nil:
		return inputError("session",
			"a session needs the hash of its armed record, a transport and a function that records the spend")
	}
	return nil
}
