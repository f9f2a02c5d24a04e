package rib

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/route"
)

// observer sees each destination before a stage changes it, for those who want to know what
// the change did: whoever watches best paths, and the journal of a reload.
type observer struct {
	peers   *peers
	watched bool                   // best paths are reported
	before  trimmed[*dest, Choice] // best paths before the changes of this turn
	best    []BestChange           // since the last take
	journal *journal               // nil: nobody asks
}

// Choice is the best path of a destination at one moment.
type Choice struct {
	Neighbor netip.Addr // it came from; invalid: local
	Source   route.Source
	Attrs    *route.Attrs // accepted ones; nil: there was no best path
}

// BestChange is a change to another best path, or to other attributes of the same.
type BestChange struct {
	Prefix   netip.Prefix
	Old, New Choice
	Reason   string // in words
}

// Observe begins or ends the reporting of best paths in [Effects]. While it is off, as at
// first, it costs next to nothing.
func (r *RIB) Observe(on bool) {
	if r.seen.watched = on; !on {
		r.seen.before = trimmed[*dest, Choice]{}
	}
}

// note remembers the best path of d. A stage calls it before it changes d's paths; only the
// first call before a decision counts, which note reports.
func (o *observer) note(d *dest) (first bool) {
	o.record(d)
	if !o.watched {
		return false
	}
	if d.fresh {
		return false
	}
	if _, known := o.before.get(d); known {
		return false
	}
	if d.best < 0 { // as for every prefix of a table that loads: the map need not have it
		d.fresh = true
	} else {
		o.before.set(d, o.choice(d))
	}
	return true
}

// unnote undoes the first note of d: nothing has changed, so no decision follows.
func (o *observer) unnote(d *dest) {
	if d.fresh {
		d.fresh = false
		return
	}
	o.before.remove(d)
}

func (o *observer) choice(d *dest) Choice {
	if d.best < 0 {
		return Choice{}
	}
	pt := &d.paths[d.best]
	return Choice{Neighbor: o.peers.of(pt).Address, Source: pt.source, Attrs: pt.accepted}
}

// compare reports the decision about d, if it came out differently than before.
func (o *observer) compare(d *dest) {
	fresh := d.fresh
	if d.fresh = false; !o.watched {
		return
	}
	now, was := o.choice(d), Choice{}
	if !fresh {
		was, _ = o.before.get(d)
		o.before.remove(d)
	}
	if was != now {
		o.best = append(o.best, BestChange{Prefix: d.prefix, Old: was, New: now, Reason: o.peers.changeReason(d, was, now)})
	}
}

// take returns the changes of best paths since the last call.
func (o *observer) take() []BestChange {
	best := o.best
	o.best = nil
	return best
}

// changeReason says why was is not the best path of d any more.
func (ps *peers) changeReason(d *dest, was, now Choice) string {
	switch {
	case was.Attrs == nil:
		return "new"
	case was.Neighbor == now.Neighbor && was.Source == now.Source && now.Attrs != nil:
		return "changed: " + strings.Join(differences(was.Attrs, now.Attrs), ", ")
	}
	p := ps.byAddr[was.Neighbor]
	if !was.Neighbor.IsValid() {
		p = ps.local()
	}
	if p == nil {
		return fmt.Sprintf("%s is not configured any more", was.Neighbor)
	}
	i := d.find(p.id)
	switch {
	case i < 0 && p.id == 0:
		return "not originated any more"
	case i < 0 && !p.up:
		return fmt.Sprintf("%s is down", was.Neighbor)
	case i < 0:
		return fmt.Sprintf("%s withdrew it", was.Neighbor)
	case d.paths[i].flags&flagAside != 0:
		return "its static route gives way to BGP"
	case d.paths[i].accepted == nil:
		return "rejected: " + p.rejectReason(&d.paths[i])
	case !d.paths[i].valid():
		return fmt.Sprintf("next hop %s does not resolve", d.paths[i].accepted.NextHop)
	}
	return "better by " + d.step.String()
}

// shortPath is the length up to which a reason quotes AS paths: it is written on the
// engine's time, and a neighbor decides how long they are.
const shortPath = 16

// differences names the attributes that differ, with their old and new values where these
// are short.
func differences(a, b *route.Attrs) []string {
	var out []string
	add := func(differ bool, format string, args ...any) {
		if differ {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	switch {
	case a.ASPath.Equal(b.ASPath):
	case max(a.ASPath.Len(), b.ASPath.Len()) > shortPath:
		out = append(out, "AS path")
	default:
		out = append(out, fmt.Sprintf("AS path %s -> %s", a.ASPath, b.ASPath))
	}
	add(a.NextHop != b.NextHop, "next hop %s -> %s", a.NextHop, b.NextHop)
	add(a.Origin != b.Origin, "origin %s -> %s", a.Origin, b.Origin)
	add(a.MED != b.MED, "MED %s -> %s", optional(a.MED), optional(b.MED))
	add(a.LocalPref != b.LocalPref, "local preference %s -> %s", optional(a.LocalPref), optional(b.LocalPref))
	add(!slices.Equal(a.Communities, b.Communities) || !slices.Equal(a.LargeCommunities, b.LargeCommunities) ||
		!slices.Equal(a.ExtCommunities, b.ExtCommunities), "communities")
	if len(out) == 0 {
		out = []string{"other attributes"}
	}
	return out
}

func optional(o route.Optional) string {
	if !o.Set {
		return "none"
	}
	return fmt.Sprint(o.Value)
}
