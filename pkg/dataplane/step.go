package dataplane

import (
	"maps"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/watch"
)

// batch is how many routes are written before the loop looks at what else has
// come, a death that needs a swap perhaps: some 10 ms.
const batch = 4_000

// A full compare costs time that grows with the table: the loop spends at most a
// fifth of its time on those that events ask for.
const (
	minCompareGap    = 50 * time.Millisecond
	compareGapFactor = 4
)

// settle is the wait between the first sign that something is amiss and the
// compare: who flushes next hops deletes one after the other, and would delete
// again what is put back in between.
const settle = 10 * time.Millisecond

// step is one turn of the loop. It reports whether more is to do at once.
func (d *Dataplane) step(now time.Time) (more bool) {
	d.fib.Report(d.opt.Watch.Wants(watch.FIB))
	in := d.box.take()
	d.take(in, now)
	if d.wanted == nil || d.flushed {
		return false
	}
	if passed(d.due.scan, now) {
		d.due.links, d.due.nics, d.due.nat, d.due.sysctls, d.due.compare = now, now, now, now, now
		d.due.scan = now.Add(d.opt.Scan)
	}
	if passed(d.due.nat, now) {
		d.syncNAT(now) // before the links: what guards a tunnel goes before the tunnel
	}
	if passed(d.due.links, now) {
		d.syncLinks(now)
	}
	if passed(d.due.nics, now) {
		d.syncNICs(now)
	}
	if passed(d.due.sysctls, now) {
		d.syncSysctls()
	}
	if d.fib.NeedResync() && d.due.compare.IsZero() {
		d.due.compare = now.Add(settle)
	}
	if passed(d.due.compare, now) {
		d.compare(now)
	}
	if d.fib.Count().Compares > 0 { // what an earlier run left must be known first
		more = d.fib.Sync(now, batch)
	}
	d.publish()
	d.report()
	d.tellTransitions(now)
	if !more && d.total.Compares > 0 {
		d.once.Do(func() { close(d.ready) })
	}
	return more
}

func passed(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// take takes in what others handed over.
func (d *Dataplane) take(in input, now time.Time) {
	if in.wanted != nil && !d.flushed {
		d.want(in.wanted, now)
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
	if in.inSync {
		d.fib.InSync()
	}
}

func (d *Dataplane) want(w *Wanted, now time.Time) {
	if d.wanted == nil {
		d.due.scan = now
		d.fault("links", d.tunnels.Look()) // whose VXLAN is there must be known before its port is guarded
	}
	d.wanted = w
	d.tunnels.SetWanted(w.Tunnels)
	d.nics.SetWanted(w.NICs)
	d.fib.Protect(w.Protected, w.AllowDefault, now)
	d.fib.SetDisplace(w.Displace)
	d.due.links, d.due.nics, d.due.nat, d.due.sysctls = now, now, now, now
}

// event marks what an event makes worth looking at.
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
			// IPv4 routes and next hops go with their link or source address
			// without an event of their own.
			d.due.compare = now
		}
	case fib.NeighborEvent:
		d.due.links = now
	case fib.SysctlEvent:
		d.due.sysctls = now
	case fib.NATEvent:
		if d.due.nat.IsZero() {
			d.due.nat = now.Add(settle)
		}
	case fib.RuleEvent:
		if soon := now.Add(settle); d.due.nics.IsZero() || d.due.nics.After(soon) { // later: one NIC's next attempt
			d.due.nics = soon
		}
	case fib.LostEvent:
		d.total.LostEvents++
		d.due.links, d.due.nics, d.due.nat, d.due.sysctls, d.due.compare = now, now, now, now, now
	default:
		d.fib.Observe(e, now)
	}
}

// linkDown tells of a link that is down before all links are read.
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

// syncNAT brings the nftables table to what is wanted.
func (d *Dataplane) syncNAT(now time.Time) {
	rules := d.wanted.NAT
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

// worse reports whether a link or an address that was there is not any more.
func worse(old, links []fib.Link) bool {
	for _, o := range old {
		i := slices.IndexFunc(links, func(l fib.Link) bool { return l.Index == o.Index })
		if i < 0 || o.Up && !links[i].Up {
			return true
		}
		for _, a := range o.Addresses {
			if !slices.Contains(links[i].Addresses, a) {
				return true
			}
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
			Own: l.VXLAN != nil && l.Alias == tunnel.Alias,
		})
	}
	return links
}

// compare reads the whole table, but not too often.
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
