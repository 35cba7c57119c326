package sqlite_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/runtime/store/storetest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		os.Exit(child(path))
	}
	os.Exit(m.Run())
}

func TestSQLiteIsALedger(t *testing.T) {
	dir := t.TempDir()
	storetest.Exercise(t, func(t *testing.T, o storetest.Options) storetest.Ledger {
		t.Helper()
		s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, o.Name+".db"), Now: o.Now})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// spoil runs SQL on the file behind the ledger's back.
func spoil(t *testing.T, path string, statement string) {
	t.Helper()
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestANewerLedgerIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	spoil(t, path, `INSERT INTO sqldb_schema (step, sha256) SELECT max(step) + 1, 'x' FROM sqldb_schema`)
	if _, err := sqlite.Open(t.Context(), sqlite.Config{Path: path}); abi.CodeOf(err) != "schema_newer" {
		t.Errorf("got %v", err)
	}
	spoil(t, path, `DELETE FROM sqldb_schema WHERE sha256 = 'x'`)
	if err := open(t, path).Close(); err != nil {
		t.Error(err)
	}
}

// TestAnOperationTheDatabaseRefusesDoesNotFailItsNeighbours makes one insert fail inside the database, by a trigger
// that only this test knows, while others are in the same batches.
func TestAnOperationTheDatabaseRefusesDoesNotFailItsNeighbours(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	ledger := open(t, path)
	defer func() {
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	}()
	spoil(t, path, `CREATE TRIGGER poison BEFORE INSERT ON payments WHEN new.id LIKE 'poison%' BEGIN SELECT RAISE(ABORT, 'no'); END`)
	storetest.Poisoned(t, ledger)
}

func TestTwoHandlesOnOneFileDoNotOverspend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	first, second := open(t, path), open(t, path)
	if first.ID() != second.ID() {
		t.Errorf("one file has the identities %s and %s", first.ID(), second.ID())
	}
	storetest.Race(t, 50, first, second)
	for _, ledger := range []store.Store{first, second} {
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkDurableDecisions counts an Insert and a Commit with two meters as one decision.
func BenchmarkDurableDecisions(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			storetest.Bench(b, open(b, filepath.Join(b.TempDir(), "ledger.db")), callers)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}
