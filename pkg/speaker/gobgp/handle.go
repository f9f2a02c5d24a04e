package gobgp

import (
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// attrSet is a decoded set of attributes and what is wrong with it.
type attrSet struct {
	attrs *route.Attrs // nil: its routes are treated as withdrawn
	bad   *speaker.Malformed
}

// emit makes events of an UPDATE. One with both fields and MP_REACH_NLRI has two
// next hops, hence two events.
func (d *decoder) emit(u parts, emit func(speaker.Event) bool) error {
	ev := speaker.Update{From: d.from, Withdrawn: u.withdrawn}
	if !u.other && len(u.nlri) == 0 && u.bad == nil {
		if len(ev.Withdrawn) > 0 {
			emit(ev)
		}
		return nil
	}
	if len(u.nlri) > 0 || len(u.reach) == 0 {
		if err := d.finish(&ev, u, u.nlri, netip.Addr{}); err != nil {
			return err
		}
		if len(ev.Withdrawn)+len(ev.Announced) > 0 || ev.Err != nil {
			emit(ev)
		}
		ev = speaker.Update{From: d.from}
	}
	if len(u.reach) > 0 {
		if err := d.finish(&ev, u, u.reach, u.nextHop); err != nil {
			return err
		}
		emit(ev)
	}
	return nil
}

// finish adds announced prefixes with their attributes to ev, or withdraws them
// if the attributes are not fit. nextHop is that of MP_REACH_NLRI, if valid.
func (d *decoder) finish(ev *speaker.Update, u parts, announced []netip.Prefix, nextHop netip.Addr) error {
	set, err := d.attributes(u.attrs, nextHop, len(announced) > 0)
	if err != nil {
		return err
	}
	bad := strongest(u.bad, set.bad)
	d.bad = strongest(d.bad, bad)
	if bad == nil || bad.Action == discard {
		ev.Err = bad
		if len(announced) > 0 {
			ev.Attrs, ev.Announced = set.attrs, announced
		}
		return nil
	}
	if u.other && !u.reachable {
		// Where nothing is announced, what was announced may have been overlooked.
		return malformed(bgp.BGP_ERROR_SUB_MALFORMED_ATTRIBUTE_LIST, nil, bad.Class, bad.Attribute, "%s, and nothing is announced (RFC 7606 5.2)", bad.Text)
	}
	why := *bad // the other event of this UPDATE has other routes
	why.Routes = len(announced)
	ev.Err = &why
	ev.Withdrawn = append(ev.Withdrawn, announced...)
	return nil
}

// attributes returns the set that raw encodes. mandatory says that routes need
// it: then ORIGIN, AS_PATH and a next hop must be there.
func (d *decoder) attributes(raw []byte, nextHop netip.Addr, mandatory bool) (attrSet, error) {
	d.key = append(d.key[:0], raw...)
	if nextHop.IsValid() {
		d.key = append(d.key, nextHop.AsSlice()...)
	}
	d.key = append(d.key, byte(nextHop.BitLen()))
	if attrs := d.cache.get(d.key); attrs != nil && mandatory {
		return attrSet{attrs: attrs}, nil
	}
	if mandatory {
		if m := d.excess(raw); m != nil {
			return attrSet{bad: m}, nil
		}
	}
	p, err := d.parseAttrs(raw)
	if err != nil {
		return attrSet{}, err
	}
	if mandatory {
		p.useNextHop(nextHop)
		p.note(d.missing(p))
	}
	set := attrSet{bad: p.err}
	if p.err == nil || p.err.Action == discard {
		set.attrs = d.interner.Intern(p.attrs)
		if p.err == nil && mandatory {
			d.cache.put(d.key, set.attrs)
		}
	}
	return set, nil
}
