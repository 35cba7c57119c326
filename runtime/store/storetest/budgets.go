package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

func limited(s *suite, meter store.Meter, add, limit uint64, w string) store.Reservation {
	return store.Reservation{
		Meter: meter, Add: abi.NewAmount(add),
		Limits: []store.Limit{{Name: "rule", Window: window(s.T, w), Max: abi.NewAmount(limit)}},
	}
}

// budgetRace lets 200 callers reserve 3 of a money budget that has room for 70 of them, each counted too, while
// every fourth gives its reservation back: releases must never let more than 210 be held at once.
func budgetRace(s *suite) {
	var fitted, released, refused atomic.Int64
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			row := s.row(fmt.Sprint("a", i%5), fmt.Sprint("p", i))
			row, _, err := s.Insert(s.Context(), row, entry("payment.received", row.ID))
			if err != nil {
				s.Errorf("insert: %v", err)
				return
			}
			c := change(row, "allowed")
			c.Reserve = []store.Reservation{limited(s, money, 3, 211, "rolling 24h"), limited(s, counts, 1, racers, "rolling 1h")}
			row, err = s.Commit(s.Context(), c)
			switch {
			case NoRoom(err):
				refused.Add(1)
				return
			case err != nil:
				s.Errorf("commit: %v", err)
				return
			}
			fitted.Add(1)
			if i%4 != 0 {
				return
			}
			c = change(row, "dead")
			c.Close = store.Release
			if _, err := s.Commit(s.Context(), c); err != nil {
				s.Errorf("release: %v", err)
			}
			released.Add(1)
		})
	}
	group.Wait()
	held := fitted.Load() - released.Load()
	if held > 70 || fitted.Load()+refused.Load() != racers || fitted.Load() < 70 {
		s.Errorf("fitted %d, released %d, refused %d: %d are held, room is for 70", fitted.Load(), released.Load(), refused.Load(), held)
	}
	if got := s.level(money, window(s.T, "rolling 24h")); got != uint64(3*held) { //nolint:gosec // not negative
		s.Errorf("money level %d, held %d", got, 3*held)
	}
	if got := s.level(counts, window(s.T, "rolling 1h")); got != uint64(fitted.Load()) { //nolint:gosec // not negative
		s.Errorf("count level %d, fitted %d", got, fitted.Load())
	}
}

// neighbours mixes what fails with what must not in the same batches.
func neighbours(s *suite) {
	full := limited(s, store.Meter{Scope: "tenant", Unit: "usdc"}, 1, 0, "lifetime")
	rows := make([]store.Row, racers)
	for i := range rows {
		rows[i] = s.row("a1", fmt.Sprint("p", i))
	}
	var group sync.WaitGroup
	for i, row := range rows {
		group.Go(func() { rows[i] = s.insert(row) })
	}
	group.Wait()
	for i, row := range rows {
		group.Go(func() {
			c := change(row, "allowed")
			c.Reserve = []store.Reservation{{Meter: money, Add: abi.NewAmount(1)}}
			want := ""
			switch i % 4 {
			case 1:
				c.Reserve = append(c.Reserve, full)
				want = "internal" // a *NoRoomError
			case 2:
				c.Version = 9
				want = store.ErrConflict.Code
			case 3:
				c.Entry.Kind = "bad\xff"
				want = "record_invalid"
			}
			_, err := s.Commit(s.Context(), c)
			s.wantCode(err, want)
		})
	}
	group.Wait()
	if got := s.level(money, store.Lifetime()); got != racers/4 {
		s.Errorf("%d of %d good changes reserved", got, racers/4)
	}
}

func allOrNothing(s *suite) {
	row := s.insert(s.row("a1", "p1"))
	c := change(row, "allowed")
	tight := limited(s, store.Meter{Scope: "payee/0x1", Unit: "usdc"}, 5, 4, "calendar month UTC")
	c.Reserve = []store.Reservation{limited(s, money, 5, 5, "lifetime"), limited(s, counts, 1, 1, "rolling 1h"), tight}
	_, err := s.Commit(s.Context(), c)
	if !NoRoom(err) {
		s.Fatalf("got %v, want no room", err)
	}
	if want := "budget rule of payee/0x1#usdc: 0 used + 5 asked > 4"; err.Error() != want {
		s.Errorf("got %q", err)
	}
	for _, meter := range []store.Meter{money, counts, tight.Meter} {
		if got := s.level(meter, store.Lifetime()); got != 0 {
			s.Errorf("%s holds %d after a refusal", meter, got)
		}
	}
	c.Reserve[2].Limits[0].Max = abi.NewAmount(5)
	s.commit(c)
	for meter, want := range map[store.Meter]uint64{money: 5, counts: 1, tight.Meter: 5} {
		if got := s.level(meter, store.Lifetime()); got != want {
			s.Errorf("%s holds %d, want %d", meter, got, want)
		}
	}
}

func largest(s *suite) {
	most, err := abi.ParseAmount("115792089237316195423570985008687907853269984665640564039457584007913129639935")
	if err != nil {
		s.Fatal(err)
	}
	row := s.insert(s.row("a1", "p1"))
	c := change(row, "allowed")
	c.Reserve = []store.Reservation{{
		Meter: money, Add: most,
		Limits: []store.Limit{{Name: "all", Window: window(s.T, "rolling 24h"), Max: most}},
	}}
	row = s.commit(c)
	facts, err := s.Facts(s.Context(), store.FactQuery{
		Tenant: s.tenant,
		Levels: []store.LevelQuery{{Meter: money, Window: window(s.T, "rolling 24h")}, {Meter: money}},
	})
	if err != nil || facts.Levels[0] != most || facts.Levels[1] != most {
		s.Errorf("levels %v, %v", facts.Levels, err)
	}
	over := change(s.insert(s.row("a1", "p2")), "allowed")
	over.Reserve = []store.Reservation{{Meter: money, Add: abi.NewAmount(1)}}
	_, err = s.Commit(s.Context(), over)
	s.wantCode(err, "amount_overflow")
	over.Reserve = c.Reserve
	if _, err = s.Commit(s.Context(), over); !NoRoom(err) {
		s.Errorf("past 2^256: %v", err)
	}
	s.close(row, store.Release)
	s.commit(over)
}

// windows reserves 1 at 12:00:30 and settles it, and looks at the level at chosen instants.
func windows(s *suite) {
	row := s.reserve("p1", 1, money)
	s.close(row, store.Settle)
	for _, c := range []struct {
		window string
		after  time.Duration
		want   uint64
	}{ // in order of time: ledger time does not step back
		{"rolling 1m", 59 * time.Second, 1},
		{"rolling 1m", 89 * time.Second, 1}, // the bucket of 12:00 counts whole while it holds now-1m
		{"rolling 1m", 90 * time.Second, 0},
		{"rolling 1h", time.Hour + 29*time.Second, 1},
		{"rolling 1h", time.Hour + 30*time.Second, 0},
		{"rolling 2h", 2*time.Hour + 29*time.Second, 1},
		{"rolling 2h", 2*time.Hour + 30*time.Second, 0},
		{"rolling 2h1m", 2*time.Hour + time.Minute + 869*time.Second, 1}, // quarters from here on: 12:00 to 12:15
		{"rolling 2h1m", 2*time.Hour + time.Minute + 870*time.Second, 0},
		{"calendar day UTC", 12*time.Hour - 31*time.Second, 1},
		{"calendar week UTC", 12*time.Hour - 31*time.Second, 1}, // 2026-11-22 is a Sunday
		{"calendar day UTC", 12*time.Hour - 30*time.Second, 0},
		{"calendar week UTC", 12*time.Hour - 30*time.Second, 0},
		{"rolling 24h", 24*time.Hour + 869*time.Second, 1},
		{"rolling 24h", 24*time.Hour + 870*time.Second, 0},
		{"calendar month UTC", 8*24*time.Hour + 12*time.Hour - 31*time.Second, 1},
		{"calendar month UTC", 8*24*time.Hour + 12*time.Hour - 30*time.Second, 0},
		{"lifetime", 300 * 24 * time.Hour, 1},
	} {
		if got := s.levelAt(start.Add(c.after), money, c.window); got != c.want {
			s.Errorf("%s after %s: %d, want %d", c.window, c.after, got, c.want)
		}
	}
}

// levelAt reads a level at an instant, which must not lie before one told already: ledger time never steps back.
func (s *suite) levelAt(at time.Time, meter store.Meter, w string) uint64 {
	s.Helper()
	s.clock.Set(at)
	return s.level(meter, window(s.T, w))
}

// dst reserves around the end of summer time in Berlin: 2027-10-31 has 25 hours, 2027-03-28 has 23.
func dst(s *suite) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		s.Fatal(err)
	}
	day := "calendar day Europe/Berlin"
	steps := []struct {
		at   time.Time
		want uint64 // level before this step reserves 1
	}{
		{time.Date(2027, 3, 27, 23, 59, 59, 0, berlin), 0},
		{time.Date(2027, 3, 28, 0, 0, 0, 0, berlin), 0},
		{time.Date(2027, 3, 28, 3, 0, 0, 0, berlin), 1}, // 02:00 does not exist
		{time.Date(2027, 3, 28, 23, 59, 59, 0, berlin), 2},
		{time.Date(2027, 3, 29, 0, 0, 0, 0, berlin), 0},
		{time.Date(2027, 10, 30, 23, 59, 59, 0, berlin), 0},
		{time.Date(2027, 10, 31, 0, 0, 0, 0, berlin), 0},
		{time.Date(2027, 10, 31, 0, 30, 0, 0, time.UTC), 1}, // 02:30 the first time
		{time.Date(2027, 10, 31, 1, 30, 0, 0, time.UTC), 2}, // 02:30 the second time
		{time.Date(2027, 10, 31, 23, 59, 59, 0, berlin), 3},
		{time.Date(2027, 11, 1, 0, 0, 0, 0, berlin), 0},
	}
	for i, step := range steps {
		if got := s.levelAt(step.at, money, day); got != step.want {
			s.Errorf("at %s: level %d, want %d", step.at, got, step.want)
		}
		s.close(s.reserve(fmt.Sprint("p", i), 1, money), store.Settle)
	}
}

func release(s *suite) {
	row := s.reserve("old", 5, money)
	s.clock.Advance(30 * time.Minute)
	s.close(s.reserve("new", 7, money), store.Settle)
	row = s.close(row, store.Release)
	// Had the 5 been taken out of the bucket of now, the fine window would read 2.
	if got := s.level(money, window(s.T, "rolling 5m")); got != 7 {
		s.Errorf("the last minutes hold %d, want 7", got)
	}
	if got := s.level(money, window(s.T, "rolling 24h")); got != 7 {
		s.Errorf("the day holds %d, want 7", got)
	}
	row = s.close(row, store.Release) // twice gives back once
	s.close(row, store.Settle)
	if got := s.level(money, store.Lifetime()); got != 7 {
		s.Errorf("the total is %d, want 7", got)
	}
}

func countsStay(s *suite) {
	s.close(s.reserve("p1", 1, counts, money), store.Release)
	s.close(s.reserve("p2", 1, counts, money), store.Settle)
	for _, w := range []string{"rolling 1h", "rolling 24h", "lifetime"} {
		if got := s.level(counts, window(s.T, w)); got != 2 {
			s.Errorf("%s counts %d, want 2", w, got)
		}
		if got := s.level(money, window(s.T, w)); got != 1 {
			s.Errorf("%s holds %d money, want 1", w, got)
		}
	}
}

func openOld(s *suite) {
	spent, held := s.reserve("spent", 1, money, counts), s.reserve("held", 2, money, counts)
	s.close(spent, store.Settle)
	s.clock.Advance(40 * 24 * time.Hour)
	for _, w := range []string{"rolling 1h", "rolling 24h", "calendar month Europe/Berlin"} {
		if got := s.level(money, window(s.T, w)); got != 2 {
			s.Errorf("%s holds %d, want the open 2", w, got)
		}
		if got := s.level(counts, window(s.T, w)); got != 0 {
			s.Errorf("%s counts %d old payments", w, got)
		}
	}
	c := change(s.insert(s.row("a1", "next")), "allowed")
	c.Reserve = []store.Reservation{limited(s, money, 9, 10, "rolling 1h")}
	if _, err := s.Commit(s.Context(), c); !NoRoom(err) {
		s.Errorf("the open 2 did not count: %v", err)
	}
	s.close(held, store.Settle) // spent 40 days ago: outside the window from now on
	s.commit(c)
	if got := s.level(money, window(s.T, "rolling 1h")); got != 9 {
		s.Errorf("level %d, want 9", got)
	}
}

func replace(s *suite) {
	row := s.reserve("p1", 8, money)
	c := change(row, "again")
	c.Close, c.Reserve = store.Release, []store.Reservation{limited(s, money, 10, 10, "lifetime")}
	row = s.commit(c)
	other := s.reserve("p2", 10, store.Meter{Scope: "tenant", Unit: "usdc"})
	c = change(other, "settled and again")
	c.Close, c.Reserve = store.Settle, []store.Reservation{limited(s, store.Meter{Scope: "tenant", Unit: "usdc"}, 4, 14, "rolling 24h")}
	other = s.commit(c) // 10 settled within the day still count: 10+4 fit 14
	s.clock.Advance(48 * time.Hour)
	// Settling takes the 4 of two days ago out of the level before the new 14 is checked against it.
	c = change(other, "settled and again")
	c.Close, c.Reserve = store.Settle, []store.Reservation{limited(s, store.Meter{Scope: "tenant", Unit: "usdc"}, 14, 14, "rolling 24h")}
	s.commit(c)
	c = change(row, "too much")
	c.Close, c.Reserve = store.Release, []store.Reservation{limited(s, money, 11, 10, "lifetime")}
	if _, err := s.Commit(s.Context(), c); !NoRoom(err) {
		s.Errorf("got %v, want no room", err)
	}
	if got := s.level(money, store.Lifetime()); got != 10 {
		s.Errorf("holds %d after a refused replacement, want 10", got)
	}
	s.close(row, store.Release)
	if got := s.level(money, store.Lifetime()); got != 0 {
		s.Errorf("holds %d, want 0", got)
	}
}

func clockBack(s *suite) {
	row := s.insert(s.row("a1", "p1"))
	s.clock.Advance(time.Hour)
	row = s.commit(change(row, "allowed"))
	s.clock.Advance(-4 * time.Minute)
	later := s.commit(change(row, "prepared"))
	if !later.Updated.Equal(row.Updated) {
		s.Errorf("time went from %s to %s", row.Updated, later.Updated)
	}
	s.clock.Advance(-2 * time.Minute)
	_, err := s.Commit(s.Context(), change(later, "armed"))
	s.wantCode(err, "clock_behind")
	_, _, err = s.Insert(s.Context(), s.row("a1", "p2"), entry("payment.received", "p2"))
	s.wantCode(err, "clock_behind")
	_, err = s.Facts(s.Context(), store.FactQuery{Tenant: s.tenant})
	s.wantCode(err, "clock_behind")
	s.clock.Advance(10 * time.Minute)
	if facts, err := s.Facts(s.Context(), store.FactQuery{Tenant: s.tenant}); err != nil || !facts.Now.Equal(s.clock.Now()) {
		s.Errorf("now is %s, %v", facts.Now, err)
	}
	s.clock.Advance(-time.Minute)
	facts, err := s.Facts(s.Context(), store.FactQuery{Tenant: s.tenant})
	if err != nil || !facts.Now.Equal(s.clock.Now().Add(time.Minute)) {
		s.Errorf("after a step back, facts say %s, %v", facts.Now, err)
	}
	s.commit(change(later, "armed"))
}
