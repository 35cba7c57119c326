package ceremony

import (
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// Codes of the errors of this package, beside those of the engine and of the keystore.
const (
	// CodeInputInvalid: the caller's arguments cannot be used. Nothing was sent.
	CodeInputInvalid = "ceremony_input_invalid"
	// CodeDiffers: the seats were not told the same. Nothing has changed.
	CodeDiffers = "ceremony_differs"
	// CodePeerRefused: another seat sent what no honest one sends. The epoch in force is the one before.
	CodePeerRefused = "ceremony_peer_refused"
	// CodeInterrupted: a seat or the network fell silent before anything could be put in force.
	CodeInterrupted = "ceremony_interrupted"
	// CodeUndecided: contact was lost while the new epoch was being put in force. Resume tells which one holds.
	CodeUndecided = "ceremony_undecided"
	// CodeUnsettled: the new epoch is in force here; not every seat has said so, so the old share is kept. Resume ends it.
	CodeUnsettled = "ceremony_unsettled"
	// CodeInconsistent: what the seats have cannot come from ceremonies alone. Nothing was changed.
	CodeInconsistent = "ceremony_inconsistent"
	// CodeImpossible: the wallet is not in a state in which this can be done.
	CodeImpossible = "ceremony_impossible"
)

func inputError(where, format string, args ...any) error {
	return &abi.Error{Code: CodeInputInvalid, Where: where, Message: fmt.Sprintf(format, args...), Fix: "correct the call", Retry: abi.RetryNever}
}

func differs(where, format string, args ...any) error {
	return &abi.Error{
		Code: CodeDiffers, Where: where, Message: fmt.Sprintf(format, args...), Retry: abi.RetryNever,
		Fix: "start the ceremony with the same words at every seat, and compare what the configurations pin",
	}
}

func refused(peer signer.Role, format string, args ...any) error {
	return &abi.Error{
		Code: CodePeerRefused, Message: fmt.Sprintf("the %s: ", peer) + fmt.Sprintf(format, args...), Retry: abi.RetryLater,
		Fix: "nothing was put in force; start again, and if it happens again treat that host as compromised",
	}
}

func inconsistent(format string, args ...any) error {
	return &abi.Error{
		Code: CodeInconsistent, Message: fmt.Sprintf(format, args...), Retry: abi.RetryNever,
		Fix: "change nothing by hand; find out which host's folder was restored, replaced or lies, and recover that role",
	}
}

func impossible(fix, format string, args ...any) error {
	return &abi.Error{Code: CodeImpossible, Message: fmt.Sprintf(format, args...), Fix: fix, Retry: abi.RetryNever}
}

// interrupted keeps a code that says more than "interrupted".
func interrupted(doing string, cause error) error {
	var coded *abi.Error
	if errors.As(cause, &coded) {
		return fmt.Errorf("%s: %w", doing, cause)
	}
	return &abi.Error{
		Code: CodeInterrupted, Message: doing, Retry: abi.RetryLater, Cause: cause,
		Fix: "start the ceremony again at every seat; the epoch in force is unchanged",
	}
}

func undecided(cause error) error {
	return &abi.Error{
		Code: CodeUndecided, Message: "contact was lost while the new epoch was being put in force", Retry: abi.RetryLater,
		Fix: "run at every seat: purser ceremony resume", Cause: cause,
	}
}

func unsettled(cause error) error {
	return &abi.Error{
		Code: CodeUnsettled, Message: "the new epoch is in force here, but not every seat has confirmed it, so the old share is kept",
		Fix: "run at every seat: purser ceremony resume", Retry: abi.RetryLater, Cause: cause,
	}
}
