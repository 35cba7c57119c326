package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

// Row implements store.Store.
func (s *Store) Row(ctx context.Context, tenant, id string) (store.Row, error) {
	rows, err := s.readers.Query(ctx, ledger.SelectPayment+` WHERE tenant = $1 AND id = $2`, tenant, id)
	if err != nil {
		return store.Row{}, notFound(err, "read row "+id)
	}
	row, err := pgx.CollectExactlyOneRow(rows, scanPayment)
	return row.Row, notFound(err, "read row "+id)
}

// filter collects the conditions of a query, each written with ? for its values.
type filter struct {
	clauses []string
	args    []any
}

func (f *filter) add(on bool, clause string, values ...any) {
	if !on {
		return
	}
	for _, value := range values {
		f.args = append(f.args, value)
		clause = strings.Replace(clause, "?", fmt.Sprint("$", len(f.args)), 1)
	}
	f.clauses = append(f.clauses, clause)
}

// Rows implements store.Store. Over several tenants, a row that another process commits late may be placed before
// one already read; within a tenant the order is that of the log.
func (s *Store) Rows(ctx context.Context, query store.RowQuery) ([]store.Row, error) {
	f := &filter{clauses: []string{"true"}}
	if query.After != "" {
		after, err := s.lastRead(ctx, query)
		if err != nil {
			return nil, err
		}
		f.add(true, "(created_ms, tenant, born) > (?, ?, ?)", ledger.Millis(after.Created), after.Tenant, after.Born)
	}
	f.add(query.Tenant != "", "tenant = ?", query.Tenant)
	f.add(query.Agent != "", "agent = ?", query.Agent)
	f.add(!query.DueBefore.IsZero(), "due_ms > 0 AND due_ms <= ?", query.DueBefore.UnixMilli())
	f.add(len(query.States) > 0, "state = ANY(?)", query.States)
	limit := fmt.Sprint(" ORDER BY created_ms, tenant, born LIMIT ", ledger.Page(query.Max, store.RowsMax))
	rows, err := s.readers.Query(ctx, ledger.SelectPayment+" WHERE "+strings.Join(f.clauses, " AND ")+limit, f.args...)
	if err != nil {
		return nil, fmt.Errorf("list rows: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (store.Row, error) {
		stored, err := scanPayment(row)
		return stored.Row, err
	})
	if err != nil {
		return nil, fmt.Errorf("list rows: %w", err)
	}
	return list, nil
}

// lastRead finds the row a page starts after.
func (s *Store) lastRead(ctx context.Context, query store.RowQuery) (ledger.StoredRow, error) {
	rows, err := s.readers.Query(ctx, ledger.SelectPayment+` WHERE id = $1 AND (tenant = $2 OR $2 = '') LIMIT 2`, query.After, query.Tenant)
	if err != nil {
		return ledger.StoredRow{}, fmt.Errorf("find row %s: %w", query.After, err)
	}
	found, err := pgx.CollectRows(rows, scanPayment)
	if err != nil {
		return ledger.StoredRow{}, fmt.Errorf("find row %s: %w", query.After, err)
	}
	if err := ledger.OneRow(len(found)); err != nil {
		return ledger.StoredRow{}, err
	}
	return found[0], nil
}

// Log implements store.Store. Positions are handed out under the head's lock, so no reader sees a later one first.
func (s *Store) Log(ctx context.Context, query store.LogQuery) ([]store.Record, error) {
	if err := ledger.CheckLogQuery(query); err != nil {
		return nil, err
	}
	f := &filter{}
	f.add(true, "tenant = ? AND position > ?", query.Tenant, query.After)
	f.add(query.Agent != "", "agent = ?", query.Agent)
	f.add(query.Payment != "", "payment = ?", query.Payment)
	limit := fmt.Sprint(" ORDER BY position LIMIT ", ledger.Page(query.Max, store.LogMax))
	rows, err := s.readers.Query(ctx, `SELECT position, entry, hash FROM log WHERE `+strings.Join(f.clauses, " AND ")+limit, f.args...)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (record store.Record, err error) {
		err = row.Scan(&record.Position, &record.Entry, ledger.Fixed(record.Hash[:]))
		return record, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return list, nil
}

// Agent implements store.Agents.
func (s *Store) Agent(ctx context.Context, tenant, id string) (store.Agent, error) {
	return s.oneAgent(ctx, ` WHERE tenant = $1 AND id = $2`, tenant, id)
}

// AgentByToken implements store.Agents.
func (s *Store) AgentByToken(ctx context.Context, tokenSHA256 [32]byte) (store.Agent, error) {
	return s.oneAgent(ctx, ` WHERE token_sha256 = $1`, tokenSHA256[:])
}

func (s *Store) oneAgent(ctx context.Context, where string, args ...any) (store.Agent, error) {
	rows, err := s.readers.Query(ctx, selectAgent+where, args...)
	if err != nil {
		return store.Agent{}, notFound(err, "read an agent")
	}
	agent, err := pgx.CollectExactlyOneRow(rows, scanAgent)
	if err != nil {
		return store.Agent{}, notFound(err, "read an agent")
	}
	return agent, nil
}

// ListAgents implements store.Agents. Names collate "C": ids are in order of their bytes, as in SQLite.
func (s *Store) ListAgents(ctx context.Context, tenant string) ([]store.Agent, error) {
	rows, err := s.readers.Query(ctx, selectAgent+` WHERE tenant = $1 ORDER BY id`, tenant)
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanAgent)
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	return list, nil
}
