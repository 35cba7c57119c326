package rules_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the tests decide by named zones wherever they run

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
)

func TestHours(t *testing.T) {
	tests := []struct {
		name, hours, at string
		want            bool
	}{
		{"the first minute counts", "09:00-17:00 UTC", "2026-03-02T09:00:00Z", true},
		{"the end does not", "09:00-17:00 UTC", "2026-03-02T17:00:00Z", false},
		{"the second before it does", "09:00-17:00 UTC", "2026-03-02T16:59:59Z", true},
		{"before the start", "09:00-17:00 UTC", "2026-03-02T08:59:59Z", false},
		{"the zone's clock decides", "09:00-17:00 Asia/Tokyo", "2026-03-02T00:00:00Z", true},
		{"half-hour zones", "09:00-17:00 Asia/Kolkata", "2026-03-02T03:29:59Z", false},
		{"half-hour zones, a second later", "09:00-17:00 Asia/Kolkata", "2026-03-02T03:30:00Z", true},
		{"the whole day", "00:00-24:00 UTC", "2026-03-02T23:59:59Z", true},
		{"overnight, before midnight", "22:00-06:00 UTC", "2026-03-02T23:00:00Z", true},
		{"overnight, after midnight", "22:00-06:00 UTC", "2026-03-02T05:59:59Z", true},
		{"overnight, at its end", "22:00-06:00 UTC", "2026-03-02T06:00:00Z", false},
		{"overnight, by day", "22:00-06:00 UTC", "2026-03-02T12:00:00Z", false},
		{"until midnight", "22:00-24:00 UTC", "2026-03-03T00:00:00Z", false},
		{"a day of the week", "mon-fri 09:00-17:00 UTC", "2026-03-06T12:00:00Z", true},
		{"another day", "mon-fri 09:00-17:00 UTC", "2026-03-07T12:00:00Z", false},
		{"days around the week's end", "sat-mon 09:00-17:00 UTC", "2026-03-02T12:00:00Z", true},
		{"days around the week's end, outside", "sat-mon 09:00-17:00 UTC", "2026-03-03T12:00:00Z", false},
		{"a night belongs to the day it starts on", "fri 22:00-06:00 UTC", "2026-03-07T05:00:00Z", true},
		{"and not to the one it ends on", "fri 22:00-06:00 UTC", "2026-03-06T05:00:00Z", false},
		{"a sunday night ends on monday", "sun 22:00-06:00 UTC", "2026-03-02T05:00:00Z", true},
		{"the zone decides the day, too", "mon 00:00-01:00 Asia/Tokyo", "2026-03-01T15:30:00Z", true},

		// Europe/Berlin, 2026-03-29: 02:00 becomes 03:00 at 01:00 UTC. 02:xx never comes.
		{"spring, before the gap", "02:00-03:00 Europe/Berlin", "2026-03-29T00:59:59Z", false},
		{"spring, after the gap", "02:00-03:00 Europe/Berlin", "2026-03-29T01:00:00Z", false},
		{"spring, the same instant a day later", "02:00-03:00 Europe/Berlin", "2026-03-30T00:00:00Z", true},
		{"spring, an interval across the gap, before", "01:30-03:30 Europe/Berlin", "2026-03-29T00:45:00Z", true},
		{"spring, an interval across the gap, after", "01:30-03:30 Europe/Berlin", "2026-03-29T01:15:00Z", true},
		{"spring, its end", "01:30-03:30 Europe/Berlin", "2026-03-29T01:30:00Z", false},
		{"spring, office hours move with the clock, winter", "09:00-17:00 Europe/Berlin", "2026-03-28T07:30:00Z", false},
		{"spring, office hours move with the clock, summer", "09:00-17:00 Europe/Berlin", "2026-03-29T07:30:00Z", true},
		// 2026-10-25: 03:00 becomes 02:00 at 01:00 UTC. 02:xx comes twice.
		{"autumn, the hour before", "02:00-03:00 Europe/Berlin", "2026-10-24T23:59:59Z", false},
		{"autumn, the first 02:30", "02:00-03:00 Europe/Berlin", "2026-10-25T00:30:00Z", true},
		{"autumn, the second 02:30", "02:00-03:00 Europe/Berlin", "2026-10-25T01:30:00Z", true},
		{"autumn, 03:00", "02:00-03:00 Europe/Berlin", "2026-10-25T02:00:00Z", false},
		{"autumn, closed between the two halves", "01:00-02:30 Europe/Berlin", "2026-10-25T00:45:00Z", false},
		{"autumn, and open again", "01:00-02:30 Europe/Berlin", "2026-10-25T01:15:00Z", true},
		{"autumn, a night lasts nine hours", "22:00-06:00 Europe/Berlin", "2026-10-25T04:59:59Z", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := rules.ParseHours(tt.hours)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.Contains(at); got != tt.want {
				t.Errorf("%s at %s: %v", tt.hours, tt.at, got)
			}
		})
	}
}

func TestHoursHaveOneSpelling(t *testing.T) {
	for in, want := range map[string]string{
		"09:00-17:00 UTC":                         "09:00-17:00 UTC",
		"  MON-Fri   09:00-17:00  Europe/Berlin ": "mon,tue,wed,thu,fri 09:00-17:00 Europe/Berlin",
		"sun,mon-sat 22:00-06:00 UTC":             "22:00-06:00 UTC",
		"fri-mon 00:00-24:00 UTC":                 "mon,fri,sat,sun 00:00-24:00 UTC",
	} {
		h, err := rules.ParseHours(in)
		if err != nil || h.String() != want {
			t.Errorf("%s: %s %v", in, h, err)
		}
	}
}

func FuzzHours(f *testing.F) {
	for _, s := range []string{"09:00-17:00 UTC", "mon-fri 22:00-06:00 Europe/Berlin", "sat,sun 00:00-24:00 UTC", "24:00-01:00 UTC", "a-b c d"} {
		f.Add(s, int64(1_774_746_000))
	}
	f.Fuzz(func(t *testing.T, s string, at int64) {
		h, err := rules.ParseHours(s)
		if err != nil {
			if code := abi.CodeOf(err); code != "hours_invalid" && code != "zone_unknown" {
				t.Errorf("%q fails with %s", s, code)
			}
			return
		}
		again, err := rules.ParseHours(h.String())
		if err != nil || again.String() != h.String() {
			t.Errorf("%q reads as %q and then as %q, %v", s, h, again, err)
		}
		now := time.Unix(at%(1<<33), 0)
		if again.Contains(now) != h.Contains(now) {
			t.Errorf("%q and %q disagree at %s", s, h, now)
		}
	})
}
