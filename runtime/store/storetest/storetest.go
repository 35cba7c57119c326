// Package storetest is the suite that both ledgers pass, the checker that reads a ledger's invariants from the
// outside, and the wrapper that makes a ledger fail or crash at a chosen write. It refuses to know either database:
// a ledger is opened by the caller.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/audit"
	"github.com/purserhq/purser/runtime/store"
)

// Ledger is what both databases are: a store and a registry of agents in one.
type Ledger interface {
	store.Store
	store.Agents
}

// Options says which ledger to open.
type Options struct {
	// Name is the database: equal names within a test run are the same one, so that it can be opened again. It is
	// at most 40 bytes of [a-z0-9_].
	Name string
	// Now is the clock.
	Now func() time.Time
}

// Open opens a ledger; the caller closes it.
type Open func(t *testing.T, o Options) Ledger

// Clock is a clock that tests move. Safe for concurrent use.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock starts a clock.
func NewClock(at time.Time) *Clock { return &Clock{at: at} }

// Now reads the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Set moves the clock, in either direction.
func (c *Clock) Set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) { c.Set(c.Now().Add(d)) }

// suite is one ledger under test with its clock.
type suite struct {
	*testing.T
	Ledger
	clock  *Clock
	tenant string
}

var start = time.Date(2026, 11, 22, 12, 0, 30, 0, time.UTC)

// notName matches what a database's name may not hold.
var notName = regexp.MustCompile(`[^a-z0-9]+`)

var named = struct {
	sync.Mutex
	count int
}{}

// freshName names a new database after the test.
func freshName(t *testing.T) string {
	named.Lock()
	defer named.Unlock()
	named.count++
	name := notName.ReplaceAllString(strings.ToLower(t.Name()), "_")
	return fmt.Sprintf("s%d_%.30s", named.count, name[max(0, len(name)-30):])
}

// begin opens a fresh ledger, and checks it from the outside when the test ends.
func begin(t *testing.T, open Open) *suite {
	t.Helper()
	clock := NewClock(start)
	s := &suite{T: t, Ledger: open(t, Options{Name: freshName(t), Now: clock.Now}), clock: clock, tenant: "acme"}
	t.Cleanup(func() {
		if !t.Failed() {
			CheckLedger(t, s.Ledger, s.tenant)
		}
		if err := s.Ledger.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// Log is the ledger's, not the test's.
func (s *suite) Log(ctx context.Context, query store.LogQuery) ([]store.Record, error) {
	return s.Ledger.Log(ctx, query)
}

func (s *suite) row(agent, id string) store.Row {
	return store.Row{Tenant: s.tenant, Agent: agent, ID: id, Key: "key-" + id, State: "received", Body: []byte("{}")}
}

func entry(kind, id string) store.Entry {
	return store.Entry{Kind: kind, Payment: id, Body: []byte(`{"id":"` + id + `"}`)}
}

// insert makes a row that must be new. Like commit it may be called from any goroutine, so it does not stop the test.
func (s *suite) insert(row store.Row) store.Row {
	s.Helper()
	got, claim, err := s.Insert(s.Context(), row, entry("payment.received", row.ID))
	if err != nil || claim != store.ClaimCreated {
		s.Errorf("insert %s: claim %d, %v", row.ID, claim, err)
	}
	return got
}

// change is a change of a row that keeps everything as it is.
func change(row store.Row, state string) store.Change {
	return store.Change{
		Tenant: row.Tenant, ID: row.ID, Version: row.Version, State: state, Slot: row.Slot, Due: row.Due,
		Body: row.Body, Entry: entry("payment."+state, row.ID),
	}
}

// commit makes a change that must succeed.
func (s *suite) commit(c store.Change) store.Row {
	s.Helper()
	row, err := s.Commit(s.Context(), c)
	if err != nil {
		s.Errorf("commit %s %s: %v", c.ID, c.State, err)
	}
	return row
}

// reserve makes a new row that reserves one unit of each meter without limits.
func (s *suite) reserve(id string, amount uint64, meters ...store.Meter) store.Row {
	s.Helper()
	c := change(s.insert(s.row("a1", id)), "allowed")
	for _, meter := range meters {
		c.Reserve = append(c.Reserve, store.Reservation{Meter: meter, Add: abi.NewAmount(amount)})
	}
	return s.commit(c)
}

func (s *suite) close(row store.Row, closing store.Closing) store.Row {
	s.Helper()
	c := change(row, "closed")
	c.Close = closing
	return s.commit(c)
}

// level reads one level as a small number.
func (s *suite) level(meter store.Meter, window store.Window) uint64 {
	s.Helper()
	facts, err := s.Facts(s.Context(), store.FactQuery{Tenant: s.tenant, Levels: []store.LevelQuery{{Meter: meter, Window: window}}})
	if err != nil {
		s.Fatalf("facts: %v", err)
	}
	n, ok := facts.Levels[0].Uint64()
	if !ok {
		s.Fatalf("level %s is not small", facts.Levels[0])
	}
	return n
}

func (s *suite) wantCode(err error, code string) {
	s.Helper()
	if abi.CodeOf(err) != code {
		s.Errorf("got error %v, want code %q", err, code)
	}
}

func window(t testing.TB, text string) store.Window {
	t.Helper()
	w, err := store.ParseWindow(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// NoRoom reports whether an error says that a budget is used up.
func NoRoom(err error) bool {
	var full *store.NoRoomError
	return errors.As(err, &full)
}

var (
	money  = store.Meter{Scope: "agent/a1", Unit: "usdc"}
	counts = store.Meter{Scope: "agent/a1", Unit: store.UnitCount}
)

// CheckLedger reads a tenant's whole log and all its rows, and checks them.
func CheckLedger(t testing.TB, ledger store.Store, tenant string) {
	t.Helper()
	var records []store.Record
	for record, err := range audit.Records(context.Background(), ledger, tenant) {
		if err != nil {
			t.Fatalf("read the log: %v", err)
		}
		records = append(records, record)
	}
	Check(t, records, AllRows(t, ledger, tenant))
}

// AllRows reads every row of a tenant, page by page.
func AllRows(t testing.TB, ledger store.Store, tenant string) (rows []store.Row) {
	t.Helper()
	query := store.RowQuery{Tenant: tenant}
	for {
		page, err := ledger.Rows(context.Background(), query)
		if err != nil {
			t.Fatalf("list rows: %v", err)
		}
		if len(page) == 0 {
			return rows
		}
		rows = append(rows, page...)
		query.After = page[len(page)-1].ID
	}
}
