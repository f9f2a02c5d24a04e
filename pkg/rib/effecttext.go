package rib

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/fib"
)

// whyNotAccepted says why d has no accepted path of a neighbor.
func (r *RIB) whyNotAccepted(d *dest, neighbor netip.Addr) string {
	p := r.byAddr[neighbor]
	if p == nil {
		return "the neighbor is removed"
	}
	switch i := d.find(p.id); {
	case i >= 0:
		return r.rejectReason(&d.paths[i])
	case !p.up:
		return "the session is down"
	}
	return "the neighbor withdrew it"
}

func (r *RIB) whyAccepted(d *dest, neighbor netip.Addr) string {
	if p := r.byAddr[neighbor]; p != nil {
		if i := d.find(p.id); i >= 0 {
			return r.rejectReason(&d.paths[i])
		}
	}
	return ""
}

// whyNotAdvertised says why a neighbor is not sent d.
func (r *RIB) whyNotAdvertised(d *dest, neighbor netip.Addr) string {
	p := r.byAddr[neighbor]
	switch {
	case p == nil:
		return "the neighbor is removed"
	case !p.up:
		return "the session is down"
	}
	_, h, rule := r.export(d, p)
	switch {
	case h == sent:
		return heldText(p.MaxAdvertised)
	case h == exportPolicy && p.originates(d.prefix):
		return p.Default.RuleText(rule)
	case h == noPath:
		return r.whyNotInstalled(d)
	}
	return r.holdReason(d, p, h, rule)
}

// whyNotInstalled says why the kernel has no route for d.
func (r *RIB) whyNotInstalled(d *dest) string {
	why := "no path is left"
	for i := range d.paths {
		pt := &d.paths[i]
		switch {
		case pt.peer == 0:
			why = "it is originated here"
		case pt.accepted == nil:
			return fmt.Sprintf("the path from %s is rejected: %s", r.peers[pt.peer].Address, r.rejectReason(pt))
		case !pt.valid():
			return fmt.Sprintf("next hop %s does not resolve", pt.accepted.NextHop)
		}
	}
	return why
}

// changedText says how two sets of one route differ.
func changedText(a, b *mark) string {
	if a.attrs == b.attrs {
		return "weight, tag or preferred source"
	}
	return strings.Join(differences(a.attrs, b.attrs), ", ")
}

func fromText(c Choice) string {
	if !c.Neighbor.IsValid() {
		return c.Source.String()
	}
	return c.Neighbor.String()
}

// wayText is where a route leads to.
func (r *RIB) wayText(w *fib.Route) string {
	if w.Kind != fib.Unicast {
		return w.Kind.String()
	}
	var hops []string
	for _, h := range w.Hops {
		text := "dev " + r.LinkName(h.Link)
		if h.Via.IsValid() {
			text = fmt.Sprintf("via %s dev %s", h.Via, r.LinkName(h.Link))
		}
		hops = append(hops, text)
	}
	return strings.Join(hops, ", ")
}
