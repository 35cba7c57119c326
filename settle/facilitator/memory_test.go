package facilitator_test

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/facilitator"
	"github.com/purserhq/purser/settle/facilitator/journaltest"
)

// memory is a Journal for tests of this package. It can be told to fail.
type memory struct {
	mu   sync.Mutex
	rows map[facilitator.ClaimKey]*facilitator.Settlement
	// afterAttempt runs after an attempt is durable; an error is returned in its place.
	afterAttempt func() error
}

var _ facilitator.Journal = (*memory)(nil)

func newMemory() *memory {
	return &memory{rows: map[facilitator.ClaimKey]*facilitator.Settlement{}}
}

func TestTheJournalOfTheseTestsConforms(t *testing.T) {
	t.Parallel()
	j := newMemory()
	journaltest.Exercise(t, func() facilitator.Journal { return j })
}

func cloned(s facilitator.Settlement) facilitator.Settlement {
	s.CallData = bytes.Clone(s.CallData)
	s.Attempts = slices.Clone(s.Attempts)
	for i := range s.Attempts {
		s.Attempts[i].Raw = bytes.Clone(s.Attempts[i].Raw)
	}
	if s.Result != nil {
		result := *s.Result
		s.Result = &result
	}
	return s
}

// change runs a change of one row, or reports that there is none.
func (m *memory) change(ctx context.Context, key facilitator.ClaimKey, run func(*facilitator.Settlement) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	row, ok := m.rows[key]
	if !ok {
		return &abi.Error{Code: facilitator.CodeJournalUnknown, Message: "no such claim"}
	}
	return run(row)
}

var errConflict = &abi.Error{Code: facilitator.CodeJournalConflict, Message: "the record says otherwise"}

func (m *memory) Claim(ctx context.Context, c facilitator.Claim) (facilitator.Settlement, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return facilitator.Settlement{}, false, err
	}
	row, exists := m.rows[c.Key]
	if !exists {
		fresh := cloned(facilitator.Settlement{Claim: c})
		row = &fresh
		m.rows[c.Key] = row
	}
	return cloned(*row), !exists, nil
}

func (m *memory) Find(ctx context.Context, key facilitator.ClaimKey) (s facilitator.Settlement, found bool, err error) {
	err = m.change(ctx, key, func(row *facilitator.Settlement) error { s, found = cloned(*row), true; return nil })
	if abi.CodeOf(err) == facilitator.CodeJournalUnknown {
		err = nil
	}
	return s, found, err
}

func (m *memory) RecordAttempt(ctx context.Context, key facilitator.ClaimKey, a facilitator.Attempt) error {
	err := m.change(ctx, key, func(row *facilitator.Settlement) error {
		if row.Result != nil {
			return errConflict
		}
		for other, s := range m.rows {
			taken := func(b facilitator.Attempt) bool { return b.RelayerNonce == a.RelayerNonce }
			if other != key && s.Relayer == row.Relayer && other.Asset.Network() == key.Asset.Network() && s.Result == nil &&
				slices.ContainsFunc(s.Attempts, taken) {
				return errConflict
			}
		}
		if slices.ContainsFunc(row.Attempts, func(b facilitator.Attempt) bool { return b.TxHash == a.TxHash }) {
			return nil
		}
		a.Raw = bytes.Clone(a.Raw)
		row.Attempts = append(row.Attempts, a)
		return nil
	})
	if err == nil && m.afterAttempt != nil {
		return m.afterAttempt()
	}
	return err
}

func (m *memory) RecordResult(ctx context.Context, key facilitator.ClaimKey, r facilitator.Result) error {
	return m.change(ctx, key, func(row *facilitator.Settlement) error {
		if row.Result == nil {
			row.Result = &r
			return nil
		}
		stored, given := *row.Result, r
		stored.At, given.At = time.Time{}, time.Time{}
		if stored != given {
			return errConflict
		}
		return nil
	})
}

func (m *memory) Deliver(ctx context.Context, key facilitator.ClaimKey) (first bool, err error) {
	err = m.change(ctx, key, func(row *facilitator.Settlement) error {
		if row.Result == nil || !row.Result.Success {
			return errConflict
		}
		first = !row.Delivered
		row.Delivered = true
		return nil
	})
	return first, err
}

func (m *memory) Release(ctx context.Context, key facilitator.ClaimKey) error {
	return m.change(ctx, key, func(row *facilitator.Settlement) error {
		if row.Result != nil || len(row.Attempts) > 0 {
			return errConflict
		}
		delete(m.rows, key)
		return nil
	})
}

func (m *memory) ListOpen(ctx context.Context, network abi.Network, relayer evm.Address) ([]facilitator.Settlement, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var list []facilitator.Settlement
	for key, s := range m.rows {
		if s.Result == nil && s.Relayer == relayer && key.Asset.Network() == network {
			list = append(list, cloned(*s))
		}
	}
	firstNonce := func(s facilitator.Settlement) uint64 {
		if len(s.Attempts) == 0 {
			return math.MaxUint64
		}
		return s.Attempts[0].RelayerNonce
	}
	slices.SortFunc(list, func(a, b facilitator.Settlement) int { return cmp.Compare(firstNonce(a), firstNonce(b)) })
	return list, nil
}
