package sdn

import (
	"net/netip"
	"slices"
	"time"
)

// DefaultDampening is how long a second change of a prefix's next hops waits in
// Azure, from captures: the first is programmed at once, the next not before
// 30 s have passed.
const DefaultDampening = 30 * time.Second

// gathering is how long the other instance of a Route Server has to tell the same
// change. Azure takes longer to program any.
const gathering = 500 * time.Millisecond

// dampener holds back changes of learned routes that follow an earlier change of
// the same prefix too soon. What waits is a level, not a list: once the time has
// come, the routes of then are programmed.
type dampener struct {
	window     time.Duration // 0: nothing waits
	preference Preference
	last       map[netip.Prefix]damped
}

// damped is what is programmed for a prefix; no routes: nothing.
type damped struct {
	routes []Learned
	since  time.Time
	// differs is since when something else is wanted, zero if nothing is.
	differs time.Time
}

// pass returns the routes to program now, and when to ask again; 0: no change
// waits.
func (d *dampener) pass(learned []Learned, now time.Time) (routes []Learned, again time.Duration) {
	if d.window == 0 {
		return learned, 0
	}
	wanted := map[netip.Prefix][]Learned{}
	for _, group := range byPrefix(learned) {
		prefix := group[0].Prefix
		wanted[prefix] = best(group, d.preference)
		if _, known := d.last[prefix]; !known {
			d.last[prefix] = damped{}
		}
	}
	for prefix, have := range d.last {
		left := have.take(wanted[prefix], d.window, now)
		if left > 0 && (again == 0 || left < again) {
			again = left
		}
		d.last[prefix] = have
		if len(have.routes) == 0 && len(wanted[prefix]) == 0 && now.Sub(have.since) >= d.window {
			delete(d.last, prefix)
		}
		routes = append(routes, have.routes...)
	}
	return routes, again
}

// take makes wanted what is programmed, or returns how long that has to wait.
func (h *damped) take(wanted []Learned, window time.Duration, now time.Time) time.Duration {
	if slices.Equal(nextHops(h.routes), nextHops(wanted)) {
		h.differs = time.Time{}
		return 0
	}
	if h.differs.IsZero() {
		h.differs = now
	}
	left := max(h.since.Add(window).Sub(now), h.differs.Add(gathering).Sub(now))
	if left <= 0 {
		*h = damped{routes: wanted, since: now}
		return 0
	}
	return left
}
