package sqlite_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/purserhq/purser/runtime/store"
)

const (
	responseBytes = 5 << 20
	// changeBytesMax bounds what one change of a row may write beside a response: a dozen pages of tables and indexes.
	changeBytesMax = 256 << 10
)

// TestAResponseIsNotWrittenAgainByLaterChanges measures the write-ahead log: SQLite rewrites the whole record of a row
// that is updated, whatever columns the statement names.
func TestAResponseIsNotWrittenAgainByLaterChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	ledger := open(t, path)
	defer func() {
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	}()
	response := make([]byte, responseBytes)
	if _, err := rand.NewChaCha8([32]byte{7}).Read(response); err != nil {
		t.Fatal(err)
	}
	row, _, err := ledger.Insert(t.Context(), store.Row{Tenant: "acme", Agent: "a1", ID: "p1", Key: "k1", State: "received"},
		store.Entry{Kind: "payment.received", Payment: "p1"})
	if err != nil {
		t.Fatal(err)
	}
	change := store.Change{
		Tenant: "acme", ID: "p1", Version: row.Version, State: "delivered", Response: response,
		Body: []byte(`{}`), Entry: store.Entry{Kind: "payment.moved", Payment: "p1"},
	}
	if _, err := ledger.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	steps := map[string]func(version uint64) (store.Row, error){
		"a change without a response": func(version uint64) (store.Row, error) {
			c := change
			c.Version, c.State, c.Response, c.Body = version, "settled", nil, []byte(`{"longer":"than before"}`)
			return ledger.Commit(t.Context(), c)
		},
		"a change with the same response": func(version uint64) (store.Row, error) {
			c := change
			c.Version = version
			return ledger.Commit(t.Context(), c)
		},
		"a deferral": func(version uint64) (store.Row, error) {
			return ledger.Defer(t.Context(), "acme", "p1", version, time.Now().Add(time.Hour))
		},
	}
	version := uint64(2)
	for name, step := range steps {
		spoil(t, path, `PRAGMA wal_checkpoint(TRUNCATE)`)
		row, err := step(version)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		version = row.Version
		wal, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s wrote %d bytes", name, wal.Size())
		if wal.Size() == 0 || wal.Size() > changeBytesMax {
			t.Errorf("%s wrote %d bytes, want at most %d", name, wal.Size(), changeBytesMax)
		}
		stored, err := ledger.Row(t.Context(), "acme", "p1")
		if err != nil || !bytes.Equal(stored.Response, response) || !bytes.Equal(row.Response, response) {
			t.Errorf("%s: the response is %d bytes and returned with %d, %v", name, len(stored.Response), len(row.Response), err)
		}
	}
}
