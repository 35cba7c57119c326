package store

import (
	"fmt"

	"github.com/purserhq/purser/abi"
)

// Sentinels: compare with errors.Is, which matches abi errors by code.
var (
	// ErrNotFound: no such row or agent.
	ErrNotFound = &abi.Error{Code: "not_found", Message: "no such record"}
	// ErrConflict: the row moved since it was read. Read it again.
	ErrConflict = &abi.Error{Code: "conflict", Message: "the record changed meanwhile", Retry: abi.RetryLater}
	// ErrWriteOnce: a digest or a response was already fixed to something else, or the digest
	// belongs to another row. This is a broken invariant: the payment stops.
	ErrWriteOnce = &abi.Error{Code: "write_once", Message: "a value that is fixed for ever would change"}
	// ErrSlotTaken: a change asked for a slot that another row holds. Nothing changed.
	ErrSlotTaken = &abi.Error{Code: "slot_taken", Message: "another record holds the slot", Retry: abi.RetryLater}
	// ErrCommitUnknown: the database did not say whether the commit happened.
	ErrCommitUnknown = &abi.Error{
		Code: "commit_unknown", Message: "the ledger did not confirm the change",
		Fix: "read the payment again before doing anything else", Retry: abi.RetrySameKey,
	}
)

// NoRoomError says which budget a reservation did not fit. Nothing was reserved.
type NoRoomError struct {
	Meter Meter
	Limit Limit
	// Level is what already counted, Add what was asked for.
	Level, Add abi.Amount
}

func (e *NoRoomError) Error() string {
	return fmt.Sprintf("budget %s of %s: %s used + %s asked > %s", e.Limit.Name, e.Meter, e.Level, e.Add, e.Limit.Max)
}
