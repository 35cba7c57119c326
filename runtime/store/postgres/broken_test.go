package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/postgres/pgtest"
	"github.com/purserhq/purser/runtime/store/storetest"
)

// wire stands between a ledger and its server and cuts connections at COMMIT.
type wire struct {
	target string
	// beforeAnswer says where to cut: after the server saw the COMMIT, or before.
	beforeAnswer atomic.Bool
	// strikes is how many more commits to cut.
	strikes atomic.Int32
	// down refuses new connections.
	down atomic.Bool
}

// startWire returns a connection string that leads through the wire.
func startWire(t *testing.T, dsn string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dir := u.Query().Get("host")
	if dir == "" {
		t.Skipf("SKIPPED: %s is not a server on a socket of this machine", pgtest.EnvDSN)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's listener
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	w := &wire{target: dir + "/.s.PGSQL.5432"}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go w.serve(client)
		}
	}()
	u.Host = listener.Addr().String()
	query := u.Query()
	query.Del("host")
	query.Set("sslmode", "disable")
	u.RawQuery = query.Encode()
	return w, u.String()
}

func (w *wire) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	if w.down.Load() {
		return
	}
	server, err := net.Dial("unix", w.target) //nolint:noctx // a test's wire
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var mute atomic.Bool
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if mute.Load() || err != nil {
				_ = client.Close()
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(buffer[:n], []byte("commit\x00")) {
			if w.strikes.Add(-1) >= 0 {
				if !w.beforeAnswer.Load() {
					return
				}
				mute.Store(true)
			}
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func received(id string) (store.Row, store.Entry) {
	return store.Row{Tenant: "acme", Agent: "a1", ID: id, Key: id, State: "received"},
		store.Entry{Kind: "payment.received", Payment: id}
}

func TestALostCommitIsLookedForAndHappensExactlyOnce(t *testing.T) {
	w, dsn := startWire(t, pgtest.Start(t))
	ledger := open(t, dsn)
	for round, strikes := range []int32{1, 2, 1, 2} { // the second strike hits the search for the first
		w.beforeAnswer.Store(round >= 2)
		row, e := received(fmt.Sprint("p", round))
		w.strikes.Store(strikes)
		got, claim, err := ledger.Insert(t.Context(), row, e)
		if err != nil || claim != store.ClaimCreated || w.strikes.Load() > 0 {
			t.Fatalf("round %d: insert: claim %d, %v, %d strikes left", round, claim, err, w.strikes.Load())
		}
		w.strikes.Store(strikes)
		got, err = ledger.Defer(t.Context(), got.Tenant, got.ID, 1, time.Now())
		if err != nil || got.Version != 2 || w.strikes.Load() > 0 {
			t.Fatalf("round %d: defer: %+v, %v, %d strikes left", round, got, err, w.strikes.Load())
		}
		w.strikes.Store(strikes)
		got, err = ledger.Commit(t.Context(), store.Change{Tenant: got.Tenant, ID: got.ID, Version: 2, State: "denied", Entry: e})
		if err != nil || got.Version != 3 || w.strikes.Load() > 0 {
			t.Fatalf("round %d: commit: %+v, %v, %d strikes left", round, got, err, w.strikes.Load())
		}
		w.strikes.Store(0)
	}
	storetest.CheckLedger(t, ledger, "acme")
}

func TestACommitWhoseOutcomeCannotBeFoundIsUnknown(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the bound of the search")
	}
	w, dsn := startWire(t, pgtest.Start(t))
	ledger := open(t, dsn)
	row, entry := received("p1")
	if _, _, err := ledger.Insert(t.Context(), row, entry); err != nil {
		t.Fatal(err)
	}
	w.beforeAnswer.Store(true)
	w.strikes.Store(1)
	w.down.Store(true)
	row, entry = received("p2")
	_, _, err := ledger.Insert(t.Context(), row, entry)
	if !errors.Is(err, store.ErrCommitUnknown) {
		t.Errorf("got %v", err)
	}
	w.down.Store(false)
	got, claim, err := ledger.Insert(t.Context(), row, entry) // the same key finds out
	if err != nil || got.ID != "p2" || claim != store.ClaimSameKey {
		t.Errorf("again: %+v, claim %d, %v", got, claim, err)
	}
	storetest.CheckLedger(t, ledger, "acme")
}

// TestKilledSessionsLoseNoAnswerAndNoBudget repeats decisions with the same key, as a caller would, while the
// server ends sessions at random moments.
func TestKilledSessionsLoseNoAnswerAndNoBudget(t *testing.T) {
	const limit, kills, callers, each = 100, 20, 8, 25
	dsn := pgtest.Start(t)
	ledger := open(t, dsn)
	admin, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(context.Background()) }()
	var killer sync.WaitGroup
	killer.Go(func() {
		for killed := 0; killed < kills; {
			// The sessions that hold this schema's heads. A round without any is no kill.
			tag, err := admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks
				WHERE relation = 'heads'::regclass AND pid <> pg_backend_pid()`)
			if err != nil {
				t.Errorf("terminate: %v", err)
				return
			}
			killed += int(tag.RowsAffected())
			time.Sleep(10 * time.Millisecond)
			if rows, err := ledger.Rows(t.Context(), store.RowQuery{Tenant: "acme"}); err == nil && len(rows) == callers*each {
				return // the work was done before all kills
			}
		}
	})
	var allowed, repeated atomic.Uint64
	var group sync.WaitGroup
	for c := range callers {
		group.Go(func() {
			for i := range each {
				for {
					err := storetest.Decision(t.Context(), ledger, "acme", fmt.Sprint("a", c), fmt.Sprintf("p-%d-%d", c, i), limit)
					if err == nil {
						allowed.Add(1)
					}
					if err == nil || storetest.NoRoom(err) || t.Context().Err() != nil {
						break
					}
					repeated.Add(1)
				}
			}
		})
	}
	group.Wait()
	killer.Wait()
	t.Logf("%d decisions had to be repeated by their caller", repeated.Load())
	if level := storetest.LoadLevel(t, ledger, "acme"); level != limit || allowed.Load() != limit {
		t.Errorf("%d were allowed, %d is reserved, the limit is %d", allowed.Load(), level, limit)
	}
	storetest.CheckLedger(t, ledger, "acme")
}

func TestAServerThatIsNotThereIsACodedError(t *testing.T) {
	_, err := openErr(t, "postgres://nobody:hunter2@127.0.0.1:1/none?connect_timeout=1")
	if abi.CodeOf(err) != "store_open_failed" || bytes.Contains([]byte(fmt.Sprint(err)), []byte("hunter2")) {
		t.Errorf("got %v", err)
	}
	_, err = openErr(t, "postgres://nobody:hunter2@127.0.0.1:x/none")
	if abi.CodeOf(err) != "store_config_invalid" || bytes.Contains([]byte(fmt.Sprint(err)), []byte("hunter2")) {
		t.Errorf("got %v", err)
	}
}
