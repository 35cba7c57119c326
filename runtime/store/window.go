package store

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
)

// Window says which reservations count against a limit. The zero value is the lifetime window, the strictest.
// Windows are comparable.
type Window struct {
	// rolling is the length of (now-length, now]; 0 for the other kinds.
	rolling time.Duration
	// unit is "day", "week" or "month" of the calendar of zone; empty for the other kinds.
	unit string
	// zone is an IANA name, so that a window compares equal wherever it was parsed.
	zone string
	// open is the window of what is not decided, whenever it was reserved.
	open bool
}

// Bounds of a rolling window. Below a minute the buckets are coarser than the window; above a year the operator
// means lifetime.
const (
	rollingMin = time.Minute
	rollingMax = 366 * 24 * time.Hour
)

// Rolling is the window (now-length, now].
func Rolling(length time.Duration) (Window, error) {
	if length < rollingMin || length > rollingMax {
		return Window{}, windowError(length.String(), "a rolling window is between 1m and 8784h long")
	}
	return Window{rolling: length}, nil
}

// Open counts reservations of money that are neither settled nor released: what could still be lost to whoever holds the
// authorizations. It counts no payments: a count is final at once.
func Open() Window { return Window{open: true} }

// Lifetime counts every reservation ever made.
func Lifetime() Window { return Window{} }

// ParseWindow reads "rolling 24h", "calendar day UTC", "calendar month Europe/Berlin", "lifetime" or "open".
func ParseWindow(s string) (Window, error) {
	fields := strings.Fields(s)
	switch {
	case len(fields) == 1 && fields[0] == "lifetime":
		return Lifetime(), nil
	case len(fields) == 1 && fields[0] == openWord:
		return Open(), nil
	case len(fields) == 2 && fields[0] == "rolling":
		length, err := time.ParseDuration(fields[1])
		if err != nil {
			return Window{}, windowError(s, "write the length like 90m or 24h")
		}
		return Rolling(length)
	case len(fields) == 3 && fields[0] == "calendar":
		return calendar(fields[1], fields[2])
	}
	return Window{}, windowError(s, `write "rolling 24h", "calendar month Europe/Berlin", "lifetime" or "open"`)
}

const openWord = "open"

func calendar(unit, zone string) (Window, error) {
	if unit != "day" && unit != "week" && unit != "month" {
		return Window{}, windowError(unit, "a calendar window is a day, a week or a month")
	}
	if _, err := location(zone); err != nil || zone == "Local" {
		return Window{}, windowError(zone, "write an IANA zone such as Europe/Berlin or UTC")
	}
	return Window{unit: unit, zone: zone}, nil
}

func windowError(s, fix string) error {
	return &abi.Error{Code: "window_invalid", Message: fmt.Sprintf("%.60q is not a budget window", s), Fix: fix}
}

// String is the form ParseWindow reads.
func (w Window) String() string {
	switch {
	case w.rolling > 0:
		return "rolling " + shortDuration(w.rolling)
	case w.unit != "":
		return "calendar " + w.unit + " " + w.zone
	case w.open:
		return openWord
	default:
		return "lifetime"
	}
}

// shortDuration drops the zero parts that time.Duration prints: 24h0m0s is 24h.
func shortDuration(d time.Duration) string {
	s := d.String()
	s = strings.TrimSuffix(s, "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Start is the instant from which reservations count at now: everything after Start for a rolling window,
// everything from Start on for a calendar one. The lifetime window starts at the zero time.
func (w Window) Start(now time.Time) time.Time {
	if w.rolling > 0 {
		return now.Add(-w.rolling)
	}
	if w.unit == "" { // an open reservation counts whenever it was made
		return time.Time{}
	}
	zone, err := location(w.zone)
	if err != nil { // checked by the constructor; an unknown zone counts everything
		return time.Time{}
	}
	year, month, day := now.In(zone).Date()
	switch w.unit {
	case "week":
		monday := (int(now.In(zone).Weekday()) + 6) % 7
		day -= monday
	case "month":
		day = 1
	}
	return firstInstant(year, month, day, zone)
}

// zones keeps loaded zones, because time.LoadLocation reads a file each time. Names are checked by calendar, so it
// holds at most the IANA list.
var zones sync.Map

func location(name string) (*time.Location, error) {
	if zone, ok := zones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err == nil {
		zones.Store(name, zone)
	}
	return zone, err
}

// Zone offsets change by at most three hours and are multiples of a quarter (since 1972).
const (
	offsetChangeMax = 3 * time.Hour
	offsetStep      = 15 * time.Minute
)

// firstInstant is the first moment of a local date. time.Date is not enough where clocks change at midnight: of a
// midnight that comes twice (Asia/Amman) it may return the second, and everything reserved between the two would
// not count; for one that does not exist it may return an instant of the day before.
func firstInstant(year int, month time.Month, day int, zone *time.Location) time.Time {
	midnight := time.Date(year, month, day, 0, 0, 0, 0, zone)
	wantYear, wantMonth, wantDay := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Date()
	for t := midnight.Add(-offsetChangeMax); !t.After(midnight.Add(offsetChangeMax)); t = t.Add(offsetStep) {
		if y, m, d := t.Date(); y == wantYear && m == wantMonth && d == wantDay {
			return t
		}
	}
	return midnight // a date that a zone skipped whole (Samoa, 2011-12-30)
}

// Buckets. A meter keeps its sums in rows of one minute and of a quarter of an hour: zone offsets are multiples
// of a quarter, and a month is at most 2,976 quarters. A window counts the oldest, partial bucket whole, so it
// may refuse early but never late.
const (
	FineBucket   = time.Minute
	CoarseBucket = 15 * time.Minute
	// fineWindowMax is the longest window read from fine buckets.
	fineWindowMax = 2 * time.Hour
)

// BucketOf returns the start of the bucket of the given width that holds t.
func BucketOf(t time.Time, width time.Duration) time.Time { return t.UTC().Truncate(width) }

// openFrom is after every bucket: ledgers keep no time past the year 9999.
var openFrom = BucketOf(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), FineBucket)

// Buckets says how to read a window at now: which bucket width, and the first bucket that counts. All is true for
// the lifetime window, which reads the meter's running total.
func (w Window) Buckets(now time.Time) (width time.Duration, from time.Time, all bool) {
	if w == Lifetime() {
		return 0, time.Time{}, true
	}
	if w.open { // no bucket starts there, and every open reservation is older
		return FineBucket, openFrom, false
	}
	start := w.Start(now)
	width = CoarseBucket
	if now.Sub(start) <= fineWindowMax {
		width = FineBucket
	}
	return width, BucketOf(start, width), false
}
