package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/postgres"
	"github.com/purserhq/purser/runtime/store/postgres/pgtest"
	"github.com/purserhq/purser/runtime/store/storetest"
)

const pollEvery = 5 * time.Millisecond

// await polls until the condition holds or the test's own time is over.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for !condition() {
		select {
		case <-time.After(pollEvery):
		case <-t.Context().Done():
			t.Fatalf("%s did not come", what)
		}
	}
}

// TestALostDeferralIsNotMistakenForARivals loses the COMMIT of a worker that takes a row, and lets another worker take
// it while the first cannot reach the server. The row alone does not tell what happened: in both cases the rival moved
// it last, and only in one of them did the first worker have it.
func TestALostDeferralIsNotMistakenForARivals(t *testing.T) {
	for name, c := range map[string]struct {
		arrived bool
		rivals  uint64 // the version that the rival takes
		want    error
	}{
		"the commit did not arrive": {false, 1, store.ErrConflict},
		"the commit arrived":        {true, 2, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := pgtest.Start(t)
			w, through := startWire(t, dsn)
			worker, rival := open(t, through), open(t, dsn)
			row, e := received("p1")
			if _, _, err := worker.Insert(t.Context(), row, e); err != nil {
				t.Fatal(err)
			}
			due := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
			w.beforeAnswer.Store(c.arrived)
			w.down.Store(true) // of new connections; the open one loses its COMMIT
			w.strikes.Store(1)
			var got store.Row
			answer := make(chan error, 1)
			go func() {
				var err error
				got, err = worker.Defer(t.Context(), "acme", "p1", 1, due)
				answer <- err
			}()
			await(t, "the lost commit", func() bool { return w.strikes.Load() <= 0 })
			if c.arrived {
				await(t, "the worker's deferral", func() bool {
					stored, err := rival.Row(t.Context(), "acme", "p1")
					return err == nil && stored.Version == 2
				})
			}
			if _, err := rival.Defer(t.Context(), "acme", "p1", c.rivals, due.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			w.down.Store(false)
			if err := <-answer; !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("the worker was told %v, want %v", err, c.want)
			}
			if c.want == nil && (got.Version != 2 || !got.Due.Equal(due)) {
				t.Errorf("the worker got %+v", got)
			}
			stored, err := rival.Row(t.Context(), "acme", "p1")
			if err != nil || stored.Version != c.rivals+1 || !stored.Due.Equal(due.Add(time.Hour)) {
				t.Errorf("the row is %+v, %v", stored, err)
			}
			storetest.CheckLedger(t, rival, "acme")
		})
	}
}

func countMarks(t *testing.T, dsn string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM marks`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOnlyDeferralsLeaveMarksAndOldOnesGo(t *testing.T) {
	dsn := pgtest.Start(t)
	clock := storetest.NewClock(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	ledger, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	row, e := received("p1")
	row, _, err = ledger.Insert(t.Context(), row, e)
	if err != nil {
		t.Fatal(err)
	}
	if n := countMarks(t, dsn); n != 0 {
		t.Errorf("an insert left %d marks", n)
	}
	for i, want := range []int{1, 2, 3, 3, 3} { // a step is two minutes, and a mark is kept for five
		if row, err = ledger.Defer(t.Context(), "acme", "p1", row.Version, clock.Now()); err != nil {
			t.Fatal(err)
		}
		if n := countMarks(t, dsn); n != want {
			t.Errorf("after deferral %d: %d marks, want %d", i, n, want)
		}
		clock.Advance(2 * time.Minute)
	}
	if _, err := ledger.Defer(t.Context(), "acme", "p1", 1, clock.Now()); !errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v", err)
	}
	if n := countMarks(t, dsn); n != 3 {
		t.Errorf("a refused deferral changed the marks to %d", n)
	}
}

// TestAResponseIsNotWrittenAgainByLaterChanges lets the server refuse every UPDATE that names a response which is there
// already: Postgres writes a large value again whenever SET names its column.
func TestAResponseIsNotWrittenAgainByLaterChanges(t *testing.T) {
	dsn := pgtest.Start(t)
	ledger := open(t, dsn)
	runSQL(t, dsn, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'response written again'; END$$;
		CREATE TRIGGER again BEFORE UPDATE OF response ON payments FOR EACH ROW WHEN (old.response IS NOT NULL) EXECUTE FUNCTION refuse()`)
	response := make([]byte, 5<<20)
	if _, err := rand.NewChaCha8([32]byte{7}).Read(response); err != nil {
		t.Fatal(err)
	}
	row, e := received("p1")
	row, _, err := ledger.Insert(t.Context(), row, e)
	if err != nil {
		t.Fatal(err)
	}
	c := store.Change{Tenant: "acme", ID: "p1", State: "delivered", Response: response, Entry: e}
	steps := []func() (store.Row, error){
		func() (store.Row, error) { return ledger.Commit(t.Context(), c) },
		func() (store.Row, error) { return ledger.Commit(t.Context(), c) }, // the same one again
		func() (store.Row, error) { c.Response = nil; return ledger.Commit(t.Context(), c) },
		func() (store.Row, error) { return ledger.Defer(t.Context(), "acme", "p1", c.Version, time.Now()) },
	}
	for i, step := range steps {
		c.Version = row.Version
		if row, err = step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		stored, err := ledger.Row(t.Context(), "acme", "p1")
		if err != nil || !bytes.Equal(stored.Response, response) || !bytes.Equal(row.Response, response) {
			t.Errorf("step %d: the response is %d bytes and returned with %d, %v", i, len(stored.Response), len(row.Response), err)
		}
	}
}
