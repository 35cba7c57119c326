package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"pgregory.net/rapid"
)

// model is the naive ledger: every reservation is kept with its instant, and a level is a walk over all of them.
type model struct {
	rows    map[string]*store.Row
	order   []string
	spends  []spend
	entries uint64
	payees  map[string]uint64
}

type spend struct {
	id     string
	meter  store.Meter
	amount uint64
	at     time.Time
	state  store.Closing // KeepOpen: open
}

func (m *model) level(meter store.Meter, w store.Window, now time.Time) (sum uint64) {
	width, from, all := w.Buckets(now)
	for _, s := range m.spends {
		isOpen := s.state == store.KeepOpen && s.meter.Unit != store.UnitCount
		switch {
		case s.meter != meter || s.state == store.Release && s.meter.Unit != store.UnitCount:
		case all, isOpen, !s.at.Truncate(width).Before(from):
			sum += s.amount
		}
	}
	return sum
}

func (m *model) insert(row store.Row, now time.Time) (store.Row, store.Claim) {
	for _, id := range m.order {
		if held := m.rows[id]; held.Agent == row.Agent && held.Key == row.Key {
			return *held, store.ClaimSameKey
		}
	}
	for _, id := range m.order {
		if held := m.rows[id]; row.Slot != "" && held.Slot == row.Slot {
			return *held, store.ClaimSameSlot
		}
	}
	row.Version, row.Created, row.Updated = 1, now, now
	m.rows[row.ID], m.order = &row, append(m.order, row.ID)
	m.entries++
	return row, store.ClaimCreated
}

// errRoom stands for any *NoRoomError.
var errRoom = errors.New("no room")

func (m *model) commit(c store.Change, now time.Time) (store.Row, error) {
	row, ok := m.rows[c.ID]
	if !ok {
		return store.Row{}, store.ErrNotFound
	}
	if row.Version != c.Version {
		return store.Row{}, store.ErrConflict
	}
	if err := m.fixed(row, c); err != nil {
		return store.Row{}, err
	}
	spends := slices.Clone(m.spends)
	for i := range m.spends {
		if m.spends[i].id == c.ID && m.spends[i].state == store.KeepOpen {
			m.spends[i].state = c.Close
		}
	}
	for _, reservation := range c.Reserve {
		add, _ := reservation.Add.Uint64()
		for _, limit := range reservation.Limits {
			if limitMax, _ := limit.Max.Uint64(); m.level(reservation.Meter, limit.Window, now)+add > limitMax {
				m.spends = spends
				return store.Row{}, errRoom
			}
		}
		m.spends = append(m.spends, spend{id: c.ID, meter: reservation.Meter, amount: add, at: now})
	}
	row.State, row.Slot, row.Due, row.Body = c.State, c.Slot, c.Due, c.Body
	if c.Digest != nil {
		row.Digest = c.Digest
	}
	if c.Response != nil {
		row.Response = c.Response
	}
	if c.Seen.Payee != "" {
		m.payees[c.Seen.Payee]++
	}
	row.Version++
	row.Updated = now
	m.entries++
	return *row, nil
}

func (m *model) deferRow(id string, version uint64, due time.Time) (store.Row, error) {
	row, ok := m.rows[id]
	if !ok {
		return store.Row{}, store.ErrNotFound
	}
	if row.Version != version {
		return store.Row{}, store.ErrConflict
	}
	row.Due = due
	row.Version++
	return *row, nil
}

func (m *model) fixed(row *store.Row, c store.Change) error {
	if c.Response != nil && row.Response != nil && string(c.Response) != string(row.Response) {
		return store.ErrWriteOnce
	}
	if c.Digest != nil && row.Digest != nil && string(c.Digest) != string(row.Digest) {
		return store.ErrWriteOnce
	}
	for _, other := range m.rows {
		if c.Digest != nil && other != row && string(other.Digest) == string(c.Digest) {
			return store.ErrWriteOnce
		}
	}
	for _, other := range m.rows {
		if c.Slot != "" && other != row && other.Slot == c.Slot {
			return store.ErrSlotTaken
		}
	}
	return nil
}

// machine drives a ledger and the model with the same random calls.
type machine struct {
	ledger Ledger
	clock  *Clock
	tenant string
	model  model
	tests  *testing.T
}

func modelTest(t *testing.T, open Open) {
	clock := NewClock(start)
	ledger := open(t, Options{Name: freshName(t), Now: clock.Now})
	t.Cleanup(func() {
		if err := ledger.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++ // a fresh tenant is a fresh ledger, except for digests, which are named after the tenant
		clock.Set(start)
		m := &machine{
			ledger: ledger, clock: clock, tenant: fmt.Sprint("t", run), tests: t,
			model: model{rows: map[string]*store.Row{}, payees: map[string]uint64{}},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"insert": m.insert, "commit": m.commit, "reserve": m.reserve, "defer": m.deferRow, "wait": m.wait, "": m.check,
		})
		CheckLedger(t, ledger, m.tenant)
	})
}

func (m *machine) now() time.Time { return m.clock.Now().UTC().Truncate(time.Millisecond) }

var (
	modelMeters  = []store.Meter{money, counts, {Scope: "tenant", Unit: "usdc"}}
	modelWindows = []string{"open", "rolling 1m", "rolling 90m", "rolling 24h", "calendar day Europe/Berlin", "calendar week UTC", "lifetime"}
)

func (m *machine) insert(rt *rapid.T) {
	id := rapid.IntRange(0, 11).Draw(rt, "id")
	row := store.Row{
		Tenant: m.tenant, Agent: fmt.Sprint("a", id%2), ID: fmt.Sprint("p", id), Key: fmt.Sprint("k", id), State: "received",
		Slot: rapid.SampledFrom([]string{"", "x", "y"}).Draw(rt, "slot"), Body: []byte(`{}`),
	}
	got, claim, err := m.ledger.Insert(m.tests.Context(), row, entry("payment.received", row.ID))
	want, wantClaim := m.model.insert(row, m.now())
	if err != nil || claim != wantClaim || cmp.Diff(want, got) != "" {
		rt.Fatalf("insert %s: claim %d, want %d, %v: %s", row.ID, claim, wantClaim, err, cmp.Diff(want, got))
	}
}

func (m *machine) commit(rt *rapid.T) {
	id := fmt.Sprint("p", rapid.IntRange(0, 11).Draw(rt, "id"))
	c := store.Change{
		Tenant: m.tenant, ID: id, State: rapid.SampledFrom([]string{"allowed", "done"}).Draw(rt, "state"),
		Slot: rapid.SampledFrom([]string{"", "x"}).Draw(rt, "slot"), Entry: entry("payment.moved", id),
		Close: rapid.SampledFrom([]store.Closing{store.KeepOpen, store.Settle, store.Release}).Draw(rt, "close"),
	}
	if rapid.IntRange(0, 4).Draw(rt, "fixed") == 0 {
		c.Digest = fmt.Appendf(nil, "%s-%d", m.tenant, rapid.IntRange(0, 3).Draw(rt, "digest"))
		c.Response = []byte{byte(rapid.IntRange(1, 2).Draw(rt, "response"))} //nolint:gosec // small
	}
	if rapid.Bool().Draw(rt, "payee") {
		c.Seen.Payee = "0x1"
	}
	m.try(rt, c)
}

func (m *machine) reserve(rt *rapid.T) {
	id := fmt.Sprint("p", rapid.IntRange(0, 11).Draw(rt, "id"))
	c := store.Change{
		Tenant: m.tenant, ID: id, State: "allowed", Entry: entry("payment.allowed", id),
		Close: rapid.SampledFrom([]store.Closing{store.KeepOpen, store.Settle, store.Release}).Draw(rt, "close"),
	}
	for _, meter := range modelMeters {
		if rapid.Bool().Draw(rt, "skip") {
			continue
		}
		r := store.Reservation{Meter: meter, Add: abi.NewAmount(uint64(rapid.IntRange(0, 5).Draw(rt, "add")))} //nolint:gosec // small
		for range rapid.IntRange(0, 2).Draw(rt, "limits") {
			w := window(m.tests, rapid.SampledFrom(modelWindows).Draw(rt, "window"))
			limitMax := abi.NewAmount(uint64(rapid.IntRange(0, 15).Draw(rt, "max"))) //nolint:gosec // small
			r.Limits = append(r.Limits, store.Limit{Name: "rule", Window: w, Max: limitMax})
		}
		c.Reserve = append(c.Reserve, r)
	}
	m.try(rt, c)
}

// version draws the version that a caller believes a row to have, which is mostly right.
func (m *machine) version(rt *rapid.T, id string) (version uint64) {
	version = 1
	if row, ok := m.model.rows[id]; ok {
		version = row.Version
	}
	if rapid.IntRange(0, 9).Draw(rt, "stale") == 0 {
		version++
	}
	return version
}

// deferRow also reads the row back: its answer is of the batch and not of the tables.
func (m *machine) deferRow(rt *rapid.T) {
	id := fmt.Sprint("p", rapid.IntRange(0, 11).Draw(rt, "id"))
	version, due := m.version(rt, id), time.Time{}
	if minutes := rapid.IntRange(-5, 5).Draw(rt, "due"); minutes != 0 {
		due = m.now().Add(time.Duration(minutes) * time.Minute)
	}
	got, err := m.ledger.Defer(m.tests.Context(), m.tenant, id, version, due)
	want, wantErr := m.model.deferRow(id, version, due)
	if !errors.Is(err, wantErr) || cmp.Diff(want, got) != "" {
		rt.Fatalf("defer %s: %v, want %v: %s", id, err, wantErr, cmp.Diff(want, got))
	}
	if wantErr != nil {
		return
	}
	if stored, err := m.ledger.Row(m.tests.Context(), m.tenant, id); err != nil || cmp.Diff(want, stored) != "" {
		rt.Fatalf("defer %s: stored %v: %s", id, err, cmp.Diff(want, stored))
	}
}

func (m *machine) try(rt *rapid.T, c store.Change) {
	c.Version = m.version(rt, c.ID)
	got, err := m.ledger.Commit(m.tests.Context(), c)
	want, wantErr := m.model.commit(c, m.now())
	same := errors.Is(err, wantErr)
	if wantErr == errRoom { //nolint:errorlint // our own value
		same = NoRoom(err)
	}
	if !same || cmp.Diff(want, got) != "" {
		rt.Fatalf("commit %s: %v, want %v: %s", c.ID, err, wantErr, cmp.Diff(want, got))
	}
}

func (m *machine) wait(rt *rapid.T) {
	m.clock.Advance(time.Duration(rapid.SampledFrom([]int{1, 29, 60, 600, 4000, 90_000, 700_000}).Draw(rt, "seconds")) * time.Second)
}

// check compares every level, the position and the payee after each step.
func (m *machine) check(rt *rapid.T) {
	query := store.FactQuery{Tenant: m.tenant, Payee: "0x1"}
	var want []abi.Amount
	for _, meter := range modelMeters {
		for _, text := range modelWindows {
			w := window(m.tests, text)
			query.Levels = append(query.Levels, store.LevelQuery{Meter: meter, Window: w})
			want = append(want, abi.NewAmount(m.model.level(meter, w, m.now())))
		}
	}
	facts, err := m.ledger.Facts(m.tests.Context(), query)
	if err != nil || !slices.Equal(want, facts.Levels) {
		rt.Fatalf("levels %v, want %v, %v", facts.Levels, want, err)
	}
	if facts.Position != m.model.entries || facts.PayeeCount != m.model.payees["0x1"] || !facts.Now.Equal(m.now()) {
		rt.Fatalf("facts %+v, want %d entries, %d payments to 0x1, now %s", facts, m.model.entries, m.model.payees["0x1"], m.now())
	}
}
