package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

// Facts implements store.Store. One read transaction is one snapshot of the write-ahead log.
func (s *Store) Facts(ctx context.Context, query store.FactQuery) (facts store.Facts, err error) {
	if err := ledger.CheckFactQuery(query); err != nil {
		return facts, err
	}
	tx, err := s.db.Read().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return facts, fmt.Errorf("read facts: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it only read
	b := newBatch(tx)
	heads, err := b.heads(ctx, []string{query.Tenant})
	if err != nil {
		return facts, err
	}
	now, err := s.clock.Now(query.Tenant, s.now().UnixMilli(), heads[query.Tenant].TimeMS)
	if err != nil {
		return facts, err
	}
	facts.Now, facts.Position = ledger.FromMillis(now), heads[query.Tenant].Position
	if facts.Levels, err = b.levels(ctx, query, now); err != nil {
		return store.Facts{}, fmt.Errorf("read levels: %w", err)
	}
	if err := b.sightings(ctx, query, &facts); err != nil {
		return store.Facts{}, fmt.Errorf("read sightings: %w", err)
	}
	return facts, nil
}

func (b *batch) levels(ctx context.Context, query store.FactQuery, now int64) ([]abi.Amount, error) {
	levels := make([]abi.Amount, len(query.Levels))
	for i, want := range query.Levels {
		meter := ledger.MeterRef{Tenant: query.Tenant, Meter: want.Meter.String()}
		ref, all := ledger.LevelOf(meter, want.Window, now)
		var err error
		if all {
			var sequence uint64
			_, err = b.one(ctx, selectMeter, []any{meter.Tenant, meter.Meter}, ledger.Amount(&levels[i]), &sequence)
		} else {
			levels[i], err = level(ref, func(query string, args []any, scan func(ledger.RowScanner) error) error {
				return b.each(ctx, query, args, scan)
			})
		}
		if err != nil {
			return nil, err
		}
	}
	return levels, nil
}

func (b *batch) sightings(ctx context.Context, query store.FactQuery, facts *store.Facts) error {
	err := b.each(ctx, `SELECT amount, at_ms FROM quotes WHERE tenant = ? AND route = ? AND asset = ?
		ORDER BY position DESC LIMIT ?`, []any{query.Tenant, query.Route, query.Asset, store.QuotesMax},
		func(r ledger.RowScanner) error {
			var quote store.QuoteSeen
			var at int64
			err := r.Scan(ledger.Amount(&quote.Amount), &at)
			quote.At = ledger.FromMillis(at)
			facts.Quotes = append(facts.Quotes, quote)
			return err
		})
	var first int64
	_, payeeErr := b.one(ctx, `SELECT first_ms, times FROM payees WHERE tenant = ? AND payee = ?`,
		[]any{query.Tenant, query.Payee}, &first, &facts.PayeeCount)
	facts.PayeeFirst = ledger.FromMillis(first)
	return errors.Join(err, payeeErr)
}
