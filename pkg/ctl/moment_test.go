package ctl

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

// TestMoment: times in the forms that people write, in the time zone of the viewer.
func TestMoment(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 30, 8, 30, 0, 0, berlin)
	for s, want := range map[string]string{
		"03:12":                     "2026-11-30T03:12:00+01:00",
		"03:12:05":                  "2026-11-30T03:12:05+01:00",
		"03:12:05.250":              "2026-11-30T03:12:05.25+01:00",
		"3:12":                      "2026-11-30T03:12:00+01:00",
		"22:00":                     "2026-11-29T22:00:00+01:00", // has not come yet today
		"today 08:00":               "2026-11-30T08:00:00+01:00",
		"yesterday":                 "2026-11-29T00:00:00+01:00",
		"Yesterday 03:12":           "2026-11-29T03:12:00+01:00",
		"2026-11-30":                "2026-11-30T00:00:00+01:00",
		"2026-11-28 03:12":          "2026-11-28T03:12:00+01:00",
		"2026-07-01 03:12:01":       "2026-07-01T03:12:01+02:00",
		"2026-11-28T03:12":          "2026-11-28T03:12:00+01:00",
		"2026-11-30T03:12:00Z":      "2026-11-30T04:12:00+01:00",
		"2026-11-30T03:12:00-05:00": "2026-11-30T09:12:00+01:00",
		"1h":                        "2026-11-30T07:30:00+01:00",
		"90m":                       "2026-11-30T07:00:00+01:00",
		"2d":                        "2026-11-28T08:30:00+01:00",
		"1d12h":                     "2026-11-28T20:30:00+01:00",
		"now":                       "2026-11-30T08:30:00+01:00",
	} {
		got, err := parseMoment(s, now)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %s, %v, want %s", s, got.Format(time.RFC3339Nano), err, want)
		}
	}
	for _, s := range []string{"", "noon", "25:00", "03:12 yesterday", "now then", "-1h", "+1h", "0", "h", "d", "99999d", "1000000h", "2026-13-01", "30.11.2026", "3"} {
		if got, err := parseMoment(s, now); err == nil || !strings.Contains(err.Error(), `"yesterday 03:12"`) {
			t.Errorf("%q: %s, %v", s, got, err)
		}
	}
}

// TestMomentInSummer: yesterday is the day before, also if that has 23 hours.
func TestMomentInSummer(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseMoment("yesterday 01:30", time.Date(2026, 3, 30, 1, 0, 0, 0, berlin))
	if want := "2026-03-29T01:30:00+01:00"; err != nil || got.Format(time.RFC3339) != want {
		t.Errorf("%s, %v, want %s", got.Format(time.RFC3339), err, want)
	}
}
