package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// deferTo makes a deferral that must succeed.
func (s *suite) deferTo(row store.Row, due time.Time) store.Row {
	s.Helper()
	got, err := s.Defer(s.Context(), row.Tenant, row.ID, row.Version, due)
	if err != nil {
		s.Errorf("defer %s: %v", row.ID, err)
	}
	return got
}

// wantStored reads a row and compares all of it.
func (s *suite) wantStored(want store.Row) {
	s.Helper()
	got, err := s.Row(s.Context(), want.Tenant, want.ID)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		s.Errorf("row %s as stored: %s, %v", want.ID, diff, err)
	}
}

// fullRow is a row with every field set, whose response and reservation a deferral must not touch.
func (s *suite) fullRow(id string) store.Row {
	s.Helper()
	row := s.row("a1", id)
	row.Slot, row.Due = "slot-"+id, start
	c := change(s.insert(row), "allowed")
	c.Digest, c.Response, c.Body = []byte("digest-"+id), bytes.Repeat([]byte("r"), 100_000), []byte(`{"body":1}`)
	c.Reserve = []store.Reservation{{Meter: money, Add: abi.NewAmount(5)}, {Meter: counts, Add: abi.NewAmount(1)}}
	return s.commit(c)
}

func deferKeeps(s *suite) {
	row := s.fullRow("p1")
	query := store.FactQuery{Tenant: s.tenant, Levels: []store.LevelQuery{
		{Meter: money},
		{Meter: counts},
		{Meter: money, Window: window(s.T, "rolling 1m")},
	}}
	before, err := s.Facts(s.Context(), query)
	if err != nil {
		s.Fatal(err)
	}
	berlin := time.FixedZone("UTC+1", 3600)
	for _, due := range []time.Time{start.Add(90 * time.Second), {}, start.In(berlin).Add(time.Hour + 1_999_999), start.Add(-time.Hour)} {
		s.clock.Advance(time.Second)
		want := row
		want.Version++
		if want.Due = due; !due.IsZero() {
			want.Due = due.UTC().Truncate(time.Millisecond)
		}
		got := s.deferTo(row, due)
		if diff := cmp.Diff(want, got); diff != "" {
			s.Errorf("deferred to %s: %s", due, diff)
		}
		s.wantStored(want)
		row = want
		for _, at := range []time.Time{want.Due.Add(-time.Millisecond), want.Due} {
			list, err := s.Rows(s.Context(), store.RowQuery{DueBefore: at})
			if isDue := !due.IsZero() && at.Equal(want.Due); err != nil || (len(list) == 1) != isDue {
				s.Errorf("due %s: %d rows are due at %s, %v", want.Due, len(list), at, err)
			}
			if due.IsZero() {
				break // a zero time does not filter
			}
		}
	}
	after, err := s.Facts(s.Context(), query)
	after.Now = before.Now
	if err != nil || !reflect.DeepEqual(before, after) {
		s.Errorf("facts %+v, before %+v, %v", after, before, err)
	}
	if records, err := s.Log(s.Context(), store.LogQuery{Tenant: s.tenant}); err != nil || len(records) != 2 {
		s.Errorf("%d entries, %v; want the 2 from before", len(records), err)
	}
	// The row goes on from where it is, and its reservation with it.
	s.close(row, store.Release)
	if level := s.level(money, store.Lifetime()); level != 0 {
		s.Errorf("level %d after a release", level)
	}
}

func deferRefused(s *suite) {
	row := s.fullRow("p1")
	due := start.Add(time.Hour)
	for name, c := range map[string]struct {
		tenant, id string
		version    uint64
		due        time.Time
		code       string
	}{
		"an old version":    {s.tenant, "p1", row.Version - 1, due, store.ErrConflict.Code},
		"a later version":   {s.tenant, "p1", row.Version + 1, due, store.ErrConflict.Code},
		"no version":        {s.tenant, "p1", 0, due, store.ErrConflict.Code},
		"the last version":  {s.tenant, "p1", 1<<64 - 1, due, store.ErrConflict.Code},
		"nobody":            {s.tenant, "nobody", row.Version, due, store.ErrNotFound.Code},
		"another tenant":    {"other", "p1", row.Version, due, store.ErrNotFound.Code},
		"no tenant":         {"", "p1", row.Version, due, "record_invalid"},
		"no id":             {s.tenant, "", row.Version, due, "record_invalid"},
		"a zero byte":       {s.tenant, "p\x001", row.Version, due, "record_invalid"},
		"bad UTF-8":         {s.tenant, "p\xc3", row.Version, due, "record_invalid"},
		"a due before 1970": {s.tenant, "p1", row.Version, time.Unix(-5, 0), "record_invalid"},
		"a due at 1970":     {s.tenant, "p1", row.Version, time.Unix(0, 0), "record_invalid"},
		"a due after 9999":  {s.tenant, "p1", row.Version, start.AddDate(9000, 0, 0), "record_invalid"},
	} {
		got, err := s.Defer(s.Context(), c.tenant, c.id, c.version, c.due)
		if diff := cmp.Diff(store.Row{}, got); abi.CodeOf(err) != c.code || diff != "" {
			s.Errorf("%s: %v, want code %q; returned %s", name, err, c.code, diff)
		}
	}
	dead, cancel := context.WithCancel(s.Context())
	cancel()
	if _, err := s.Defer(dead, s.tenant, "p1", row.Version, due); !errors.Is(err, context.Canceled) {
		s.Errorf("a dead context: %v", err)
	}
	s.wantStored(row)
	row = s.deferTo(row, due)
	_, err := s.Commit(s.Context(), change(store.Row{Tenant: s.tenant, ID: "p1", Version: row.Version - 1}, "late"))
	s.wantCode(err, store.ErrConflict.Code) // who was deferred past may not go on
	s.wantStored(row)
}

// deferRace lets workers take rows, as several processes do. Some of them change the row instead, and neighbours write
// meanwhile, so that batches hold all kinds of operations.
func deferRace(s *suite) {
	for round := range 4 {
		row := s.insert(s.row("a1", fmt.Sprint("p", round)))
		var winner atomic.Pointer[store.Row]
		var wins atomic.Int32
		var group sync.WaitGroup
		for i := range racers {
			group.Go(func() {
				var got store.Row
				var err error
				if round > 1 && i%2 == 0 {
					got, err = s.Commit(s.Context(), change(row, "allowed"))
				} else {
					got, err = s.Defer(s.Context(), row.Tenant, row.ID, row.Version, start.Add(time.Duration(i+1)*time.Minute))
				}
				switch {
				case err == nil:
					wins.Add(1)
					winner.Store(&got)
				case !errors.Is(err, store.ErrConflict):
					s.Errorf("worker %d: %v", i, err)
				}
			})
			if i%20 == 0 {
				group.Go(func() {
					s.deferTo(s.insert(s.row("a2", fmt.Sprintf("n%d-%d", round, i))), start.Add(time.Minute))
				})
			}
		}
		group.Wait()
		if wins.Load() != 1 {
			s.Fatalf("round %d: %d workers took the row at one version", round, wins.Load())
		}
		if won := winner.Load(); won.Version != 2 {
			s.Errorf("round %d: the winner has version %d", round, won.Version)
		} else {
			s.wantStored(*won)
		}
	}
}

// deferSurvives closes and opens a ledger whose last write is a deferral, before which and after which its log is the
// same.
func deferSurvives(t *testing.T, open Open) {
	clock, name := NewClock(start), freshName(t)
	s := &suite{T: t, clock: clock, tenant: "acme"}
	s.Ledger = open(t, Options{Name: name, Now: clock.Now})
	row := s.fullRow("p1")
	clock.Advance(time.Minute)
	row = s.deferTo(row, clock.Now().Add(time.Hour))
	if err := s.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Defer(t.Context(), "acme", "p1", row.Version, start)
	s.wantCode(err, "ledger_closed")

	s.Ledger = open(t, Options{Name: name, Now: clock.Now})
	t.Cleanup(func() {
		if err := s.Ledger.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	s.wantStored(row)
	row = s.deferTo(row, time.Time{})
	s.wantStored(row)
	s.commit(change(row, "done"))
	CheckLedger(t, s.Ledger, "acme")
}
