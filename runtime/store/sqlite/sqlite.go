// Package sqlite is the embedded ledger: one file, one process, group commit, every answer after fsync. It refuses
// to be shared: a second process can open the file without harm to it, but nobody hands rows over between the two.
//
// All writes of a batch happen in one BEGIN IMMEDIATE transaction of internal/sqldb, so nothing else can write
// between reading a level and using it. What a batch does to the state is runtime/store/internal/ledger, shared
// with Postgres.
package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sqldb"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

// batchTimeMax bounds one batch. A disk that takes longer is broken, and callers learn it.
const batchTimeMax = 30 * time.Second

// Config is how to open a ledger.
type Config struct {
	// Path is the database file, created when missing. Required.
	Path string
	// Now is the clock behind ledger time. Default time.Now.
	Now func() time.Time
	// Random makes the ledger's identity when it is created. Default crypto/rand.
	Random io.Reader
}

// Store is a ledger in one SQLite file. Make it with Open and end it with Close.
type Store struct {
	db    *sqldb.DB
	now   func() time.Time
	id    string
	clock ledger.Clock
	queue *ledger.Queue
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Agents = (*Store)(nil)
)

// Open opens or creates the ledger. Besides the codes of sqldb.Open it fails with schema_newer when a newer purser
// wrote the file; nothing is changed then.
func Open(ctx context.Context, config Config) (*Store, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	db, err := sqldb.Open(ctx, config.Path, schema)
	if abi.CodeOf(err) == "sqldb_schema_newer" {
		return nil, &abi.Error{
			Code: "schema_newer", Message: "a newer purser wrote this ledger", Where: config.Path,
			Fix: "start a purser at least as new as the one that wrote it", Cause: err,
		}
	}
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, now: config.Now}
	if s.id, err = identity(ctx, db, config.Random); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.queue = ledger.NewQueue(s.runBatch)
	return s, nil
}

// identity reads the ledger's id, or makes it: the row decides between two processes that create the file at once.
func identity(ctx context.Context, db *sqldb.DB, random io.Reader) (id string, err error) {
	var fresh [16]byte
	if _, err := io.ReadFull(random, fresh[:]); err != nil {
		return "", fmt.Errorf("make the ledger's identity: %w", err)
	}
	err = db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO ledger (one, id) VALUES (1, ?) ON CONFLICT DO NOTHING`, hex.EncodeToString(fresh[:]))
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT id FROM ledger`).Scan(&id)
	})
	if err != nil {
		return "", fmt.Errorf("read the ledger's identity: %w", err)
	}
	return id, nil
}

// ID is the identity made when the file was created.
func (s *Store) ID() string { return s.id }

// Shared is false: no other process takes over rows of this ledger.
func (s *Store) Shared() bool { return false }

// Insert implements store.Store.
func (s *Store) Insert(ctx context.Context, row store.Row, entry store.Entry) (store.Row, store.Claim, error) {
	result := s.queue.Do(ctx, ledger.Op{Insert: &ledger.Insert{Row: row, Entry: entry}})
	return result.Row, result.Claim, result.Err
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, change store.Change) (store.Row, error) {
	result := s.queue.Do(ctx, ledger.Op{Commit: &change})
	return result.Row, result.Err
}

// Defer implements store.Store.
func (s *Store) Defer(ctx context.Context, tenant, id string, version uint64, due time.Time) (store.Row, error) {
	result := s.queue.Do(ctx, ledger.Op{Defer: &ledger.Defer{Tenant: tenant, ID: id, Version: version, Due: due}})
	return result.Row, result.Err
}

// PutAgent implements store.Agents.
func (s *Store) PutAgent(ctx context.Context, agent store.Agent, entry store.Entry) (store.Agent, error) {
	result := s.queue.Do(ctx, ledger.Op{Agent: &ledger.PutAgent{Agent: agent, Entry: entry}})
	return result.Agent, result.Err
}

// Close lets running commits finish and closes the file.
func (s *Store) Close() error {
	s.queue.Close()
	return s.db.Close()
}

// runBatch is the only writer. All tries of a batch share one bound in time.
func (s *Store) runBatch(ops []ledger.Op) []ledger.Result {
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeMax)
	defer cancel()
	return ledger.Commit(ops, func(ops []ledger.Op) ([]ledger.Result, error) { return s.commitBatch(ctx, ops) }, func(err error) bool {
		return abi.CodeOf(err) != store.ErrCommitUnknown.Code
	})
}

// errNothing rolls back a batch that has nothing to write.
var errNothing = errors.New("nothing to write")

func (s *Store) commitBatch(ctx context.Context, ops []ledger.Op) (results []ledger.Result, err error) {
	wrote := false
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		b := newBatch(tx)
		heads, err := b.heads(ctx, ledger.Tenants(ops))
		if err != nil {
			return err
		}
		var writes *ledger.Writes
		results, writes, err = ledger.Batch(ctx, b, &s.clock, heads, s.now().UnixMilli(), ops)
		if err != nil {
			return err
		}
		if writes.Empty() {
			return errNothing
		}
		if err := b.write(ctx, writes); err != nil {
			return err
		}
		wrote = true
		return nil
	})
	switch {
	case err == nil || errors.Is(err, errNothing):
		return results, nil
	case wrote && abi.CodeOf(err) == "sqldb_failed":
		// The disk failed in the commit: what reached it is known only after the file is opened again.
		return nil, &abi.Error{
			Code: store.ErrCommitUnknown.Code, Message: store.ErrCommitUnknown.Message,
			Fix: store.ErrCommitUnknown.Fix, Retry: store.ErrCommitUnknown.Retry, Cause: err,
		}
	}
	return nil, fmt.Errorf("write %d operations to the ledger: %w", len(ops), err)
}
