package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

// batch reads and writes in one transaction. Statements are prepared once per batch.
type batch struct {
	tx         *sql.Tx
	statements map[string]*sql.Stmt
}

var _ ledger.Reader = (*batch)(nil)

func newBatch(tx *sql.Tx) *batch { return &batch{tx: tx, statements: map[string]*sql.Stmt{}} }

// prepare keeps a statement until the transaction ends, which closes it.
func (b *batch) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if statement, ok := b.statements[query]; ok {
		return statement, nil
	}
	statement, err := b.tx.PrepareContext(ctx, query) //nolint:sqlclosecheck // closed with the transaction
	if err != nil {
		return nil, fmt.Errorf("prepare %.40q: %w", query, err)
	}
	b.statements[query] = statement
	return statement, nil
}

func (b *batch) exec(ctx context.Context, query string, args ...any) error {
	statement, err := b.prepare(ctx, query) //nolint:sqlclosecheck // kept for the batch, closed with it
	if err != nil {
		return err
	}
	if _, err := statement.ExecContext(ctx, args...); err != nil {
		return fmt.Errorf("run %.40q: %w", query, err)
	}
	return nil
}

// one scans at most one row and reports whether there was one.
func (b *batch) one(ctx context.Context, query string, args []any, into ...any) (bool, error) {
	statement, err := b.prepare(ctx, query) //nolint:sqlclosecheck // kept for the batch, closed with it
	if err != nil {
		return false, err
	}
	err = statement.QueryRowContext(ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// each calls scan for every row.
func (b *batch) each(ctx context.Context, query string, args []any, scan func(ledger.RowScanner) error) (err error) {
	statement, err := b.prepare(ctx, query) //nolint:sqlclosecheck // kept for the batch, closed with it
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(ctx, args...)
	return eachRow(rows, err, scan)
}

func eachRow(rows *sql.Rows, err error, scan func(ledger.RowScanner) error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err has the fault
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (b *batch) heads(ctx context.Context, tenants []string) (map[string]ledger.Head, error) {
	heads := map[string]ledger.Head{}
	for _, tenant := range tenants {
		var head ledger.Head
		ok, err := b.one(ctx, `SELECT position, time_ms FROM heads WHERE tenant = ?`, []any{tenant}, &head.Position, &head.TimeMS)
		if err != nil {
			return nil, fmt.Errorf("read the head of %s: %w", tenant, err)
		}
		if ok {
			heads[tenant] = head
		}
	}
	return heads, nil
}

// Lookup implements ledger.Reader.
func (b *batch) Lookup(ctx context.Context, want ledger.Names) (found ledger.Found, err error) {
	row := func(where string, args ...any) error {
		return b.each(ctx, selectPayment+where, args, func(r ledger.RowScanner) error {
			stored, err := ledger.ScanPayment(r)
			found.Rows = append(found.Rows, stored)
			return err
		})
	}
	agent := func(where string, args ...any) error {
		return b.each(ctx, selectAgent+where, args, func(r ledger.RowScanner) error {
			stored, err := scanAgent(r)
			found.Agents = append(found.Agents, stored)
			return err
		})
	}
	var errs []error
	for _, ref := range want.IDs {
		errs = append(errs, row(` WHERE tenant = ? AND id = ?`, ref.Tenant, ref.ID))
	}
	for _, ref := range want.Keys {
		errs = append(errs, row(` WHERE tenant = ? AND agent = ? AND key = ?`, ref.Tenant, ref.Agent, ref.Key))
	}
	for _, ref := range want.Slots {
		errs = append(errs, row(` WHERE tenant = ? AND slot = ? AND slot <> ''`, ref.Tenant, ref.Slot))
	}
	for _, digest := range want.Digests {
		errs = append(errs, row(` WHERE digest = ?`, digest))
	}
	for _, ref := range want.Agents {
		errs = append(errs, agent(` WHERE tenant = ? AND id = ?`, ref.Tenant, ref.Agent))
	}
	for _, token := range want.Tokens {
		errs = append(errs, agent(` WHERE token_sha256 = ?`, token[:]))
	}
	return found, errors.Join(errs...)
}

// OpenHolds implements ledger.Reader.
func (b *batch) OpenHolds(ctx context.Context, rows []ledger.RowRef) (holds []ledger.Hold, err error) {
	for _, ref := range rows {
		err := b.each(ctx, `SELECT meter, sequence, amount, bucket_ms FROM holds
			WHERE tenant = ? AND id = ? AND state = 0 ORDER BY meter, sequence`, []any{ref.Tenant, ref.ID},
			func(r ledger.RowScanner) error {
				hold := ledger.Hold{RowRef: ref}
				err := r.Scan(&hold.Meter, &hold.Sequence, ledger.Amount(&hold.Amount), &hold.Bucket)
				holds = append(holds, hold)
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	return holds, nil
}

// Sums implements ledger.Reader.
func (b *batch) Sums(ctx context.Context, want ledger.Wants) (ledger.Sums, error) {
	sums := ledger.Sums{
		Chains: map[ledger.AgentRef]ledger.Chain{}, Meters: map[ledger.MeterRef]ledger.Sum{},
		Buckets: map[ledger.BucketRef]abi.Amount{}, Levels: map[ledger.LevelRef]abi.Amount{},
	}
	for _, ref := range want.Chains {
		var chain ledger.Chain
		ok, err := b.one(ctx, `SELECT sequence, hash FROM chains WHERE tenant = ? AND agent = ?`,
			[]any{ref.Tenant, ref.Agent}, &chain.Sequence, ledger.Fixed(chain.Hash[:]))
		if err != nil {
			return sums, err
		}
		if ok {
			sums.Chains[ref] = chain
		}
	}
	for _, ref := range want.Meters {
		var sum ledger.Sum
		ok, err := b.one(ctx, selectMeter, []any{ref.Tenant, ref.Meter}, ledger.Amount(&sum.Total), &sum.Sequence)
		if err != nil {
			return sums, err
		}
		if ok {
			sums.Meters[ref] = sum
		}
	}
	for _, ref := range want.Buckets {
		var value abi.Amount
		ok, err := b.one(ctx, `SELECT amount FROM buckets WHERE tenant = ? AND meter = ? AND width_ms = ? AND start_ms = ?`,
			[]any{ref.Tenant, ref.Meter, ref.Width, ref.Start}, ledger.Amount(&value))
		if err != nil {
			return sums, err
		}
		if ok {
			sums.Buckets[ref] = value
		}
	}
	for _, ref := range want.Levels {
		value, err := level(ref, func(query string, args []any, scan func(ledger.RowScanner) error) error {
			return b.each(ctx, query, args, scan)
		})
		if err != nil {
			return sums, err
		}
		sums.Levels[ref] = value
	}
	return sums, nil
}
