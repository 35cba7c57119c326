package standing

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/audit"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/postgres"
	"github.com/purserhq/purser/runtime/store/postgres/pgtest"
	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/signer/order"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func keyOf(name string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{name[0]}, ed25519.SeedSize))
}

func three() order.Operators {
	operators := order.Operators{Quorum: 2, Keys: map[string]ed25519.PublicKey{}}
	for _, name := range []string{"ada", "bea", "cyd"} {
		operators.Keys[name], _ = keyOf(name).Public().(ed25519.PublicKey)
	}
	return operators
}

func sign(t testing.TB, o *abi.Order, operators ...string) *abi.Order {
	t.Helper()
	for _, name := range operators {
		if err := order.Sign(o, name, keyOf(name)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func freeze(t testing.TB, scope, reason string) *abi.Order {
	t.Helper()
	o, err := order.NewFreeze("default", scope, reason, noon, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return sign(t, o, "ada")
}

func thaw(t testing.TB, frozen ...*abi.Order) *abi.Order {
	t.Helper()
	ids := make([]string, len(frozen))
	for i, f := range frozen {
		ids[i] = f.Subject
	}
	o, err := order.NewThaw("default", ids, noon, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return sign(t, o, "ada", "bea")
}

func policyRelease(t testing.TB, hash byte, serial uint64) *abi.Order {
	t.Helper()
	o, err := order.NewPolicyRelease("default", [32]byte{hash}, serial, noon, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return sign(t, o, "bea", "cyd")
}

// eachStore runs a test on both databases. again opens the same ledger once more, as another process would.
func eachStore(t *testing.T, run func(t *testing.T, ledger store.Store, again func() store.Store)) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "orders.db")
		open := func() store.Store {
			ledger, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = ledger.Close() }) // some tests close it themselves
			return ledger
		}
		first := open()
		run(t, first, func() store.Store {
			if err := first.Close(); err != nil { // one process at a time has the file
				t.Fatal(err)
			}
			return open()
		})
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := pgtest.Start(t)
		open := func() store.Store {
			ledger, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = ledger.Close() })
			return ledger
		}
		run(t, open(), open)
	})
}

func open(t testing.TB, ledger store.Store) *Orders {
	t.Helper()
	o, err := Open(t.Context(), Config{Side: "cosigner", Tenant: "default", Store: ledger, Operators: three(), Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func memory(t testing.TB) store.Store {
	t.Helper()
	ledger, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "orders.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	return ledger
}

func accept(t testing.TB, o *Orders, orders ...*abi.Order) {
	t.Helper()
	for _, given := range orders {
		if err := o.Accept(t.Context(), given); err != nil {
			t.Fatal(err)
		}
	}
}

var shopper = order.Target{Agent: "shopper", Wallet: "main", Payee: "0x1111111111111111111111111111111111111111", Network: "eip155:8453"}

func frozen(t testing.TB, o *Orders) string {
	t.Helper()
	return abi.CodeOf(o.Frozen(t.Context(), shopper))
}

// kinds are the kinds of the orders' log entries; the whole log must verify.
func kinds(t testing.TB, ledger store.Store) []string {
	t.Helper()
	if _, err := audit.Verify(audit.Records(t.Context(), ledger, "default"), audit.Options{Tenant: "default"}); err != nil {
		t.Fatalf("the log does not verify: %v", err)
	}
	records, err := ledger.Log(t.Context(), store.LogQuery{Tenant: "default", Agent: Agent, Max: store.LogMax})
	if err != nil {
		t.Fatal(err)
	}
	list := make([]string, 0, len(records))
	for _, record := range records {
		var entry abi.Entry
		if err := entry.Unmarshal(record.Entry); err != nil {
			t.Fatal(err)
		}
		list = append(list, entry.Kind)
	}
	return list
}

// lossy is a ledger that fails around its writes the way a crash or a lost connection does.
type lossy struct {
	store.Store
	before, after atomic.Int64 // how many inserts fail before, and after they happened
}

func (l *lossy) Insert(ctx context.Context, row store.Row, entry store.Entry) (store.Row, store.Claim, error) {
	if l.before.Add(-1) >= 0 {
		return row, 0, context.DeadlineExceeded
	}
	got, claim, err := l.Store.Insert(ctx, row, entry)
	if err == nil && l.after.Add(-1) >= 0 {
		return row, 0, store.ErrCommitUnknown
	}
	return got, claim, err
}
