package daemon

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/azure"
)

var pollStart = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// onePoll saw 10.0.0.0/8 and 10.1.0.0/16, each alone.
func onePoll(taken time.Time) azure.Poll {
	return azure.Poll{Taken: taken, Findings: 1, Fates: []azure.Fate{
		{Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Effective: "wide"},
		{Prefixes: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("10.2.0.0/16")}, Effective: "narrow"},
	}}
}

// Azure is asked once in each interval, whoever asks, and whether or not the one who
// asked reports.
func TestPollIsDue(t *testing.T) {
	p := &polls{}
	if why := p.begin(pollStart); !strings.Contains(why, "azure.poll is 0") {
		t.Errorf("off: %q", why)
	}
	p.configure(10 * time.Minute)
	if why := p.begin(pollStart); why != "" {
		t.Errorf("first: %q", why)
	}
	if why := p.begin(pollStart.Add(4 * time.Minute)); why != "the last poll began 4m0s ago, the next one is due in 6m0s" {
		t.Errorf("second: %q", why)
	}
	if why := p.begin(pollStart.Add(10 * time.Minute)); why != "" {
		t.Errorf("after a poll that was not reported: %q", why)
	}
}

// Only a poll that has begun is reported, and once.
func TestPollEnds(t *testing.T) {
	p := &polls{}
	p.configure(10 * time.Minute)
	if err := p.end(pollStart, onePoll(pollStart), ""); err == nil {
		t.Error("reported before it began")
	}
	p.begin(pollStart)
	if err := p.end(pollStart, onePoll(pollStart.Add(time.Hour)), ""); err != nil {
		t.Fatal(err)
	}
	if s := p.state(pollStart); !s.Taken.Equal(pollStart) || s.Prefixes != 3 || s.Findings != 1 {
		t.Errorf("a time to come, or other counts: %+v", s)
	}
	if err := p.end(pollStart, onePoll(pollStart), ""); err == nil {
		t.Error("reported twice")
	}
}

// A failure is said and leaves what was seen before; it grows stale after three polls.
func TestPollFails(t *testing.T) {
	p := &polls{}
	p.configure(10 * time.Minute)
	p.begin(pollStart)
	_ = p.end(pollStart, onePoll(pollStart), "")
	later := pollStart.Add(31 * time.Minute)
	p.begin(later)
	_ = p.end(later, azure.Poll{}, "no identity")
	if s := p.state(later); s.Failure != "no identity" || !s.FailedAt.Equal(later) || !s.Stale || !s.Taken.Equal(pollStart) {
		t.Errorf("got %+v", s)
	}
	if s := p.state(pollStart.Add(30 * time.Minute)); s.Stale {
		t.Error("stale too early")
	}
	p.begin(later.Add(10 * time.Minute))
	_ = p.end(later.Add(10*time.Minute), onePoll(later), "")
	if s := p.state(later); s.Failure != "" || !s.FailedAt.IsZero() || s.Stale {
		t.Errorf("a success does not end the failure: %+v", s)
	}
}

// A prefix is found by itself, an address by the longest prefix around it.
func TestPollFinds(t *testing.T) {
	p := &polls{}
	p.configure(10 * time.Minute)
	if v := p.of(pollStart, netip.MustParsePrefix("10.0.0.0/8"), false); v == nil || !v.Taken.IsZero() || v.Fate != nil {
		t.Errorf("before the first poll: %+v", v)
	}
	p.begin(pollStart)
	_ = p.end(pollStart, onePoll(pollStart), "")
	for _, c := range []struct {
		prefix   string
		covering bool
		want     string
	}{
		{"10.0.0.0/8", false, "10.0.0.0/8 wide"}, {"10.2.0.0/16", false, "10.2.0.0/16 narrow"}, {"10.2.0.0/24", false, ""},
		{"10.2.3.4/32", true, "10.2.0.0/16 narrow"}, {"10.9.3.4/32", true, "10.0.0.0/8 wide"}, {"192.0.2.1/32", true, ""}, {"fd00::1/128", true, ""},
	} {
		got := ""
		if f := p.of(pollStart, netip.MustParsePrefix(c.prefix), c.covering).Fate; f != nil {
			got = f.Prefixes[0].String() + " " + f.Effective
			if len(f.Prefixes) != 1 {
				t.Errorf("%s: %v", c.prefix, f.Prefixes)
			}
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.prefix, got, c.want)
		}
	}
}

// A reload that turns polls off forgets what they saw; one that changes the interval
// does not.
func TestPollIsTurnedOff(t *testing.T) {
	p := &polls{}
	p.configure(10 * time.Minute)
	p.begin(pollStart)
	_ = p.end(pollStart, onePoll(pollStart), "")
	p.configure(5 * time.Minute)
	if s := p.state(pollStart); s.Prefixes != 3 || s.Interval != 5*time.Minute {
		t.Errorf("another interval: %+v", s)
	}
	p.configure(0)
	if p.state(pollStart) != nil || p.of(pollStart, netip.MustParsePrefix("10.0.0.0/8"), false) != nil {
		t.Error("something is shown although polls are off")
	}
	p.configure(5 * time.Minute)
	if s := p.state(pollStart); s.Prefixes != 0 || !s.Taken.IsZero() {
		t.Errorf("kept over a time without polls: %+v", s)
	}
	if why := p.begin(pollStart); why != "" {
		t.Errorf("after a time without polls: %q", why)
	}
}
