package fib

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// State says how far nvad got with a route.
type State uint8

// States of a route.
const (
	Pending   State = iota // not written yet
	Installed              // the kernel has it as wanted
	Failed                 // the kernel rejected it; nvad tries again
	Refused                // the guard does not let it be installed
	Conflict               // another program's route has the same prefix and metric
	Leftover               // not wanted: it has nvad's protocol, but nothing shows that nvad installed it
	Stale                  // not wanted: an earlier run installed it; it stays until everything is in sync
	Outranked              // nvad prefers another program's route for the prefix
)

var stateNames = [...]string{"pending", "installed", "failed", "refused", "conflict", "leftover", "stale", "outranked"}

// String returns the state in lower case.
func (s State) String() string { return stateNames[s] }

// Status is one route as clients see it: wanted by nvad, installed by an earlier run, or
// another program's.
type Status struct {
	Prefix   netip.Prefix
	Protocol string // "bgp" or "static" if it is nvad's; otherwise the program, see [ProtocolName]
	Kind     Kind
	Distance uint8 // of a static route, see [Route]
	Metric   uint32
	Source   netip.Addr // of another program's route: RTA_PREFSRC; may be invalid
	Hops     []Hop
	Backup   []Hop // where traffic goes if all of Hops die; at most one
	Second   bool  // a second route, at metric + 1, that holds the backup of the first
	State    State
	Reason   string    // why it is failed, refused, in conflict, left over or outranked
	Since    time.Time // when it got into State; zero if that is not known
}

// Hop is a next hop with the name of its link.
type Hop struct {
	Via    netip.Addr // invalid: on-link
	Device string     // empty if the link is gone
	Weight uint8
}

// String returns the hop in iproute2's form, without its weight.
func (h Hop) String() string {
	text := "dev " + cmp.Or(h.Device, "?")
	if h.Via.IsValid() {
		text = "via " + h.Via.String() + " " + text
	}
	return text
}

// Status returns all wanted routes, and the kernel's routes that are nvad's or carry one
// of its protocols, by prefix and metric.
func (f *FIB) Status() []Status { return f.StatusOf(f.Prefixes()) }

// Prefixes returns the prefixes for which [FIB.Status] returns something, each once, in
// no particular order.
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

// StatusOf is [FIB.Status] for some prefixes. To read a large table without holding up
// the loop, call it with one page of [FIB.Prefixes] after the other.
func (f *FIB) StatusOf(prefixes []netip.Prefix) []Status {
	list := make([]Status, 0, len(prefixes))
	wanted := make(map[netip.Prefix]bool, len(prefixes))
	for _, p := range prefixes {
		wanted[p] = true
		list = f.appendAt(list, p)
	}
	for _, r := range f.foreignRoutes(func(r *KernelRoute) bool { return wanted[r.Prefix] && f.opt.Protocols.has(r.Protocol) }) {
		s := f.foreignStatus(r)
		s.Protocol, s.Source = f.classOf(r.Protocol).String(), netip.Addr{}
		s.State, s.Reason = Leftover, "not recognised as installed by nvad; --adopt takes it over"
		list = append(list, s)
	}
	slices.SortFunc(list, compareStatus)
	return list
}

func compareStatus(a, b Status) int {
	return cmp.Or(a.Prefix.Compare(b.Prefix), cmp.Compare(a.Metric, b.Metric))
}

// At returns nvad's routes for one prefix, by metric.
func (f *FIB) At(prefix netip.Prefix) []Status {
	list := f.appendAt(nil, prefix)
	slices.SortFunc(list, compareStatus)
	return list
}

func (f *FIB) appendAt(list []Status, prefix netip.Prefix) []Status {
	for s := f.slots[prefix]; s != nil; s = s.next {
		if s.want != nil || s.have.present {
			list = append(list, f.slotStatus(s))
		}
	}
	if r, ok := f.refused[prefix]; ok {
		list = append(list, Status{
			Prefix: prefix, Protocol: r.route.Class.String(), Kind: r.route.Kind, Distance: r.route.Distance, Metric: r.route.Metric,
			Hops: f.named(r.route.Hops), State: r.state, Reason: r.reason, Since: r.since,
		})
	}
	return list
}

// Others returns the kernel's routes for one prefix that are not known to be nvad's, by
// metric.
func (f *FIB) Others(prefix netip.Prefix) []Status {
	var list []Status
	for _, r := range f.foreignRoutes(func(r *KernelRoute) bool { return r.Prefix == prefix }) {
		list = append(list, f.foreignStatus(r))
	}
	return list
}

func (f *FIB) foreignStatus(r KernelRoute) Status {
	return Status{
		Prefix: r.Prefix, Protocol: ProtocolName(r.Protocol), Kind: r.Kind, Metric: r.Metric, Source: r.Source,
		Hops: f.named(r.Hops), State: Installed,
	}
}

func (f *FIB) slotStatus(s *slot) Status {
	st := Status{Prefix: s.prefix, Metric: s.metric, Second: s.backup, Since: s.entered()}
	if s.want == nil {
		way := f.way(s)
		st.Protocol, st.Kind, st.State, st.Hops = f.classOf(int(s.have.protocol)).String(), way.Kind, Stale, way.Hops
		if b := f.failed[s]; b != nil {
			st.State, st.Reason = Failed, "not deleted: "+b.Err.Error()
		}
		return st
	}
	hops, backup := s.want.Hops, s.want.Backup[:min(1, len(s.want.Backup))]
	if s.backup {
		hops, backup = s.want.Backup, nil
	}
	st.Protocol, st.Kind, st.Hops, st.Backup = s.want.Class.String(), s.want.Kind, f.named(hops), f.named(backup)
	st.Distance = s.want.Distance
	st.State, st.Reason = f.state(s)
	return st
}

// named gives hops the names of their links.
func (f *FIB) named(hops []NextHop) []Hop {
	if len(hops) == 0 {
		return nil
	}
	list := make([]Hop, len(hops))
	for i, h := range hops {
		list[i] = Hop{Via: h.Gateway(), Device: f.guard.links[h.Link], Weight: h.Weight}
	}
	return list
}

// state returns the state of a wanted slot, and the reason for it.
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

// Leftovers returns the kernel's routes that carry one of nvad's protocols but are not
// known to be nvad's, by prefix and metric.
func (f *FIB) Leftovers() []KernelRoute {
	return f.foreignRoutes(func(r *KernelRoute) bool { return f.opt.Protocols.has(r.Protocol) })
}

// foreignRoutes returns the foreign routes that match, by prefix, metric and protocol.
func (f *FIB) foreignRoutes(match func(*KernelRoute) bool) []KernelRoute {
	var list []KernelRoute
	for _, routes := range f.foreign {
		for i := range routes {
			if match(&routes[i]) {
				list = append(list, routes[i])
			}
		}
	}
	slices.SortFunc(list, func(a, b KernelRoute) int {
		return cmp.Or(a.Prefix.Compare(b.Prefix), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Protocol, b.Protocol))
	})
	return list
}

// Plain reports whether routes are installed without next-hop objects.
func (f *FIB) Plain() bool { return f.plain }

// Counters are totals since the start, except for the numbers of routes and groups, which
// are the present ones. They are kept up to date as things happen.
type Counters struct {
	Wanted    int // routes, refused ones included, second routes of a prefix not
	Failed    int // routes that wait for another attempt
	Refused   int // routes that the guard does not let be installed
	Outranked int // routes to whose prefix another program has a preferred route
	Conflicts int // routes whose prefix and metric another program's route has
	Pending   int // routes that wait for their turn
	Groups    int // next-hop groups in the kernel

	Written  uint64 // routes added or replaced
	Deleted  uint64 // routes
	Failures uint64 // messages that the kernel rejected
	Repairs  uint64 // routes and objects that another program removed or changed
	Moved    uint64 // groups that one message swapped under all their routes
	Compares uint64 // full compares
}

// Installed returns how many of the wanted routes the kernel has as wanted. It is exact
// once nothing is pending.
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

// Tally counts the wanted routes one by one, where [Counters] are kept as things happen.
type Tally struct {
	Wanted    int // routes, not counting second routes of a prefix
	Installed int // of Wanted
	Untried   int // static routes of Wanted that were neither written nor refused yet
}

// Tally counts the wanted routes.
func (f *FIB) Tally() Tally {
	t := Tally{Wanted: len(f.refused)}
	for _, first := range f.slots {
		for s := first; s != nil; s = s.next {
			if s.want == nil || s.backup {
				continue
			}
			t.Wanted++
			switch state, _ := f.state(s); {
			case state == Installed:
				t.Installed++
			case state == Pending && s.want.Class == Static:
				t.Untried++
			}
		}
	}
	return t
}

// Refusal returns, as an example, one of the routes that the kernel rejects, with the
// kernel's answer; nil if there is none.
func (f *FIB) Refusal() *RouteError {
	for s, b := range f.failed {
		return &RouteError{Prefix: s.prefix, Err: b.Err}
	}
	for set := range f.bad {
		if set.fail == nil {
			continue
		}
		for s := range set.waits() {
			return &RouteError{Prefix: s.prefix, Err: set.fail.Err}
		}
	}
	return nil
}
