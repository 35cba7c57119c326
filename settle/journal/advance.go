package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/x402"
)

// advance changes one claim that is in one of the states from. The state is read
// and changed under the writer's lock.
func (s *Claims) advance(ctx context.Context, what string, key x402.ClaimKey, from []x402.ClaimState,
	set string, args ...any,
) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		record, found, err := read(ctx, tx, key)
		switch {
		case err != nil:
			return err
		case !found:
			return errUnknown(key)
		case !slices.Contains(from, record.State):
			return &abi.Error{
				Code: x402.CodeClaimConflict, Where: key.Payer,
				Message: fmt.Sprintf("the claim is in state %d", record.State),
			}
		}
		_, err = tx.ExecContext(ctx, "UPDATE claim SET "+set+byKey, keyArgs(key, args...)...) // #nosec G202 -- set is a constant of this file
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func errUnknown(key x402.ClaimKey) error {
	return &abi.Error{Code: x402.CodeClaimUnknown, Message: "there is no claim for this payment", Where: key.Payer}
}

// Answered implements x402.Claims.
func (s *Claims) Answered(ctx context.Context, key x402.ClaimKey, answer x402.Answer, leaseUntil time.Time) error {
	header, err := json.Marshal(answer.Header)
	if err != nil {
		return fmt.Errorf("keep an answer: %w", err)
	}
	return s.advance(ctx, "keep an answer", key, []x402.ClaimState{x402.ClaimRunning},
		"state = ?, lease_ms = ?, attempts = 1, status = ?, header = ?, body = ?",
		x402.ClaimAnswered, leaseUntil.UnixMilli(), answer.Status, string(header), answer.Body)
}

// Finish implements x402.Claims.
func (s *Claims) Finish(ctx context.Context, key x402.ClaimKey, answer x402.Answer) error {
	header, err := json.Marshal(answer.Header)
	if err != nil {
		return fmt.Errorf("keep a final answer: %w", err)
	}
	return s.advance(ctx, "keep a final answer", key, []x402.ClaimState{x402.ClaimRunning, x402.ClaimAnswered},
		"state = ?, lease_ms = 0, status = ?, header = ?, body = ?",
		x402.ClaimFinished, answer.Status, string(header), answer.Body)
}

// Unlease implements x402.Claims.
func (s *Claims) Unlease(ctx context.Context, key x402.ClaimKey) error {
	return s.advance(ctx, "give a settlement back", key, []x402.ClaimState{x402.ClaimAnswered}, "lease_ms = 0")
}

// Lease implements x402.Claims.
func (s *Claims) Lease(ctx context.Context, key x402.ClaimKey, now, until time.Time) (record x402.ClaimRecord, taken bool, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE claim SET lease_ms = ?, attempts = attempts + 1"+byKey+
			" AND state = ? AND lease_ms <= ?",
			append(keyArgs(key, until.UnixMilli()), x402.ClaimAnswered, now.UnixMilli())...)
		if err != nil {
			return err
		}
		rows, err := result.RowsAffected()
		if err != nil {
			return err
		}
		taken = rows == 1
		var found bool
		if record, found, err = read(ctx, tx, key); err == nil && !found {
			err = errUnknown(key)
		}
		return err
	})
	if err != nil {
		return x402.ClaimRecord{}, false, fmt.Errorf("take over a settlement: %w", err)
	}
	return record, taken, nil
}
