package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"modernc.org/sqlite"
)

const sqliteIOErr = 10 // SQLITE_IOERR, the primary code in the low byte

// Write runs fn in one transaction that began IMMEDIATE and commits it. Writes
// run one at a time, in no promised order. When Write returns nil the change is
// on disk; when it returns an error nothing changed, with one exception: after
// an input/output error at commit the outcome is unknown until the file is opened
// again, and every further Write fails with code sqldb_failed.
//
// An error of fn rolls back and is returned as it is. fn must use only tx: a
// Write inside a Write waits for itself until ctx ends.
func (db *DB) Write(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if failed := db.failed.Load(); failed != nil {
		return failed
	}
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("wait for the database writer: %w", err)
	}
	// Deferred: a panic of fn must not keep the only writing connection for ever.
	// The error of giving it back is dropped: it must not make a committed write
	// look undone.
	defer func() { _ = conn.Close() }()
	return db.writeOn(ctx, conn, fn)
}

func (db *DB) writeOn(ctx context.Context, conn *sql.Conn, fn func(tx *sql.Tx) error) (err error) {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		// Also on a panic of fn, which then goes on. ErrTxDone means that the end
		// of ctx rolled back before us.
		if rollbackErr := tx.Rollback(); rollbackErr != nil && !errors.Is(rollbackErr, sql.ErrTxDone) {
			err = errors.Join(err, fmt.Errorf("roll back: %w", rollbackErr))
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return db.commitFailed(conn, err)
	}
	committed = true
	return nil
}

// commitFailed leaves the connection without an open transaction, and stops all
// writing when the disk failed: a second fsync after a failed one may succeed
// without the data (the kernel has dropped it), so trying again would lie.
func (db *DB) commitFailed(conn *sql.Conn, cause error) error {
	// An error here means that SQLite has already rolled back.
	_, _ = conn.ExecContext(context.Background(), "ROLLBACK")
	var sqliteErr *sqlite.Error
	if errors.As(cause, &sqliteErr) && sqliteErr.Code()&0xff == sqliteIOErr {
		failed := &abi.Error{
			Code: "sqldb_failed", Message: "the disk failed during a commit; writing has stopped",
			Fix: "check the disk, then start again: the log is read afresh", Cause: cause,
		}
		db.failed.CompareAndSwap(nil, failed)
		return failed
	}
	return fmt.Errorf("commit: %w", cause)
}
