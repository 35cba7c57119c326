package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sqldb"
)

var counterSchema = []string{
	`CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL CHECK (n >= 0)) STRICT;
	 INSERT INTO counter VALUES (1, 0)`,
	`CREATE TABLE child (counter INTEGER NOT NULL REFERENCES counter (id)) STRICT`,
}

func open(t *testing.T, path string, schema []string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), path, schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func count(t *testing.T, db *sqldb.DB) (n int) {
	t.Helper()
	if err := db.Read().QueryRowContext(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNoIncrementIsLostUnderConcurrentReadModifyWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name?#%20.db")
	// Two handles on one file stand in for two processes.
	first, second := open(t, path, counterSchema), open(t, path, counterSchema)
	const writers, each = 8, 10
	var group sync.WaitGroup
	for w := range writers {
		db := []*sqldb.DB{first, second}[w%2]
		group.Go(func() {
			for range each {
				err := db.Write(t.Context(), func(tx *sql.Tx) error {
					var n int
					if err := tx.QueryRowContext(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil {
						return err
					}
					_, err := tx.ExecContext(t.Context(), "UPDATE counter SET n = ?", n+1)
					return err
				})
				if err != nil {
					t.Errorf("write: %v", err)
				}
			}
		})
	}
	group.Wait()
	if got := count(t, first); got != writers*each {
		t.Errorf("counted %d of %d increments", got, writers*each)
	}
}

func TestAFailedOrPanickingWriteChangesNothingAndFreesTheWriter(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "a.db"), counterSchema)
	boom := errors.New("boom")
	bump := func(tx *sql.Tx) {
		if _, err := tx.ExecContext(t.Context(), "UPDATE counter SET n = n + 1"); err != nil {
			t.Error(err)
		}
	}
	if err := db.Write(t.Context(), func(tx *sql.Tx) error { bump(tx); return boom }); !errors.Is(err, boom) {
		t.Errorf("got %v, want the function's own error", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = db.Write(t.Context(), func(tx *sql.Tx) error { bump(tx); panic("fn") })
	}()
	cancelled, cancel := context.WithCancel(t.Context())
	err := db.Write(cancelled, func(tx *sql.Tx) error { bump(tx); cancel(); return nil })
	if !errors.Is(err, context.Canceled) && !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("a write cancelled before its commit said %v", err)
	}
	if got := count(t, db); got != 0 {
		t.Errorf("counter is %d after three undone writes", got)
	}
	if err := db.Write(t.Context(), func(tx *sql.Tx) error { bump(tx); return nil }); err != nil {
		t.Fatalf("the writer is stuck: %v", err)
	}
	if got := count(t, db); got != 1 {
		t.Errorf("counter is %d after one good write", got)
	}
}

func TestReadersCannotWriteAndForeignKeysHold(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "a.db"), counterSchema)
	if _, err := db.Read().ExecContext(t.Context(), "UPDATE counter SET n = 9"); err == nil {
		t.Error("a reader wrote")
	}
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO child VALUES (77)")
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "FOREIGN KEY") {
		t.Errorf("a dangling reference: %v", err)
	}
}

func TestTheFilesAreTheOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path, counterSchema)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", suffix, mode)
		}
	}
}

func TestSchemasOnlyGoForward(t *testing.T) {
	cases := []struct {
		name   string
		schema []string
		code   string
	}{
		{"an older program refuses a newer file", counterSchema[:1], "sqldb_schema_newer"},
		{"an edited step is noticed", []string{counterSchema[0] + " ", counterSchema[1]}, "sqldb_schema_changed"},
		{"a broken step changes nothing", append(counterSchema[:2:2], "CREATE TABLE x (a) ; NONSENSE"), "sqldb_schema_failed"},
		{"the same schema opens", counterSchema, ""},
		{"one more step is applied once", append(counterSchema[:2:2], "CREATE TABLE x (a ANY) STRICT"), ""},
		{"and stays applied", append(counterSchema[:2:2], "CREATE TABLE x (a ANY) STRICT"), ""},
	}
	path := filepath.Join(t.TempDir(), "a.db")
	open(t, path, counterSchema)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db, err := sqldb.Open(t.Context(), path, c.schema)
			if got := abi.CodeOf(err); got != c.code {
				t.Fatalf("got %q (%v), want %q", got, err, c.code)
			}
			if err == nil {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestWhatIsNoPlainFileIsRefused(t *testing.T) {
	notADatabase := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(notADatabase, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, code := range map[string]string{
		"": "sqldb_path_invalid", ":memory:": "sqldb_path_invalid", "file:x?mode=memory": "sqldb_path_invalid",
		"/no/such/folder/a.db": "sqldb_open_failed", t.TempDir(): "sqldb_open_failed", notADatabase: "sqldb_open_failed",
	} {
		db, err := sqldb.Open(t.Context(), path, nil)
		if got := abi.CodeOf(err); got != code {
			t.Errorf("%q: got %q (%v), want %q", path, got, err, code)
		}
		if db != nil {
			t.Errorf("%q: a database came back with an error", path)
		}
	}
}

func TestACommittedWriteIsThereAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db, err := sqldb.Open(t.Context(), path, counterSchema)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE counter SET n = 5")
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if got := count(t, open(t, path, counterSchema)); got != 5 {
		t.Errorf("got %d after reopening", got)
	}
}
