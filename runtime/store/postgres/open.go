// Package postgres is the ledger for servers: several processes of one role share it. It refuses advisory locks,
// SERIALIZABLE and check-then-write: each batch first locks the head rows of its tenants, in order, and reads in
// later statements only, because under READ COMMITTED a statement that waited for a lock still sees the counters
// from before the wait.
//
// What a batch does to the state is runtime/store/internal/ledger, shared with SQLite.
package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

const (
	readersDefault = 8
	readersMax     = 1024
	// Only one writer connection is used at a time; the others let a new one be made while the remains of broken ones
	// are still being cleared away, which takes seconds.
	writerConnsMax = 4
	// sessionTimeMax ends a transaction whose process was stopped while it held the heads, so that the other
	// processes can go on; its batch is lost and retried.
	sessionTimeMax = "30s"
)

// Config is how to open a ledger.
type Config struct {
	// DSN is a PostgreSQL connection string, URL or key=value. Required. It may hold a password: it is never logged.
	DSN string
	// Schema, when set, is created when missing and used alone (search_path): one for each role and each test.
	// At most 63 of [a-z0-9_], not starting with a digit.
	Schema string
	// Readers is the number of connections for reading, default 8, at most 1024; writing takes one more, after a broken connection up to four.
	Readers int
	// Now, for tests, replaces the database's clock behind ledger time.
	Now func() time.Time
	// Random makes the ledger's identity and the marks of batches. Default crypto/rand.
	Random io.Reader
}

// Store is a ledger in one Postgres schema. Make it with Open and end it with Close.
type Store struct {
	readers, writer *pgxpool.Pool
	now             func() time.Time
	random          io.Reader
	id              string
	clock           ledger.Clock
	queue           *ledger.Queue
	// known holds the tenants whose head row exists. Only the writer goroutine uses it.
	known map[string]bool
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Agents = (*Store)(nil)
)

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Open connects, brings the schema up to date and starts the writer. It fails with store_config_invalid,
// store_open_failed (not reachable), store_not_durable (fsync or synchronous_commit is off: a released signature
// could outlive its decision), schema_newer (a newer purser wrote it; nothing was changed), schema_changed or
// schema_failed.
func Open(ctx context.Context, config Config) (*Store, error) {
	if config.Readers == 0 {
		config.Readers = readersDefault
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	if config.Schema != "" && !schemaName.MatchString(config.Schema) {
		return nil, configInvalid("the schema is not at most 63 of [a-z0-9_]", nil)
	}
	if config.Readers < 0 || config.Readers > readersMax {
		return nil, configInvalid(fmt.Sprintf("%d readers, want 1 to %d", config.Readers, readersMax), nil)
	}
	s := &Store{now: config.Now, random: config.Random, known: map[string]bool{}}
	var err error
	if s.writer, err = connect(ctx, config, writerConnsMax); err != nil {
		return nil, err
	}
	if s.readers, err = connect(ctx, config, config.Readers); err != nil {
		s.writer.Close()
		return nil, err
	}
	if err := s.prepare(ctx, config); err != nil {
		s.closePools()
		return nil, err
	}
	s.queue = ledger.NewQueue(s.runBatch)
	return s, nil
}

func configInvalid(message string, cause error) error {
	return &abi.Error{Code: "store_config_invalid", Message: message, Fix: "correct the store's configuration", Cause: cause}
}

func connect(ctx context.Context, config Config, conns int) (*pgxpool.Pool, error) {
	settings, err := pgxpool.ParseConfig(config.DSN)
	if err != nil {
		// pgx's own text may quote the connection string, and with it the password.
		return nil, configInvalid("the connection string cannot be read", nil)
	}
	settings.MaxConns = int32(conns) //nolint:gosec // at most readersMax
	parameters := settings.ConnConfig.RuntimeParams
	parameters["application_name"] = "purser"
	parameters["idle_in_transaction_session_timeout"] = sessionTimeMax
	parameters["statement_timeout"] = sessionTimeMax
	// A plan that Postgres made and kept while the tables were nearly empty picks any index that starts with the
	// tenant and walks all of it (measured: 1,300 decisions a second fall to 120 within 7,000). Planning each
	// statement anew sees the tables' real sizes, and costs little next to the fsync of a batch.
	parameters["plan_cache_mode"] = "force_custom_plan"
	parameters["jit"] = "off"
	if config.Schema != "" {
		parameters["search_path"] = config.Schema
	}
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return nil, openFailed(err)
	}
	return pool, nil
}

func openFailed(cause error) error {
	return &abi.Error{
		Code: "store_open_failed", Message: "cannot open the ledger in Postgres",
		Fix: "check that the server runs, and that the user may connect and create tables", Retry: abi.RetryLater, Cause: cause,
	}
}

func (s *Store) prepare(ctx context.Context, config Config) error {
	if err := s.assertDurable(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, s.writer, config.Schema, schema); err != nil {
		return err
	}
	return s.identity(ctx)
}

// assertDurable refuses a server that answers before the disk does.
func (s *Store) assertDurable(ctx context.Context) error {
	for _, setting := range []string{"fsync", "synchronous_commit"} {
		var value string
		if err := s.writer.QueryRow(ctx, "SELECT current_setting($1)", setting).Scan(&value); err != nil {
			return openFailed(err)
		}
		if value == "off" {
			return &abi.Error{
				Code: "store_not_durable", Message: setting + " is off for this ledger",
				Fix: "turn it on: a commit that was answered must survive a power cut",
			}
		}
	}
	return nil
}

// identity reads the ledger's id or makes it; the row decides between processes that start at once.
func (s *Store) identity(ctx context.Context) error {
	var fresh [16]byte
	if _, err := io.ReadFull(s.random, fresh[:]); err != nil {
		return fmt.Errorf("make the ledger's identity: %w", err)
	}
	_, err := s.writer.Exec(ctx, `INSERT INTO ledger (one, id) VALUES (1, $1) ON CONFLICT DO NOTHING`, hex.EncodeToString(fresh[:]))
	if err == nil {
		err = s.writer.QueryRow(ctx, `SELECT id FROM ledger`).Scan(&s.id)
	}
	if err != nil {
		return openFailed(fmt.Errorf("read the ledger's identity: %w", err))
	}
	return nil
}

// ID is the identity made when the ledger was created.
func (s *Store) ID() string { return s.id }

// Shared is true: other processes may be working on the rows.
func (s *Store) Shared() bool { return true }

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

// Close lets running commits finish and closes every connection.
func (s *Store) Close() error {
	s.queue.Close()
	s.closePools()
	return nil
}

func (s *Store) closePools() {
	s.readers.Close()
	s.writer.Close()
}

// notFound turns pgx's word for an empty answer into the ledger's.
func notFound(err error, doing string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
