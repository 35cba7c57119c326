package sqldb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"

	"github.com/purserhq/purser/abi"
)

const createVersions = `CREATE TABLE IF NOT EXISTS sqldb_schema (
	step   INTEGER PRIMARY KEY,
	sha256 TEXT NOT NULL
) STRICT`

// migrate applies the steps the file lacks. Each step and its version row commit
// together, so a crash in between repeats the step on a clean slate.
func (db *DB) migrate(ctx context.Context, schema []string) error {
	applied, err := db.appliedSteps(ctx)
	if err != nil {
		return err
	}
	if len(applied) > len(schema) {
		return &abi.Error{
			Code:    "sqldb_schema_newer",
			Message: fmt.Sprintf("the database has schema %d, this program knows up to %d", len(applied), len(schema)),
			Fix:     "start a program at least as new as the one that wrote the database",
		}
	}
	for i, step := range schema {
		sum := sha256.Sum256([]byte(step))
		want := hex.EncodeToString(sum[:])
		if i < len(applied) {
			if applied[i] != want {
				return &abi.Error{
					Code:    "sqldb_schema_changed",
					Message: fmt.Sprintf("schema step %d of the database is not this program's", i+1),
					Fix:     "this is another program's database, or an applied step was edited: append a step instead",
				}
			}
			continue
		}
		if err := db.applyStep(ctx, i+1, step, want); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) applyStep(ctx context.Context, number int, step, sum string) error {
	err := db.Write(ctx, func(tx *sql.Tx) error {
		// Another process may have applied it between our read and this lock.
		var present int
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqldb_schema WHERE step = ? AND sha256 = ?", number, sum).Scan(&present)
		if err != nil || present == 1 {
			return err
		}
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO sqldb_schema (step, sha256) VALUES (?, ?)", number, sum)
		return err
	})
	if err != nil {
		return &abi.Error{Code: "sqldb_schema_failed", Message: fmt.Sprintf("schema step %d failed", number), Cause: err}
	}
	return nil
}

// appliedSteps returns the hash of every applied step, in order. Steps are dense
// from 1; a gap is damage.
func (db *DB) appliedSteps(ctx context.Context) (hashes []string, err error) {
	err = db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, createVersions); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, "SELECT step, sha256 FROM sqldb_schema ORDER BY step")
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }() // rows.Err below has the fault
		for rows.Next() {
			var number int
			var hash string
			if err := rows.Scan(&number, &hash); err != nil {
				return err
			}
			if number != len(hashes)+1 {
				return fmt.Errorf("schema step %d is missing", len(hashes)+1)
			}
			hashes = append(hashes, hash)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, &abi.Error{
			Code: "sqldb_open_failed", Message: "cannot read the schema version",
			Fix: "check that this is a database of purser and not damaged", Cause: err,
		}
	}
	return hashes, nil
}
