package keystore

import (
	"fmt"

	"github.com/purserhq/purser/abi"
)

// Codes of the errors of this package.
const (
	// CodeLocked: the key wrapper cannot unwrap: a wrong passphrase, another key, or altered bytes.
	CodeLocked = "keystore_locked"
	// CodeOtherStore: the keystore is sealed to another ledger. A copy beside a second ledger could spend twice.
	CodeOtherStore = "keystore_other_store"
	// CodeOtherRole: the keystore belongs to another role. No host may run two.
	CodeOtherRole = "keystore_other_role"
	// CodeOtherWrapper: the keystore was made with another kind of key wrapper.
	CodeOtherWrapper = "keystore_other_wrapper"
	// CodeAltered: bytes that are not what this keystore wrote there.
	CodeAltered = "keystore_altered"
	// CodeExposed: somebody else may read or replace a file or folder.
	CodeExposed = "file_exposed"
	// CodeInputInvalid: the caller's arguments cannot be used. Nothing changed.
	CodeInputInvalid = "keystore_input_invalid"
	// CodeNotFound: there is no such wallet, epoch or identity.
	CodeNotFound = "keystore_not_found"
	// CodeEpochRefused: the epoch is active, taken, or older than the active one.
	CodeEpochRefused = "keystore_epoch_refused"
	// CodeUnassigned: the wallet waits in the pool and belongs to nobody.
	CodeUnassigned = "keystore_wallet_unassigned"
	// CodePoolEmpty: there is nothing to take.
	CodePoolEmpty = "keystore_pool_empty"
	// CodeWrapperFailed: the key wrapper gave no answer. It says nothing about the key.
	CodeWrapperFailed = "keystore_wrapper_failed"
	// CodeReopen: a write failed half way, or the keystore is closed. Only the disk knows the truth.
	CodeReopen = "keystore_reopen"
	// CodeRecoveryInvalid: bytes that are no sealed recovery share.
	CodeRecoveryInvalid = "recovery_share_invalid"
	// CodeRecoveryOtherRecipient: the recovery share is sealed to somebody else's key.
	CodeRecoveryOtherRecipient = "recovery_share_other_recipient"
)

func inputError(where, format string, args ...any) error {
	return &abi.Error{Code: CodeInputInvalid, Message: fmt.Sprintf(format, args...), Where: where, Fix: "correct the call", Retry: abi.RetryNever}
}

func alteredError(where, message string) error {
	return &abi.Error{
		Code: CodeAltered, Message: message, Where: where, Retry: abi.RetryNever,
		Fix: "find out who wrote there, then restore the folder from its backup",
	}
}

func notFound(where, message string) error {
	return &abi.Error{Code: CodeNotFound, Message: message, Where: where, Retry: abi.RetryNever}
}

func epochRefused(wallet string, epoch uint32, message, fix string) error {
	return &abi.Error{Code: CodeEpochRefused, Message: message, Where: fmt.Sprintf("%s epoch %d", wallet, epoch), Fix: fix, Retry: abi.RetryNever}
}

func lockedError(where string) error {
	return &abi.Error{
		Code: CodeLocked, Message: "the key wrapper cannot unwrap this key", Where: where, Retry: abi.RetryNever,
		Fix: "give the passphrase or the key service the keystore was made with",
	}
}
