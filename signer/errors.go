package signer

import "github.com/purserhq/purser/abi"

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
