package postgres_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store/postgres"
	"github.com/purserhq/purser/runtime/store/postgres/pgtest"
	"github.com/purserhq/purser/runtime/store/storetest"
)

func TestMain(m *testing.M) {
	if target := os.Getenv(childEnv); target != "" {
		os.Exit(child(target))
	}
	os.Exit(pgtest.Main(m))
}

func openErr(t testing.TB, dsn string) (*postgres.Store, error) {
	t.Helper()
	return postgres.Open(context.Background(), postgres.Config{DSN: dsn})
}

// open opens a ledger that is closed when the test ends.
func open(t testing.TB, dsn string) *postgres.Store {
	t.Helper()
	s, err := openErr(t, dsn)
	if err != nil {
		t.Errorf("open: %v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestPostgresIsALedger(t *testing.T) {
	dsn := pgtest.Start(t)
	storetest.Exercise(t, func(t *testing.T, o storetest.Options) storetest.Ledger {
		t.Helper()
		schema := fmt.Sprintf("p%d_%s", os.Getpid(), o.Name) // the server may be shared with another run
		pgtest.Drop(t, dsn, schema)
		s, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, Schema: schema, Now: o.Now})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// runSQL runs SQL behind the ledger's back.
func runSQL(t *testing.T, dsn, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestANewerOrForeignSchemaIsRefused(t *testing.T) {
	dsn := pgtest.Start(t)
	open(t, dsn)
	for code, statement := range map[string]string{
		"schema_newer":   `INSERT INTO schema_steps (step, sha256) SELECT max(step) + 1, 'x' FROM schema_steps`,
		"schema_changed": `UPDATE schema_steps SET sha256 = 'x' WHERE step = 1`,
	} {
		runSQL(t, dsn, `CREATE TABLE kept AS SELECT * FROM schema_steps`)
		runSQL(t, dsn, statement)
		if _, err := openErr(t, dsn); abi.CodeOf(err) != code {
			t.Errorf("got %v, want %s", err, code)
		}
		runSQL(t, dsn, `DELETE FROM schema_steps; INSERT INTO schema_steps SELECT * FROM kept; DROP TABLE kept`)
	}
	open(t, dsn)
}

func TestALedgerThatWouldForgetIsRefused(t *testing.T) {
	dsn := pgtest.Start(t)
	if _, err := openErr(t, dsn+"&synchronous_commit=off"); abi.CodeOf(err) != "store_not_durable" {
		t.Errorf("got %v", err)
	}
	for _, config := range []postgres.Config{{DSN: dsn, Schema: "Public"}, {DSN: dsn, Schema: "a;b"}, {DSN: dsn, Readers: -1}} {
		if _, err := postgres.Open(t.Context(), config); abi.CodeOf(err) != "store_config_invalid" {
			t.Errorf("schema %q, %d readers: %v", config.Schema, config.Readers, err)
		}
	}
}

func TestAnOperationTheDatabaseRefusesDoesNotFailItsNeighbours(t *testing.T) {
	dsn := pgtest.Start(t)
	ledger := open(t, dsn)
	runSQL(t, dsn, `ALTER TABLE payments ADD CONSTRAINT poison CHECK (id NOT LIKE 'poison%')`)
	storetest.Poisoned(t, ledger)
}

// TestLedgerTimeIsTheDatabasesOwn opens without a clock: this machine's own must not matter.
func TestLedgerTimeIsTheDatabasesOwn(t *testing.T) {
	dsn := pgtest.Start(t)
	ledger := open(t, dsn)
	if err := storetest.Decision(t.Context(), ledger, "acme", "a1", "p1", 5); err != nil {
		t.Fatal(err)
	}
	runSQL(t, dsn, `UPDATE heads SET time_ms = time_ms + 1000 * 60 * 60`)
	if err := storetest.Decision(t.Context(), ledger, "acme", "a1", "p2", 5); abi.CodeOf(err) != "clock_behind" {
		t.Errorf("an hour behind: %v", err)
	}
}

// BenchmarkDurableDecisions counts an Insert and a Commit with two meters as one decision.
func BenchmarkDurableDecisions(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s, err := openErr(b, pgtest.Start(b))
			if err != nil {
				b.Fatal(err)
			}
			storetest.Bench(b, s, callers)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}
