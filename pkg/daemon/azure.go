package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/metrics"
)

// staleAfter is the age of a poll, in intervals, beyond which it is called stale.
const staleAfter = 3

// polls decides when Azure is asked, and keeps what it answered last. The daemon itself
// asks nothing: "nvactl azure poll" does, started by a timer (ADR 0020), and reports. The
// zero value polls never.
type polls struct {
	mu       sync.Mutex    // guards the rest
	interval time.Duration // 0: never
	began    time.Time     // the last poll; zero: none
	open     bool          // it has not been reported yet
	last     azure.Poll    // the last that succeeded; Taken is zero if none did
	fates    map[netip.Prefix]*azure.Fate
	failed   time.Time // when the last poll failed; zero: it did not
	failure  string
}

// configure sets the time between two polls. Without polls, nothing is kept.
func (p *polls) configure(interval time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.interval = interval; interval != 0 {
		return
	}
	p.began, p.open, p.last, p.fates, p.failed, p.failure = time.Time{}, false, azure.Poll{}, nil, time.Time{}, ""
}

// begin reports in words why no poll is due at now; empty: one begins. The next is due an
// interval later even if this one never ends, so a failing one does not repeat at once.
func (p *polls) begin(now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.interval == 0 {
		return "azure.poll is 0 (off)"
	}
	if left := p.interval - now.Sub(p.began); !p.began.IsZero() && left > 0 {
		return fmt.Sprintf("the last poll began %s ago, the next one is due in %s",
			now.Sub(p.began).Round(time.Second), left.Round(time.Second))
	}
	p.began, p.open = now, true
	return ""
}

// end keeps what a poll saw, or why it failed. A failure leaves the last success.
func (p *polls) end(now time.Time, seen azure.Poll, failure string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open {
		return api.Conflict("no poll of Azure is under way")
	}
	p.open = false
	if failure != "" {
		p.failed, p.failure = now, failure
		return nil
	}
	if seen.Taken.After(now) {
		seen.Taken = now
	}
	p.failed, p.failure, p.last = time.Time{}, "", seen
	p.fates = map[netip.Prefix]*azure.Fate{}
	for i := range seen.Fates {
		for _, prefix := range seen.Fates[i].Prefixes {
			p.fates[prefix] = &seen.Fates[i]
		}
	}
	return nil
}

// of returns what the last poll saw of prefix or, with covering, of the longest prefix
// that contains it; nil if Azure is not polled.
func (p *polls) of(now time.Time, prefix netip.Prefix, covering bool) *api.AzureView {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.interval == 0 {
		return nil
	}
	out := &api.AzureView{Taken: p.last.Taken, Stale: p.stale(now), LeftOut: p.last.LeftOut}
	for bits := prefix.Bits(); bits >= 0; bits-- {
		at := netip.PrefixFrom(prefix.Addr(), bits).Masked()
		if fate := p.fates[at]; fate != nil {
			one := *fate
			one.Prefixes = []netip.Prefix{at}
			out.Fate = &one
		}
		if out.Fate != nil || !covering {
			break
		}
	}
	return out
}

// state summarizes the polls; nil if Azure is not polled.
func (p *polls) state(now time.Time) *api.AzureState {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.interval == 0 {
		return nil
	}
	return &api.AzureState{
		Interval: p.interval, Taken: p.last.Taken, Stale: p.stale(now), Prefixes: len(p.fates) + p.last.LeftOut,
		Findings: p.last.Findings, NotRead: p.last.NotRead, FailedAt: p.failed, Failure: p.failure,
	}
}

// sample returns what metrics show.
func (p *polls) sample() metrics.Azure {
	p.mu.Lock()
	defer p.mu.Unlock()
	return metrics.Azure{Taken: p.last.Taken, Failed: !p.failed.IsZero(), Findings: p.last.Findings}
}

// stale reports whether the last success is longer ago than it should be.
func (p *polls) stale(now time.Time) bool {
	return !p.last.Taken.IsZero() && now.Sub(p.last.Taken) > staleAfter*p.interval
}

// BeginAzurePoll implements api.Controller.
func (d *daemon) BeginAzurePoll(context.Context) (string, error) {
	return d.polls.begin(time.Now()), nil
}

// EndAzurePoll implements api.Controller.
func (d *daemon) EndAzurePoll(_ context.Context, seen azure.Poll, failure string) error {
	if err := d.polls.end(time.Now(), seen, failure); err != nil {
		return err
	}
	if failure != "" {
		d.log.Warn("Azure could not be asked what it does with the routes", "reason", failure)
	}
	return nil
}
