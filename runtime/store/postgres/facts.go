package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

// Facts implements store.Store. REPEATABLE READ gives every statement the same snapshot.
func (s *Store) Facts(ctx context.Context, query store.FactQuery) (facts store.Facts, err error) {
	if err := ledger.CheckFactQuery(query); err != nil {
		return facts, err
	}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, s.readers, options, func(tx pgx.Tx) error {
		facts, err = s.readFacts(ctx, tx, query)
		return err
	})
	if err != nil {
		return store.Facts{}, err
	}
	return facts, nil
}

func (s *Store) readFacts(ctx context.Context, tx pgx.Tx, query store.FactQuery) (facts store.Facts, err error) {
	var head ledger.Head
	var reading int64
	queue := &pgx.Batch{}
	each(queue, `SELECT position, time_ms FROM heads WHERE tenant = $1`, []any{query.Tenant},
		func(row pgx.CollectableRow) error { return row.Scan(&head.Position, &head.TimeMS) })
	each(queue, readClock, nil, func(row pgx.CollectableRow) error { return row.Scan(&reading) })
	if err := tx.SendBatch(ctx, queue).Close(); err != nil {
		return facts, fmt.Errorf("read the head: %w", err)
	}
	if s.now != nil {
		reading = s.now().UnixMilli()
	}
	now, err := s.clock.Now(query.Tenant, reading, head.TimeMS)
	if err != nil {
		return facts, err
	}
	facts.Now, facts.Position = ledger.FromMillis(now), head.Position

	queue = &pgx.Batch{}
	fill := queueFactLevels(queue, query, now)
	queueFactSightings(queue, query, &facts)
	if err := tx.SendBatch(ctx, queue).Close(); err != nil {
		return facts, fmt.Errorf("read facts: %w", err)
	}
	facts.Levels = fill()
	return facts, nil
}

// queueFactLevels reads all levels with two statements; the function it returns puts them in the order asked.
func queueFactLevels(queue *pgx.Batch, query store.FactQuery, now int64) func() []abi.Amount {
	totals, levels := map[ledger.MeterRef]ledger.Sum{}, map[ledger.LevelRef]abi.Amount{}
	var meters []ledger.MeterRef
	var windows []ledger.LevelRef
	for _, want := range query.Levels {
		meter := ledger.MeterRef{Tenant: query.Tenant, Meter: want.Meter.String()}
		if ref, all := ledger.LevelOf(meter, want.Window, now); all {
			meters = append(meters, meter)
		} else {
			windows = append(windows, ref)
		}
	}
	if len(meters) > 0 {
		queueMeters(queue, meters, totals)
	}
	if len(windows) > 0 {
		queueLevels(queue, windows, levels)
	}
	return func() []abi.Amount {
		answer := make([]abi.Amount, len(query.Levels))
		for i, want := range query.Levels {
			meter := ledger.MeterRef{Tenant: query.Tenant, Meter: want.Meter.String()}
			if ref, all := ledger.LevelOf(meter, want.Window, now); all {
				answer[i] = totals[meter].Total
			} else {
				answer[i] = levels[ref]
			}
		}
		return answer
	}
}

func queueFactSightings(queue *pgx.Batch, query store.FactQuery, facts *store.Facts) {
	each(queue, `SELECT amount::text, at_ms FROM quotes WHERE tenant = $1 AND route = $2 AND asset = $3
		ORDER BY position DESC LIMIT $4`, []any{query.Tenant, query.Route, query.Asset, store.QuotesMax},
		func(row pgx.CollectableRow) error {
			var quote store.QuoteSeen
			var at int64
			err := row.Scan(ledger.Amount(&quote.Amount), &at)
			quote.At = ledger.FromMillis(at)
			facts.Quotes = append(facts.Quotes, quote)
			return err
		})
	each(queue, `SELECT first_ms, times FROM payees WHERE tenant = $1 AND payee = $2`, []any{query.Tenant, query.Payee},
		func(row pgx.CollectableRow) error {
			var first int64
			err := row.Scan(&first, &facts.PayeeCount)
			facts.PayeeFirst = ledger.FromMillis(first)
			return err
		})
}
