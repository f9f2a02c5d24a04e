package daemon

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/watch"
)

// How often watchProblems looks, and how much of its time that may take.
const (
	lookEvery = time.Second
	lookShare = 50 // the pause, in times that the last look took
)

// mostComplaints bounds the problems and warnings that are followed: each neighbor may
// have some.
const mostComplaints = 1024

// complaint identifies a problem or a warning while its text changes.
type complaint struct{ kind, key string }

// complaints follows problems and warnings from look to look.
type complaints struct {
	open map[complaint]string // those that were published, with their texts
	new  map[complaint]bool   // seen for the first time in the last look
}

// watchProblems publishes problems and warnings that come and go, until ctx ends.
func (d *daemon) watchProblems(ctx context.Context) error {
	var known complaints
	for pause := lookEvery; ; {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		began := time.Now()
		now, err := d.complaints(ctx)
		if err != nil {
			continue // the daemon is ending, or the engine is too busy: the next look will do
		}
		for _, p := range known.compare(now) {
			d.changes.Publish(watch.Event{At: time.Now(), Change: p})
		}
		pause = max(lookEvery, lookShare*time.Since(began))
	}
}

// complaints returns what Status would complain about. It takes the tunnels as of the last
// step and asks the kernel nothing, so that a look is cheap.
func (d *daemon) complaints(ctx context.Context) (map[complaint]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	s, err := d.engine.Status(ctx)
	if err != nil {
		return nil, err
	}
	neighbors, err := d.Neighbors(ctx)
	if err != nil {
		return nil, err
	}
	var tunnels []api.Tunnel
	warnings := append(d.degraded(), s.Warnings...)
	for _, seen := range d.plane.SeenTunnels() {
		t := api.Tunnel{Status: seen, Peers: peersOf(seen, neighbors, noOuter)}
		if seen.WireGuard != nil {
			t.Reason = d.wg.reason(seen)
		}
		d.addFarEnds(&t, noOuter)
		tunnels = append(tunnels, t)
		warnings = append(warnings, mtuWarning(&seen)...)
	}
	return collected(warnings, problems(d.config.get(), &s, neighbors, tunnels)), nil
}

// collected identifies each problem and each warning. Two of the same kind that concern
// the same thing count as one.
func collected(warnings []config.Warning, problems []api.Problem) map[complaint]string {
	out := map[complaint]string{}
	add := func(kind, key, text string) {
		c := complaint{kind, oneLine(key)}
		if _, known := out[c]; !known && len(out) < mostComplaints {
			out[c] = oneLine(text)
		}
	}
	for _, p := range problems {
		add(p.Kind, p.Kind+prefixed(" ", p.Name), p.Text)
	}
	for _, w := range warnings {
		add("warning", w.Key+prefixed(" ", w.Code), w.Msg)
	}
	return out
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// compare returns what came and what went. Something counts as come only if two looks in a
// row see it: during a start, sessions are down for a moment.
func (c *complaints) compare(now map[complaint]string) (out []watch.Problem) {
	was := c.new
	c.new = map[complaint]bool{}
	if c.open == nil {
		c.open = map[complaint]string{}
	}
	for k, text := range now {
		switch _, open := c.open[k]; {
		case open:
			c.open[k] = text
		case was[k]:
			c.open[k] = text
			out = append(out, watch.Problem{Began: true, Kind: k.kind, Key: k.key, Text: text})
		default:
			c.new[k] = true
		}
	}
	for k, text := range c.open {
		if _, still := now[k]; !still {
			delete(c.open, k)
			out = append(out, watch.Problem{Kind: k.kind, Key: k.key, Text: text})
		}
	}
	slices.SortFunc(out, func(a, b watch.Problem) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
	})
	return out
}
