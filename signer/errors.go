package signer

import (
	"errors"

	"github.com/purserhq/purser/abi"
)

// Codes of errors about sessions and frames.
const (
	// CodeInputInvalid: the caller's session cannot be used. Nothing was sent.
	CodeInputInvalid = "mpc_input_invalid"
	// CodeFrameInvalid: bytes that are no frame.
	CodeFrameInvalid = "mpc_frame_invalid"
)

func inputError(where, message string) error {
	return &abi.Error{Code: CodeInputInvalid, Message: message, Where: where, Fix: "correct the call", Retry: abi.RetryNever}
}

// Unsent is a signing attempt that failed before our last message left: with whatever the co-signer holds it cannot
// finish the signature alone. A Signer that cannot tell returns another error, and then a signature may exist.
type Unsent struct{ Cause error }

func (u *Unsent) Error() string { return u.Cause.Error() }
func (u *Unsent) Unwrap() error { return u.Cause }

// NothingLeft reports whether an error of [Signer.Sign] proves that our last message has not left in that attempt.
func NothingLeft(err error) bool {
	var unsent *Unsent
	return errors.As(err, &unsent)
}
