package rib

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/route"
)

// Choice is the best path of a destination at one moment.
type Choice struct {
	Neighbor netip.Addr // it came from; invalid: local
	Source   route.Source
	Attrs    *route.Attrs // accepted ones; nil: there was no best path
}

// BestChange is another best path, or other attributes of the same.
type BestChange struct {
	Prefix   netip.Prefix
	Old, New Choice
	Reason   string // in words
}

// Observe begins or ends the reporting of best paths in [Effects]. While it is off,
// which it is at first, it costs next to nothing.
func (r *RIB) Observe(on bool) {
	if r.watched = on; !on {
		r.before = trimmed[*dest, Choice]{}
	}
}

// note remembers the best path of d as it was before anything was done to d. It is
// called ahead of every change, and reports whether it is the first.
func (r *RIB) note(d *dest) (first bool) {
	r.record(d)
	if !r.watched {
		return false
	}
	_, known := r.before.get(d)
	if !known {
		r.before.set(d, r.choice(d))
	}
	return !known
}

func (r *RIB) choice(d *dest) Choice {
	if d.best < 0 {
		return Choice{}
	}
	pt := &d.paths[d.best]
	return Choice{Neighbor: r.peers[pt.peer].Address, Source: pt.source, Attrs: pt.accepted}
}

// compare reports how the decision about d came out, if otherwise than before.
func (r *RIB) compare(d *dest) {
	if !r.watched {
		return
	}
	was, _ := r.before.get(d)
	now := r.choice(d)
	r.before.remove(d)
	if was != now {
		r.eff.Best = append(r.eff.Best, BestChange{Prefix: d.prefix, Old: was, New: now, Reason: r.changeReason(d, was, now)})
	}
}

// changeReason says why was is not the best path of d any more.
func (r *RIB) changeReason(d *dest, was, now Choice) string {
	switch {
	case was.Attrs == nil:
		return "new"
	case was.Neighbor == now.Neighbor && was.Source == now.Source && now.Attrs != nil:
		return "changed: " + strings.Join(differences(was.Attrs, now.Attrs), ", ")
	}
	p := r.byAddr[was.Neighbor]
	if !was.Neighbor.IsValid() {
		p = r.peers[0]
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
	case d.paths[i].accepted == nil:
		return "rejected: " + r.rejectReason(&d.paths[i])
	case !d.paths[i].valid():
		return fmt.Sprintf("next hop %s does not resolve", d.paths[i].accepted.NextHop)
	}
	return "better by " + d.step.String()
}

// differences names the attributes that differ, with their old and new value where
// that is short.
func differences(a, b *route.Attrs) []string {
	var out []string
	add := func(differ bool, format string, args ...any) {
		if differ {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(!a.ASPath.Equal(b.ASPath), "AS path %s -> %s", a.ASPath, b.ASPath)
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
