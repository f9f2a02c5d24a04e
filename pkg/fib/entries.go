package fib

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// State is how a wanted route stands with the kernel.
type State uint8

// States of a route.
const (
	Pending   State = iota // not written yet
	Installed              // the kernel holds it as wanted
	Failed                 // the kernel refused it; it is tried again
	Refused                // the guard keeps it out
	Conflict               // a foreign route has its prefix and metric
	Leftover               // not wanted: has nvad's protocol, but is not known to be nvad's
	Stale                  // not wanted: kept until everything is in sync
	Outranked              // another route for its prefix stands above it
)

var stateNames = [...]string{"pending", "installed", "failed", "refused", "conflict", "leftover", "stale", "outranked"}

// String returns the state in lower case.
func (s State) String() string { return stateNames[s] }

// Entry is one line of the FIB as it is shown.
type Entry struct {
	Prefix netip.Prefix
	Class  Class
	Kind   Kind
	Metric uint32
	Hops   []NextHop
	Then   []NextHop // where traffic goes when all of Hops die
	Backup bool      // a route of its own that takes over when all hops of the first die
	State  State
	Reason string // of Failed, Refused, Conflict, Leftover and Outranked
	Since  time.Time
}

// Entries returns the wanted routes and the kernel routes that are nvad's or may
// be, by prefix and metric.
func (f *FIB) Entries() []Entry { return f.EntriesOf(f.Prefixes()) }

// Prefixes returns the prefixes of Entries, each once, in no particular order.
func (f *FIB) Prefixes() []netip.Prefix {
	list := make([]netip.Prefix, 0, len(f.slots)+len(f.refused))
	for prefix := range f.slots {
		list = append(list, prefix)
	}
	for prefix := range f.refused {
		if f.slots[prefix] == nil {
			list = append(list, prefix)
		}
	}
	var left []netip.Prefix
	for _, r := range f.Leftovers() {
		_, refused := f.refused[r.Prefix]
		if f.slots[r.Prefix] == nil && !refused {
			left = append(left, r.Prefix)
		}
	}
	return append(list, slices.Compact(left)...) // Leftovers are sorted
}

// EntriesOf is Entries of a few prefixes. To read all routes a page at a time, so
// that nothing waits for it, is to call it with parts of Prefixes.
func (f *FIB) EntriesOf(prefixes []netip.Prefix) []Entry {
	var list []Entry
	wanted := make(map[netip.Prefix]bool, len(prefixes))
	for _, p := range prefixes {
		wanted[p] = true
		list = f.appendAt(list, p)
	}
	for _, r := range f.leftovers(func(p netip.Prefix) bool { return wanted[p] }) {
		list = append(list, Entry{
			Prefix: r.Prefix, Class: f.classOf(r.Protocol), Kind: r.Kind, Metric: r.Metric, Hops: r.Hops,
			State: Leftover, Reason: "not recognised as installed by nvad; --adopt takes it over",
		})
	}
	slices.SortFunc(list, compareEntries)
	return list
}

func compareEntries(a, b Entry) int {
	return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		cmp.Compare(a.Metric, b.Metric))
}

func refusedEntry(prefix netip.Prefix, r refusal) Entry {
	return Entry{
		Prefix: prefix, Class: r.route.Class, Kind: r.route.Kind, Metric: r.route.Metric,
		Hops: r.route.Hops, State: r.state, Reason: r.reason, Since: r.since,
	}
}

func (f *FIB) entry(s *slot) Entry {
	e := Entry{Prefix: s.prefix, Metric: s.metric, Backup: s.backup, Since: s.since}
	if s.want == nil {
		e.Class, e.Kind, e.State = f.classOf(s.have.protocol), s.have.kind, Stale
		switch set := f.byID[s.have.object]; {
		case s.have.set != nil:
			e.Hops = plainHops(s.have.set.hops)
		case set != nil:
			e.Hops = plainHops(set.hops)
		}
		if b := f.failed[s]; b != nil {
			e.State, e.Reason = Failed, "not deleted: "+b.Err.Error()
		}
		return e
	}
	e.Class, e.Kind, e.Hops = s.want.Class, s.want.Kind, s.want.Hops
	e.Then = s.want.Backup[:min(1, len(s.want.Backup))]
	if s.backup {
		e.Hops, e.Then = s.want.Backup, nil
	}
	e.State, e.Reason = f.state(s)
	return e
}

// plainHops undoes what canonical does.
func plainHops(hops []NextHop) []NextHop {
	hops = slices.Clone(hops)
	for i := range hops {
		if hops[i].Via.IsUnspecified() {
			hops[i].Via = netip.Addr{}
		}
	}
	return hops
}

// Leftovers returns the kernel's routes that have a protocol of nvad's and are
// not known to be nvad's, by prefix and metric.
func (f *FIB) Leftovers() []KernelRoute {
	return f.leftovers(func(netip.Prefix) bool { return true })
}

func (f *FIB) leftovers(of func(netip.Prefix) bool) []KernelRoute {
	var list []KernelRoute
	for key, routes := range f.foreign {
		if !of(key.prefix) {
			continue
		}
		for _, r := range routes {
			if f.opt.Protocols.has(r.Protocol) {
				list = append(list, r)
			}
		}
	}
	sortRoutes(list)
	return list
}

// Plain reports whether routes are installed without next-hop objects.
func (f *FIB) Plain() bool { return f.plain }

// state says how a wanted slot stands, and why.
func (f *FIB) state(s *slot) (State, string) {
	if s.taken {
		reason := "another route has this prefix and metric"
		if routes := f.foreign[routeKey{s.prefix, s.metric}]; len(routes) > 0 {
			reason = "a route of protocol " + strconv.Itoa(routes[0].Protocol) + " has this prefix and metric"
		}
		return Conflict, reason
	}
	if b := f.failed[s]; b != nil {
		return Failed, b.Err.Error()
	}
	if s.set != nil && !s.set.ok && s.set.fail != nil {
		return Failed, s.set.fail.Err.Error()
	}
	if s.have != f.wanted(s) || s.set != nil && !f.plain && !s.set.ok {
		return Pending, ""
	}
	return Installed, ""
}

func (f *FIB) classOf(protocol int) Class {
	if protocol == f.opt.Protocols.Static {
		return Static
	}
	return BGP
}

// Installed is how many of the wanted routes the kernel has as they should be. It
// is exact once nothing is pending.
func (c Counters) Installed() int {
	return max(0, c.Wanted-c.Refused-c.Outranked-c.Failed-c.Conflicts-c.Pending)
}

// Count returns the counters.
func (f *FIB) Count() Counters {
	c := f.count
	c.Wanted += len(f.refused)
	c.Refused, c.Pending, c.Groups = len(f.refused)-c.Outranked, len(f.dirty)+len(f.doomed), len(f.groups)
	c.Failed = len(f.failed)
	for s := range f.bad {
		if s.fail != nil {
			for range s.waits() {
				c.Failed++
			}
		}
	}
	return c
}

func sortRoutes(routes []KernelRoute) {
	slices.SortFunc(routes, func(a, b KernelRoute) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
			cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Protocol, b.Protocol))
	})
}
