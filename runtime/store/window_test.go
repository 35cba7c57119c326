package store_test

import (
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

func parse(t testing.TB, s string) store.Window {
	t.Helper()
	w, err := store.ParseWindow(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAWindowReadsBackWhatItPrints(t *testing.T) {
	for text, want := range map[string]string{
		"rolling 24h":                  "rolling 24h",
		"rolling 1440m":                "rolling 24h",
		"rolling  90m":                 "rolling 1h30m",
		"rolling 61s":                  "rolling 1m1s",
		"rolling 60s":                  "rolling 1m",
		"rolling 8784h":                "rolling 8784h",
		"calendar day UTC":             "calendar day UTC",
		"calendar month Europe/Berlin": "calendar month Europe/Berlin",
		"calendar week Asia/Kathmandu": "calendar week Asia/Kathmandu",
		"lifetime":                     "lifetime",
	} {
		w := parse(t, text)
		if w.String() != want || parse(t, w.String()) != w {
			t.Errorf("%q prints %q, want %q", text, w, want)
		}
	}
}

func TestWhatIsNoWindowIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "rolling", "rolling 59s", "rolling 8785h", "rolling -24h", "rolling 1d", "rolling 24h UTC",
		"calendar", "calendar day", "calendar year UTC", "calendar day Local", "calendar day Mars/Base", "calendar day ../etc",
		"Lifetime", "lifetime lifetime", "rolling 999999999999999999999h",
	} {
		if w, err := store.ParseWindow(text); abi.CodeOf(err) != "window_invalid" {
			t.Errorf("%q: %v, %v", text, w, err)
		}
	}
}

func TestCalendarWindowsStartAtTheFirstInstantOfTheLocalDate(t *testing.T) {
	utc := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct{ name, window, now, want string }{
		{"a plain day", "calendar day UTC", "2026-11-22T12:00:00Z", "2026-11-22T00:00:00Z"},
		{"the first instant itself", "calendar day UTC", "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z"},
		{"a week starts on Monday", "calendar week UTC", "2026-11-22T12:00:00Z", "2026-11-16T00:00:00Z"},
		{"a week over a month's edge", "calendar week UTC", "2026-12-01T12:00:00Z", "2026-11-30T00:00:00Z"},
		{"a month of the zone", "calendar month Europe/Berlin", "2026-10-31T23:30:00Z", "2026-10-31T23:00:00Z"},
		{"a month over the end of summer time", "calendar month Europe/Berlin", "2026-10-26T12:00:00Z", "2026-09-30T22:00:00Z"},
		{"the day of 23 hours", "calendar day Europe/Berlin", "2027-03-28T20:00:00Z", "2027-03-27T23:00:00Z"},
		{"the day of 25 hours", "calendar day Europe/Berlin", "2027-10-31T22:59:59Z", "2027-10-30T22:00:00Z"},
		// Clocks went from 01:00 back to 00:00: midnight came twice, at 21:00Z and at 22:00Z.
		{"the first of two midnights, before the second", "calendar day Asia/Amman", "2021-10-28T21:30:00Z", "2021-10-28T21:00:00Z"},
		{"the first of two midnights, after the second", "calendar day Asia/Amman", "2021-10-29T09:00:00Z", "2021-10-28T21:00:00Z"},
		{"two midnights in the west", "calendar day America/Havana", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z"},
		// Clocks went from 00:00 to 01:00: midnight did not exist.
		{"no midnight", "calendar day Asia/Beirut", "2026-03-29T12:00:00Z", "2026-03-28T22:00:00Z"},
		{"no midnight in the west", "calendar day America/Havana", "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z"},
	} {
		w := parse(t, c.window)
		if got := w.Start(utc(c.now)); !got.Equal(utc(c.want)) {
			t.Errorf("%s: %s at %s starts at %s, want %s", c.name, c.window, c.now, got.UTC(), c.want)
		}
	}
}

// TestAWindowIsNeverLate walks in steps that meet every transition of a year: the start is never after now, it never
// moves back, a calendar day holds now's whole date, and the first bucket never starts after the window.
func TestAWindowIsNeverLate(t *testing.T) {
	for _, text := range []string{
		"calendar day Asia/Amman", "calendar day America/Havana", "calendar day Asia/Beirut",
		"calendar day America/St_Johns", "calendar week Africa/Cairo", "calendar month Europe/Berlin",
		"calendar day Pacific/Apia", "calendar day Australia/Lord_Howe", "rolling 1m", "rolling 2h", "rolling 121m", "rolling 8784h",
	} {
		w := parse(t, text)
		last := time.Time{}
		for now := time.Date(2011, 1, 1, 0, 0, 7, 0, time.UTC); now.Year() < 2012; now = now.Add(15 * time.Minute) {
			begin := w.Start(now)
			width, from, all := w.Buckets(now)
			switch {
			case all || begin.After(now) || begin.Before(last):
				t.Fatalf("%s at %s starts at %s, before it was %s", text, now, begin, last)
			case from.After(begin) || begin.Sub(from) >= width:
				t.Fatalf("%s at %s starts at %s, its first bucket at %s", text, now, begin, from)
			}
			last = begin
		}
	}
}

func TestLifetimeIsTheZeroWindow(t *testing.T) {
	if store.Lifetime() != (store.Window{}) || parse(t, "lifetime") != store.Lifetime() {
		t.Error("lifetime is not the zero value")
	}
	if _, _, all := store.Lifetime().Buckets(time.Now()); !all {
		t.Error("lifetime does not read the running total")
	}
}

func FuzzParseWindow(f *testing.F) {
	for _, seed := range []string{"rolling 24h", "calendar month Europe/Berlin", "lifetime", "rolling 1h1m1s1ms", "calendar day UTC "} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		w, err := store.ParseWindow(text)
		if err != nil {
			return
		}
		if again, err := store.ParseWindow(w.String()); err != nil || again != w {
			t.Errorf("%q reads as %q, which reads as %q, %v", text, w, again, err)
		}
		if w.Start(now).After(now) {
			t.Errorf("%q starts after now", text)
		}
	})
}
