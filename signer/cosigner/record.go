package cosigner

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/runtime/peer"
	"github.com/purserhq/purser/runtime/store"
)

// States of a row in the co-signer's ledger.
const (
	consulted = "consulted" // decided at least once, nothing promised
	armed     = "armed"     // promised: one digest, reserved
	spent     = "spent"     // our last message may have left: a signature may exist
	settled   = "settled"   // the chain shows the transfer
	dead      = "dead"      // the chain shows that it can never happen
)

// promised reports whether a digest of the payment exists on this side.
func promised(state string) bool { return state != consulted }

// record is the body of a row: what was decided and promised.
type record struct {
	Decision abi.Decision      `json:"decision"`
	Armed    *abi.Armed        `json:"armed,omitempty"`
	Transfer preimage.Transfer `json:"transfer"`
	// Floor is what was known of the runtime's ledger when the payment was last consulted on.
	Floor peer.Floor `json:"floor"`
	// Tombstone is our word that the promise is never signed.
	Tombstone *abi.Tombstone `json:"tombstone,omitempty"`
}

func readRecord(row store.Row) (record, error) {
	var r record
	if err := json.Unmarshal(row.Body, &r); err != nil {
		return r, fmt.Errorf("read co-signer record %s: %w", row.ID, err)
	}
	return r, nil
}

// change is the next version of a row with its log entry. What the caller does not set stays.
func change(row store.Row, state string, r record, kind string, detail any) (store.Change, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return store.Change{}, fmt.Errorf("write co-signer record %s: %w", row.ID, err)
	}
	entry, err := entryOf(kind, row.ID, detail)
	if err != nil {
		return store.Change{}, err
	}
	return store.Change{Tenant: row.Tenant, ID: row.ID, Version: row.Version, State: state, Body: body, Due: row.Due, Entry: entry}, nil
}

func entryOf(kind, payment string, detail any) (store.Entry, error) {
	body, err := json.Marshal(detail)
	if err != nil {
		return store.Entry{}, fmt.Errorf("write co-signer entry %s: %w", kind, err)
	}
	return store.Entry{Kind: kind, Payment: payment, Body: body}, nil
}

// expiry is when the promise can no longer be used, by its own word.
func expiry(r record) time.Time {
	return time.Unix(int64(r.Armed.ExpiresUnixS), 0) //nolint:gosec // at most 2^53-1, by the codec
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
