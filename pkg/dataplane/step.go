package dataplane

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/watch"
)

// batch is the number of routes that one step writes, in some 10 ms. Then the loop looks for
// new input: perhaps a gateway died and groups must be swapped.
const batch = 4_000

// A full compare takes time that grows with the table. If events ask for one after the other,
// the loop spends at most a fifth of its time on them.
const (
	minCompareGap    = 50 * time.Millisecond
	compareGapFactor = 4
)

// settle is the time between the first sign that something is wrong and the repair. `ip nexthop
// flush` deletes one object after the other, and would delete again what nvad puts back
// meanwhile. It also paces the repairs: a remote may make the kernel learn any number of MAC
// addresses, each with an event.
const settle = 10 * time.Millisecond

// step takes the input and brings the kernel closer to what is wanted. It reports whether
// there is more to do at once.
func (d *Dataplane) step(now time.Time) (more bool) {
	d.fib.Report(d.opt.Watch.Wants(watch.FIB))
	in := d.box.take()
	d.take(in, now)
	if d.wanted == nil || d.flushed {
		return false
	}
	if passed(d.due.scan, now) {
		d.due.everything(now)
		d.due.scan = now.Add(d.opt.Scan)
	}
	if passed(d.due.nat, now) {
		d.syncNAT(now) // before the links: a tunnel must not exist without its guards
	}
	if passed(d.due.links, now) {
		d.syncLinks(now)
	}
	if passed(d.due.nics, now) {
		d.syncNICs(now)
	}
	if passed(d.due.sysctls, now) {
		d.syncSysctls(now)
	}
	if d.fib.NeedResync() && d.due.compare.IsZero() {
		d.due.compare = now.Add(settle)
	}
	if passed(d.due.compare, now) {
		d.compare(now)
	}
	if d.fib.Count().Compares > 0 { // otherwise it is not known yet what an earlier run left
		more = d.fib.Sync(now, batch)
	}
	d.publishFacts()
	d.report(now)
	if !more && d.total.Compares > 0 {
		d.once.Do(func() { close(d.ready) })
	}
	return more
}

// due says when the loop looks at each part of the kernel again. Zero means: not before an
// event asks for it.
type due struct {
	links, nics, nat, sysctls, compare time.Time
	compareFrom                        time.Time // no full compare before
	scan                               time.Time
}

func (d *due) everything(now time.Time) {
	d.links, d.nics, d.nat, d.sysctls, d.compare = now, now, now, now, now
}

// soon makes a part due once things have settled, unless it is due earlier.
func soon(part *time.Time, now time.Time) {
	if at := now.Add(settle); part.IsZero() || part.After(at) {
		*part = at
	}
}

func passed(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// take takes in what others handed over. Deaths come before changes of routes, which can be many.
func (d *Dataplane) take(in input, now time.Time) {
	if in.wanted != nil && !d.flushed {
		d.want(in.wanted, now)
	}
	if in.neighbors != nil {
		d.dynamic = *in.neighbors
		if d.wanted != nil && !d.flushed {
			d.protect(now)
		}
	}
	for _, e := range in.events {
		d.event(e, now)
	}
	if in.dead != nil {
		maps.Copy(d.dead, in.dead)
		d.fib.SetDead(slices.Concat(slices.Collect(maps.Values(d.dead))...))
	}
	if d.wanted != nil && !d.flushed {
		d.fib.Swap(now)
	}
	for _, swapped := range in.swapped {
		close(swapped)
	}
	if len(in.changes) > 0 && !d.flushed {
		d.fib.Apply(in.changes, now)
	}
	d.box.reuse(in.changes)
	if in.inSync {
		d.fib.InSync()
	}
}

func (d *Dataplane) want(w *Wanted, now time.Time) {
	if d.wanted == nil {
		d.due.scan = now
		d.fault("links", d.tunnels.Look()) // the guards of a port must know other programs' VXLAN devices
	}
	d.wanted = w
	d.tunnels.SetWanted(w.Tunnels)
	d.nics.SetWanted(w.NICs)
	d.protect(now)
	d.fib.SetDisplace(w.Displace, w.DefaultAlone)
	d.due.links, d.due.nics, d.due.nat, d.due.sysctls = now, now, now, now
}

// protect protects what the configuration names, and dynamic neighbors.
func (d *Dataplane) protect(now time.Time) {
	d.fib.Protect(slices.Concat(d.wanted.Protected, d.dynamic), d.wanted.AllowDefault, now)
}

// event makes due what an event is about.
func (d *Dataplane) event(e fib.Event, now time.Time) {
	d.total.Events++
	switch e.Kind {
	case fib.LinkEvent, fib.AddressEvent:
		if e.Kind == fib.LinkEvent && e.Deleted {
			d.linkDown(e.Link)
		}
		d.due.links, d.due.nics = now, now
		d.tunnels.Kick()
		d.nics.Kick()
		if e.Deleted && d.due.compare.IsZero() {
			// IPv4 routes and next hops vanish with their link or source address,
			// without events of their own.
			d.due.compare = now
		}
	case fib.NeighborEvent:
		soon(&d.due.links, now)
	case fib.SysctlEvent:
		d.due.sysctls = now
	case fib.NATEvent:
		soon(&d.due.nat, now)
	case fib.RuleEvent:
		soon(&d.due.nics, now)
	case fib.LostEvent:
		d.total.LostEvents++
		d.due.everything(now)
	default:
		d.fib.Observe(e, now)
	}
}

// linkDown reports a link that went down to the FIB, before all links are read.
func (d *Dataplane) linkDown(index int) {
	if slices.ContainsFunc(d.links, func(l fib.Link) bool { return l.Index == index && l.Up }) {
		d.fib.LinkDown(index)
		d.linkDied = true
	}
}

// syncLinks brings the tunnels to what is wanted and reads all links.
func (d *Dataplane) syncLinks(now time.Time) {
	next, err := d.tunnels.Sync(now)
	d.due.links = next
	d.fault("links", err)
	if err != nil {
		return
	}
	links := linksOf(d.tunnels.Links())
	if slices.EqualFunc(links, d.links, sameLink) && !d.linkDied {
		return
	}
	d.linkDied = false
	if worse(d.links, links) && d.due.compare.IsZero() {
		d.due.compare = now
	}
	d.links, d.due.nics, d.due.nat = links, now, now
	d.fib.SetLinks(links, now)
	d.facts.set(fib.Facts{Links: d.links, Routes: d.routes}, d.total.Compares > 0)
}

// publishFacts hands over facts if the routes of other programs changed. If links changed,
// syncLinks has done that already.
func (d *Dataplane) publishFacts() {
	if routes, changed := d.fib.Foreign(); changed {
		d.routes = routes
		d.facts.set(fib.Facts{Links: d.links, Routes: d.routes}, d.links != nil)
	}
}

// syncNAT brings the nftables table to what is wanted. A tunnel that a reload removed keeps its
// guards until its device is gone: syncLinks makes the table due again then.
func (d *Dataplane) syncNAT(now time.Time) {
	rules := d.wanted.NAT
	rules.Overlays = slices.Clone(rules.Overlays)
	for _, o := range d.guarded {
		same := func(other nat.Overlay) bool { return other.Device == o.Device }
		if !slices.ContainsFunc(rules.Overlays, same) && d.tunnels.Built(o.Device) {
			rules.Overlays = append(rules.Overlays, o)
		}
	}
	d.guarded = rules.Overlays
	for _, s := range d.tunnels.Foreign() {
		rules.Foreign = append(rules.Foreign, nat.Segment(s))
	}
	d.nat.SetWanted(rules)
	var err error
	d.due.nat, err = d.nat.Sync(now)
	d.fault("nat", err)
}

// syncNICs brings the rules and tables of NICs to what is wanted.
func (d *Dataplane) syncNICs(now time.Time) {
	var err error
	d.due.nics, err = d.nics.Sync(d.links, now)
	d.fault("nics", err)
}

// worse reports whether a link went down, or a link or an address is gone.
func worse(old, links []fib.Link) bool {
	for _, o := range old {
		i := slices.IndexFunc(links, func(l fib.Link) bool { return l.Index == o.Index })
		gone := func(a netip.Prefix) bool { return !slices.Contains(links[i].Addresses, a) }
		if i < 0 || o.Up && !links[i].Up || slices.ContainsFunc(o.Addresses, gone) {
			return true
		}
	}
	return false
}

func sameLink(a, b fib.Link) bool {
	return a.Index == b.Index && a.Name == b.Name && a.Up == b.Up && a.MTU == b.MTU &&
		slices.Equal(a.Addresses, b.Addresses)
}

func linksOf(list []tunnel.Link) []fib.Link {
	links := make([]fib.Link, 0, len(list))
	for _, l := range list {
		links = append(links, fib.Link{
			Index: l.Index, Name: l.Name, Up: l.Up && l.Carrier, MTU: l.MTU, Addresses: l.Addresses,
			Own: l.Own(),
		})
	}
	return links
}

// compare does a full compare, unless the last one was too recent.
func (d *Dataplane) compare(now time.Time) {
	if now.Before(d.due.compareFrom) {
		d.due.compare = d.due.compareFrom
		return
	}
	d.due.compare = time.Time{}
	start := time.Now()
	err := d.fib.Resync(now)
	d.fault("routes", err)
	if err != nil {
		d.due.compare = now.Add(time.Second)
		return
	}
	end := time.Now()
	d.due.compareFrom = end.Add(max(minCompareGap, compareGapFactor*end.Sub(start)))
	if err := d.owner.note(d.fib); err != nil {
		d.fault("state file", err)
	}
}
