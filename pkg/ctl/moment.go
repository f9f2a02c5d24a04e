package ctl

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// moments says in which forms a time is accepted.
const moments = `03:12, "yesterday 03:12", "2026-11-30 03:12", 2026-11-30T03:12:00Z, or 90m or 2d for so long ago`

// helpOfMoments explains TIME in the help of commands.
const helpOfMoments = `TIME is a time of day (03:12 or 03:12:05; yesterday's if it is still to come
today), "yesterday 03:12", a date with or without a time ("2026-11-30 03:12"),
RFC 3339, or how long ago (90m, 1h30m, 2d). It is in your time zone, like all
times that the command prints: set TZ to change that.`

// moment is a flag with a time.
type moment struct {
	now   func() time.Time
	value time.Time // zero: not given
	given string
}

// String implements pflag.Value.
func (m *moment) String() string { return m.given }

// Type implements pflag.Value.
func (m *moment) Type() string { return "string" }

// Set implements pflag.Value.
func (m *moment) Set(s string) (err error) {
	m.given = s
	m.value, err = parseMoment(s, m.now())
	return err
}

// stamp returns the time for a request; nil if it was not given.
func (m *moment) stamp() *timestamppb.Timestamp {
	if m.value.IsZero() {
		return nil
	}
	return timestamppb.New(m.value)
}

// past is a moment that must not be in the future.
type past struct{ moment }

// Set implements pflag.Value.
func (p *past) Set(s string) error {
	err := p.moment.Set(s)
	if err == nil && p.value.After(p.now()) {
		return fmt.Errorf("%s has not come yet", p.value.Format(time.DateTime))
	}
	return err
}

// Layouts of dates and of times of day. Go accepts fractions of seconds, too.
var (
	clockLayouts = []string{"15:04", "15:04:05"}
	dateLayouts  = []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, "2006-01-02T15:04", "2006-01-02T15:04:05"}
)

// parseMoment reads a time in one of the forms that people write, in the time zone of now.
func parseMoment(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.In(now.Location()), nil
	}
	for _, layout := range dateLayouts {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	if ago, ok := parseAgo(s); ok {
		return now.Add(-ago), nil
	}
	word, clock, _ := strings.Cut(s, " ")
	switch strings.ToLower(word) {
	case "now":
		return now, wrongMoment(clock != "", s)
	case "today":
		return onDay(now, 0, clock, s)
	case "yesterday":
		return onDay(now, -1, clock, s)
	}
	t, err := onDay(now, 0, s, s)
	if err == nil && t.After(now) {
		return onDay(now, -1, s, s)
	}
	if s == "" {
		err = wrongMoment(true, s)
	}
	return t, err
}

// onDay returns a time of day, so many days after today; without clock the day's begin.
func onDay(now time.Time, days int, clock, whole string) (time.Time, error) {
	t := time.Time{}
	if clock != "" {
		var err error
		for _, layout := range clockLayouts {
			if t, err = time.Parse(layout, clock); err == nil {
				break
			}
		}
		if err != nil {
			return t, wrongMoment(true, whole)
		}
	}
	return time.Date(now.Year(), now.Month(), now.Day()+days, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), now.Location()), nil
}

func wrongMoment(wrong bool, s string) error {
	if !wrong {
		return nil
	}
	return fmt.Errorf("%q is not a time (want one like %s)", s, moments)
}

// longestAgo bounds a duration, in days: beyond it there is no journal.
const longestAgo = 3650

// parseAgo reads a duration that is not negative, such as 1h30m or 2d.
func parseAgo(s string) (time.Duration, bool) {
	const day = 24 * time.Hour
	days := time.Duration(0)
	if n, rest, ok := strings.Cut(s, "d"); ok {
		v, err := strconv.ParseUint(n, 10, 16)
		if err != nil || v > longestAgo {
			return 0, false
		}
		if days, s = time.Duration(v)*day, rest; s == "" {
			return days, true
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > longestAgo*day || strings.HasPrefix(s, "+") || s == "0" {
		return 0, false
	}
	return days + d, true
}
