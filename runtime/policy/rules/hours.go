package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	minutesPerDay = 24 * 60
	daysPerWeek   = 7
	hoursFix      = `write it like "09:00-17:00 UTC", "mon-fri 09:00-17:00 Europe/Berlin" or "sat,sun 22:00-06:00 UTC"`
)

var dayNames = [daysPerWeek]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Hours is an interval of local wall-clock time that repeats daily, or on some days of the week.
type Hours struct {
	days       [daysPerWeek]bool // the day the interval starts on
	start, end int               // minutes after local midnight; end <= start runs past midnight
	zone       *time.Location
}

// ParseHours reads "09:00-17:00 UTC", with days in front when only some count. The end is exclusive; an end at or
// before the start is on the next day, except that 00:00-24:00 is the whole day. The zone is an IANA name and must
// be written: a default would open the till in somebody else's night.
func ParseHours(s string) (Hours, error) {
	fields := strings.Fields(s)
	if len(fields) != 2 && len(fields) != 3 {
		return Hours{}, hoursError(s)
	}
	days := ""
	if len(fields) == 3 {
		days = fields[0]
	}
	var h Hours
	var ok bool
	if h.days, ok = parseDays(days); !ok {
		return Hours{}, hoursError(s)
	}
	from, to, found := strings.Cut(fields[len(fields)-2], "-")
	if h.start, ok = parseClock(from); !ok || !found || h.start == minutesPerDay {
		return Hours{}, hoursError(s)
	}
	if h.end, ok = parseClock(to); !ok || h.end == h.start {
		return Hours{}, hoursError(s)
	}
	name := fields[len(fields)-1]
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return Hours{}, &abi.Error{Code: "zone_unknown", Message: fmt.Sprintf("%.60q is not an IANA time zone", name), Fix: hoursFix}
	}
	h.zone = zone
	return h, nil
}

func hoursError(s string) error {
	return &abi.Error{Code: "hours_invalid", Message: fmt.Sprintf("%.80q is not an interval of hours", s), Fix: hoursFix}
}

// parseDays reads "mon-fri", "sat,sun", "fri-mon"; empty is every day.
func parseDays(s string) (days [daysPerWeek]bool, ok bool) {
	if s == "" {
		for day := range days {
			days[day] = true
		}
		return days, true
	}
	for part := range strings.SplitSeq(strings.ToLower(s), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, last := slices.Index(dayNames[:], from), slices.Index(dayNames[:], to)
		if first < 0 || last < 0 {
			return days, false
		}
		for day := first; ; day = (day + 1) % daysPerWeek {
			days[day] = true
			if day == last {
				break
			}
		}
	}
	return days, true
}

// parseClock reads hh:mm, 24:00 included.
func parseClock(s string) (minutes int, ok bool) {
	if len(s) != len("hh:mm") || s[2] != ':' || !every(s[:2]+s[3:], isDigit) {
		return 0, false
	}
	hour, _ := strconv.Atoi(s[:2])
	minute, _ := strconv.Atoi(s[3:])
	minutes = hour*60 + minute
	return minutes, minute < 60 && minutes <= minutesPerDay
}

// Contains decides by the wall clock of the zone: a local time that a change of the clocks skips never comes, so
// nothing is open then; one that comes twice is open both times.
func (h Hours) Contains(now time.Time) bool {
	local := now.In(h.zone)
	minute, today := local.Hour()*60+local.Minute(), int(local.Weekday())
	if h.end > h.start {
		return h.days[today] && h.start <= minute && minute < h.end
	}
	yesterday := (today + daysPerWeek - 1) % daysPerWeek
	return h.days[today] && minute >= h.start || h.days[yesterday] && minute < h.end
}

// next returns an opening after now, within eight days: where an interval starts on the wall clock. A start that
// the clocks skip on its day is passed over.
func (h Hours) next(now time.Time) (time.Time, bool) {
	year, month, day := now.In(h.zone).Date()
	for ahead := range daysPerWeek + 1 {
		opening := time.Date(year, month, day+ahead, h.start/60, h.start%60, 0, 0, h.zone)
		if opening.After(now) && h.Contains(opening) {
			return opening, true
		}
	}
	return time.Time{}, false
}

// String is the canonical spelling.
func (h Hours) String() string {
	var names []string
	for i := range daysPerWeek { // monday first
		if day := (i + 1) % daysPerWeek; h.days[day] {
			names = append(names, dayNames[day])
		}
	}
	prefix := strings.Join(names, ",") + " "
	if len(names) == daysPerWeek {
		prefix = ""
	}
	return fmt.Sprintf("%s%02d:%02d-%02d:%02d %s", prefix, h.start/60, h.start%60, h.end/60, h.end%60, h.zone)
}
