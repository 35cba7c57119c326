package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

// Row implements store.Store.
func (s *Store) Row(ctx context.Context, tenant, id string) (store.Row, error) {
	row, err := ledger.ScanPayment(s.db.Read().QueryRowContext(ctx, selectPayment+` WHERE tenant = ? AND id = ?`, tenant, id))
	if errors.Is(err, sql.ErrNoRows) {
		return store.Row{}, store.ErrNotFound
	}
	if err != nil {
		return store.Row{}, fmt.Errorf("read row %s: %w", id, err)
	}
	return row.Row, nil
}

// Rows implements store.Store.
func (s *Store) Rows(ctx context.Context, query store.RowQuery) (list []store.Row, err error) {
	where, args := []string{"1"}, []any{}
	filter := func(on bool, clause string, values ...any) {
		if on {
			where, args = append(where, clause), append(args, values...)
		}
	}
	if query.After != "" {
		after, err := s.lastRead(ctx, query)
		if err != nil {
			return nil, err
		}
		filter(true, "(created_ms, tenant, born) > (?, ?, ?)", ledger.Millis(after.Created), after.Tenant, after.Born)
	}
	filter(query.Tenant != "", "tenant = ?", query.Tenant)
	filter(query.Agent != "", "agent = ?", query.Agent)
	filter(!query.DueBefore.IsZero(), "due_ms > 0 AND due_ms <= ?", query.DueBefore.UnixMilli())
	states := make([]any, len(query.States))
	for i, state := range query.States {
		states[i] = state
	}
	filter(len(states) > 0, "state IN (?"+strings.Repeat(", ?", max(0, len(states)-1))+")", states...)
	args = append(args, ledger.Page(query.Max, store.RowsMax))
	rows, err := s.db.Read().QueryContext(ctx, selectPayment+" WHERE "+strings.Join(where, " AND ")+ // #nosec G202 -- fixed clauses
		" ORDER BY created_ms, tenant, born LIMIT ?", args...)
	err = eachRow(rows, err, func(r ledger.RowScanner) error {
		row, err := ledger.ScanPayment(r)
		list = append(list, row.Row)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list rows: %w", err)
	}
	return list, nil
}

// lastRead finds the row a page starts after.
func (s *Store) lastRead(ctx context.Context, query store.RowQuery) (last ledger.StoredRow, err error) {
	found := 0
	rows, err := s.db.Read().QueryContext(ctx, selectPayment+` WHERE id = ? AND (tenant = ? OR ? = '') LIMIT 2`,
		query.After, query.Tenant, query.Tenant)
	err = eachRow(rows, err, func(r ledger.RowScanner) error {
		found++
		last, err = ledger.ScanPayment(r)
		return err
	})
	if err != nil {
		return last, fmt.Errorf("find row %s: %w", query.After, err)
	}
	return last, ledger.OneRow(found)
}

// Log implements store.Store.
func (s *Store) Log(ctx context.Context, query store.LogQuery) (list []store.Record, err error) {
	if err := ledger.CheckLogQuery(query); err != nil {
		return nil, err
	}
	clause, args := "", []any{query.Tenant, query.After}
	if query.Agent != "" {
		clause, args = clause+" AND agent = ?", append(args, query.Agent)
	}
	if query.Payment != "" {
		clause, args = clause+" AND payment = ?", append(args, query.Payment)
	}
	args = append(args, ledger.Page(query.Max, store.LogMax))
	rows, err := s.db.Read().QueryContext(ctx, `SELECT position, entry, hash FROM log
		WHERE tenant = ? AND position > ?`+clause+` ORDER BY position LIMIT ?`, args...) // #nosec G202 -- fixed clauses
	err = eachRow(rows, err, func(r ledger.RowScanner) error {
		var record store.Record
		err := r.Scan(&record.Position, &record.Entry, ledger.Fixed(record.Hash[:]))
		list = append(list, record)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return list, nil
}

// Agent implements store.Agents.
func (s *Store) Agent(ctx context.Context, tenant, id string) (store.Agent, error) {
	return s.oneAgent(ctx, ` WHERE tenant = ? AND id = ?`, tenant, id)
}

// AgentByToken implements store.Agents.
func (s *Store) AgentByToken(ctx context.Context, tokenSHA256 [32]byte) (store.Agent, error) {
	return s.oneAgent(ctx, ` WHERE token_sha256 = ?`, tokenSHA256[:])
}

func (s *Store) oneAgent(ctx context.Context, where string, args ...any) (store.Agent, error) {
	agent, err := scanAgent(s.db.Read().QueryRowContext(ctx, selectAgent+where, args...)) // #nosec G202 -- fixed clauses
	if errors.Is(err, sql.ErrNoRows) {
		return store.Agent{}, store.ErrNotFound
	}
	if err != nil {
		return store.Agent{}, fmt.Errorf("read an agent: %w", err)
	}
	return agent, nil
}

// ListAgents implements store.Agents.
func (s *Store) ListAgents(ctx context.Context, tenant string) (list []store.Agent, err error) {
	rows, err := s.db.Read().QueryContext(ctx, selectAgent+` WHERE tenant = ? ORDER BY id`, tenant)
	err = eachRow(rows, err, func(r ledger.RowScanner) error {
		agent, err := scanAgent(r)
		list = append(list, agent)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	return list, nil
}
