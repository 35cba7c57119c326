package mpc

import (
	"context"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// Codes of the errors this package returns, all of them *abi.Error.
const (
	// CodeInputInvalid: the caller's session, keyshare or digest cannot be used. Nothing was sent.
	CodeInputInvalid = signer.CodeInputInvalid
	// CodeKeyshareInvalid: bytes that are no keyshare, or one whose numbers contradict each other.
	CodeKeyshareInvalid = "mpc_keyshare_invalid"
	// CodeMessageRefused: the guard refused a message. The authenticated peer is to blame.
	CodeMessageRefused = signer.CodeMessageRefused
	// CodeProtocolFailed: a proof or check inside the protocol failed. With honest software on both sides this
	// means that one of them is compromised; it cannot always be said which.
	CodeProtocolFailed = signer.CodeProtocolFailed
	// CodeInterrupted: the context ended or the transport failed before our last message left. The peer cannot
	// have a signature from this session.
	CodeInterrupted = "mpc_interrupted"
	// CodeSpendNotRecorded: beforeLast failed, so our last message was withheld.
	CodeSpendNotRecorded = "mpc_spend_not_recorded"
	// CodeOutcomeUnknown: something failed after our last message left. The peer may hold the signature: the
	// spend stays committed. Only the identical digest may be signed again, in a new session.
	CodeOutcomeUnknown = "mpc_outcome_unknown"
	// CodeSignatureInvalid: the protocol finished with something that is no canonical signature of the digest
	// under the wallet's key. It was not released.
	CodeSignatureInvalid = signer.CodeResultInvalid
)

func inputError(where, message string) error {
	return &abi.Error{Code: CodeInputInvalid, Message: message, Where: where, Fix: "correct the call", Retry: abi.RetryNever}
}

// refusal blames the peer. The reason is written by us from a closed set of sentences: it never repeats the peer's
// bytes, because a keygen message holds a secret meant for us.
func refusal(peer Role, frameType string, reason error) error {
	return &abi.Error{
		Code:    CodeMessageRefused,
		Message: fmt.Sprintf("a message from the %s was refused", peer),
		Where:   frameType,
		Fix:     "start a new session; if it happens again treat the peer as compromised",
		Retry:   abi.RetryLater,
		Cause:   reason,
	}
}

func protocolError(message string, cause error) error {
	return &abi.Error{
		Code: CodeProtocolFailed, Message: message,
		Fix:   "start a new session; if it happens again treat the peer as compromised",
		Retry: abi.RetryLater, Cause: cause,
	}
}

func interrupted(doing string, cause error) error {
	return &abi.Error{
		Code: CodeInterrupted, Message: doing, Fix: "start a new session", Retry: abi.RetryLater, Cause: cause,
	}
}

// interruption turns an ended context into an error, with the reason the context was given.
func interruption(ctx context.Context, doing string) error {
	if ctx.Err() == nil {
		return nil
	}
	return interrupted(doing, errors.Join(ctx.Err(), context.Cause(ctx)))
}

// missing explains why no frame came. One that cannot be decoded is the peer's fault, not the network's.
func missing(peer Role, cause error) error {
	if abi.CodeOf(cause) == signer.CodeFrameInvalid {
		return refusal(peer, "", cause)
	}
	return interrupted(fmt.Sprintf("the next message of the %s did not arrive", peer), cause)
}

func unknownOutcome(cause error) error {
	return &abi.Error{
		Code:    CodeOutcomeUnknown,
		Message: "the session failed after our last message left, so the peer may hold the signature",
		Fix:     "keep the spend committed and sign the identical digest in a new session",
		Retry:   abi.RetrySameKey,
		Cause:   cause,
	}
}
