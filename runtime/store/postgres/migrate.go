package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/purserhq/purser/abi"
)

const (
	// CREATE … IF NOT EXISTS of two processes at once fails in one of them with a unique violation in the catalogue.
	createTriesMax   = 20
	createDelayMilli = 25
)

// migrate applies the steps that the database lacks, all in one transaction behind a table lock, so that processes
// starting at once apply each step once and a step that fails leaves nothing.
func migrate(ctx context.Context, pool *pgxpool.Pool, name string, steps []string) error {
	if name != "" {
		if err := create(ctx, pool, `CREATE SCHEMA IF NOT EXISTS `+pgx.Identifier{name}.Sanitize()); err != nil {
			return openFailed(err)
		}
	}
	if err := create(ctx, pool, `CREATE TABLE IF NOT EXISTS schema_steps (step BIGINT PRIMARY KEY, sha256 TEXT NOT NULL)`); err != nil {
		return openFailed(err)
	}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `LOCK TABLE schema_steps IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT sha256 FROM schema_steps ORDER BY step`)
		if err != nil {
			return err
		}
		applied, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		return applySteps(ctx, tx, applied, steps)
	})
	var coded *abi.Error
	if err != nil && !errors.As(err, &coded) {
		return openFailed(err)
	}
	return err
}

func create(ctx context.Context, pool *pgxpool.Pool, statement string) (err error) {
	for range createTriesMax {
		_, err = pool.Exec(ctx, statement)
		var refused *pgconn.PgError
		if err == nil || !errors.As(err, &refused) {
			return err
		}
		switch refused.Code {
		case "23505", "42P06", "42P07", "42710": // made by another process meanwhile
		default:
			return err
		}
		select {
		case <-time.After(createDelayMilli * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func applySteps(ctx context.Context, tx pgx.Tx, applied, steps []string) error {
	if len(applied) > len(steps) {
		return &abi.Error{
			Code:    "schema_newer",
			Message: fmt.Sprintf("the ledger has schema %d, this purser knows up to %d", len(applied), len(steps)),
			Fix:     "start a purser at least as new as the one that wrote the ledger",
		}
	}
	for i, step := range steps {
		sum := sha256.Sum256([]byte(step))
		want := hex.EncodeToString(sum[:])
		if i < len(applied) {
			if applied[i] != want {
				return &abi.Error{
					Code: "schema_changed", Message: fmt.Sprintf("schema step %d of the ledger is not this purser's", i+1),
					Fix: "this is another program's schema, or an applied step was edited",
				}
			}
			continue
		}
		if _, err := tx.Exec(ctx, step); err != nil {
			return &abi.Error{Code: "schema_failed", Message: fmt.Sprintf("schema step %d failed", i+1), Cause: err}
		}
		if _, err := tx.Exec(ctx, `INSERT INTO schema_steps (step, sha256) VALUES ($1, $2)`, i+1, want); err != nil {
			return err
		}
	}
	return nil
}
