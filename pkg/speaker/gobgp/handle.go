package gobgp

import (
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// attrSet is a decoded set of attributes and what is wrong with it.
type attrSet struct {
	attrs    *route.Attrs
	withdraw bool   // its routes are treated as withdrawn
	err      string // why, or which attributes were discarded
}

// emit makes events of an UPDATE. One with both fields and MP_REACH_NLRI has two
// next hops, hence two events.
func (d *decoder) emit(u parts, emit func(speaker.Event) bool) error {
	ev := speaker.Update{From: d.from, Withdrawn: u.withdrawn}
	if len(u.attrs) == 0 && len(u.nlri)+len(u.reach) == 0 && u.truncated == "" {
		if len(ev.Withdrawn) > 0 {
			emit(ev)
		}
		return nil
	}
	if len(u.nlri) > 0 || len(u.reach) == 0 {
		if err := d.finish(&ev, u, u.nlri, netip.Addr{}); err != nil {
			return err
		}
		if len(ev.Withdrawn)+len(ev.Announced) > 0 || ev.Err != "" {
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
	if u.truncated != "" {
		set.withdraw, set.err = true, u.truncated
	}
	if set.err != "" {
		ev.Err = "attribute discarded: " + set.err
	}
	if !set.withdraw {
		if len(announced) > 0 {
			ev.Attrs, ev.Announced = set.attrs, announced
		}
		return nil
	}
	if len(announced) == 0 && len(ev.Withdrawn) == 0 && !u.mpSeen {
		// RFC 7606 5.2: with no route to withdraw, something was overlooked.
		return malformed(bgp.BGP_ERROR_SUB_MALFORMED_ATTRIBUTE_LIST, nil, "%s, and no routes to withdraw", set.err)
	}
	ev.Err = "treated as withdraw: " + set.err
	ev.Withdrawn = append(ev.Withdrawn, announced...)
	return nil
}

// attributes returns the set that raw encodes. mandatory says that routes need
// it: then ORIGIN, AS_PATH and a next hop must be there (RFC 7606 3 d).
func (d *decoder) attributes(raw []byte, nextHop netip.Addr, mandatory bool) (attrSet, error) {
	d.key = append(d.key[:0], raw...)
	if nextHop.IsValid() {
		d.key = append(d.key, nextHop.AsSlice()...)
	}
	d.key = append(d.key, byte(nextHop.BitLen()))
	if attrs := d.cache.get(d.key); attrs != nil && mandatory {
		return attrSet{attrs: attrs}, nil
	}
	p, err := d.parseAttrs(raw)
	if err != nil {
		return attrSet{}, err
	}
	set := attrSet{withdraw: p.withdraw, err: p.err}
	if mandatory && !set.withdraw {
		p.useNextHop(nextHop)
		set.withdraw, set.err = p.missing(set.err)
	}
	if !set.withdraw {
		set.attrs = d.interner.Intern(p.attrs)
		if set.err == "" && mandatory {
			d.cache.put(d.key, set.attrs)
		}
	}
	return set, nil
}
