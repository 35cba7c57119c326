// Package sqldb is the one door to SQLite: it opens a file the one safe way and
// hands out serialised durable writes and concurrent reads. It refuses databases
// in memory, databases that are not durable, schemas newer than the program, and
// schemas whose history was edited.
//
// Safe means: write-ahead log, synchronous=FULL (a commit that returned survives
// a power cut), foreign keys on, one writing connection whose transactions begin
// IMMEDIATE (no lock upgrade, hence no deadlock and no lost update), readers that
// cannot write, and a file only its owner can read.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/purserhq/purser/abi"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

const (
	busyTimeoutMillis = 5000 // how long a write waits for another process
	readersMax        = 4    // concurrent reading connections
	fileMode          = 0o600
)

// DB is an open database. Its methods may be called from any goroutine.
type DB struct {
	writer *sql.DB // exactly one connection
	reader *sql.DB
	// failed is the first input/output error of a commit. After one nobody knows
	// what reached the disk until the log is read again, so writing stops.
	failed atomic.Pointer[abi.Error]
}

// Open opens or creates the database at path (a file name, not a URI) and brings
// its schema up to date: schema[i] is SQL that was or will be run exactly once,
// in order, each in its own transaction. Append to schema, never edit it.
//
// Errors have code sqldb_path_invalid, sqldb_open_failed, sqldb_not_durable,
// sqldb_schema_newer (an older program on a newer file; nothing was changed),
// sqldb_schema_changed (an already applied step differs) or sqldb_schema_failed.
func Open(ctx context.Context, path string, schema []string) (*DB, error) {
	full, err := preparePath(path)
	if err != nil {
		return nil, err
	}
	db := &DB{}
	if db.writer, err = connect(full, "_txlock=immediate"); err != nil {
		return nil, err
	}
	db.writer.SetMaxOpenConns(1)
	if db.reader, err = connect(full, "_pragma=query_only(1)"); err != nil {
		return nil, errors.Join(err, db.writer.Close())
	}
	db.reader.SetMaxOpenConns(readersMax)
	for _, step := range []func() error{
		func() error { return db.assertDurable(ctx) },
		func() error { return db.migrate(ctx, schema) },
	} {
		if err := step(); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

// preparePath creates the file as its owner's alone before SQLite can create it
// with the process umask; the log files inherit its mode.
func preparePath(path string) (string, error) {
	if path == "" || strings.HasPrefix(path, ":") || strings.HasPrefix(path, "file:") || strings.ContainsRune(path, 0) {
		return "", &abi.Error{
			Code: "sqldb_path_invalid", Message: fmt.Sprintf("%.80q is not a plain file name", path),
			Fix: "give the path of a file; databases in memory lose money on a crash",
		}
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return "", openFailed(path, err)
	}
	file, err := os.OpenFile(full, os.O_RDWR|os.O_CREATE, fileMode) // #nosec G304 -- the operator chose the path
	if err != nil {
		return "", openFailed(path, err)
	}
	if err := errors.Join(file.Chmod(fileMode), file.Sync(), file.Close(), syncDir(filepath.Dir(full))); err != nil {
		return "", openFailed(path, err)
	}
	return full, nil
}

// syncDir makes a new file's directory entry durable: without it a power cut can
// lose the whole database of a first commit that succeeded.
func syncDir(dir string) error {
	handle, err := os.Open(dir) // #nosec G304 -- the parent of the operator's path
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}

func connect(full, option string) (*sql.DB, error) {
	uri := url.URL{Scheme: "file", Path: full, RawQuery: fmt.Sprintf(
		"_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&"+
			"_pragma=foreign_keys(1)&_pragma=trusted_schema(0)&%s", busyTimeoutMillis, option)}
	db, err := sql.Open("sqlite", uri.String())
	if err != nil {
		return nil, openFailed(full, err)
	}
	return db, nil
}

func openFailed(path string, cause error) error {
	return &abi.Error{
		Code: "sqldb_open_failed", Message: "cannot open the database", Where: path,
		Fix: "check that the folder exists and that this user may write to it", Cause: cause,
	}
}

// assertDurable reads the settings back: SQLite keeps the old journal mode
// without an error when a file system cannot share memory.
func (db *DB) assertDurable(ctx context.Context) error {
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		if err := db.writer.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil {
			return openFailed("", err)
		}
		if got != want {
			return &abi.Error{
				Code: "sqldb_not_durable", Message: fmt.Sprintf("%s is %s, want %s", pragma, got, want),
				Fix: "put the database on a local file system",
			}
		}
	}
	return nil
}

// Read returns the pool for queries. Its connections refuse to write. A query
// sees the last commit as of its start.
func (db *DB) Read() *sql.DB { return db.reader }

// Close closes every connection. Writes that are running finish first.
func (db *DB) Close() error { return errors.Join(db.reader.Close(), db.writer.Close()) }
