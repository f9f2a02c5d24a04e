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
	p, err := d.parse(raw)
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

// parsed is a set of attributes on its way.
type parsed struct {
	raw      []byte
	attrs    route.Attrs
	seen     [256]bool
	as4Path  route.ASPath
	as4Aggr  route.Aggregator
	withdraw bool
	err      string
}

// useNextHop lets the next hop of MP_REACH_NLRI take the place of NEXT_HOP,
// which has no meaning then (RFC 4760 3).
func (p *parsed) useNextHop(nextHop netip.Addr) {
	if nextHop.IsValid() {
		p.attrs.NextHop = nextHop
	} else if !p.attrs.NextHop.Is4() {
		p.attrs.NextHop = netip.Addr{}
	}
}

// missing reports a set no route can have. err is what was wrong before.
func (p *parsed) missing(err string) (bool, string) {
	switch {
	case !p.seen[bgp.BGP_ATTR_TYPE_ORIGIN]:
		return true, "ORIGIN is missing"
	case !p.seen[bgp.BGP_ATTR_TYPE_AS_PATH]:
		return true, "AS_PATH is missing"
	case !p.attrs.NextHop.IsValid():
		return true, "NEXT_HOP is missing"
	case p.attrs.NextHop.IsUnspecified() || p.attrs.NextHop.IsMulticast():
		return true, "next hop " + p.attrs.NextHop.String() + " is no host address"
	}
	return false, err
}

// parse lets GoBGP parse and validate attributes, in an UPDATE without routes,
// and sorts its errors as RFC 7606 does.
func (d *decoder) parse(raw []byte) (*parsed, error) {
	p := &parsed{raw: raw}
	body := make([]byte, 4, 4+len(raw))
	body[2], body[3] = byte(len(raw)>>8), byte(len(raw))
	update := &bgp.BGPUpdate{}
	if err := update.DecodeFromBytes(append(body, raw...), &bgp.MarshallingOption{Use2ByteAS: d.twoOctet}); err != nil {
		if err := p.note(err); err != nil {
			return nil, err
		}
	}
	if p.withdraw {
		return p, nil // what failed to parse is not fit to be validated
	}
	if _, err := bgp.ValidateUpdateMsg(update, nil, !d.internal, false, d.loopback); err != nil {
		if err := p.note(err); err != nil {
			return nil, err
		}
	}
	for _, a := range update.PathAttributes {
		p.seen[a.GetType()] = true
		d.attribute(p, a)
	}
	if d.twoOctet {
		p.mergeAS4()
	}
	return p, nil
}

// note records an error of GoBGP's, or returns it if it ends the session.
func (p *parsed) note(err error) error {
	e, ok := err.(*bgp.MessageError)
	if !ok {
		return malformed(bgp.BGP_ERROR_SUB_MALFORMED_ATTRIBUTE_LIST, nil, "%v", err)
	}
	switch e.ErrorHandling {
	case bgp.ERROR_HANDLING_NONE:
	case bgp.ERROR_HANDLING_ATTRIBUTE_DISCARD:
		if !p.withdraw {
			p.err = e.Message
		}
	case bgp.ERROR_HANDLING_TREAT_AS_WITHDRAW:
		p.withdraw, p.err = true, e.Message
	default:
		return &fault{e.TypeCode, e.SubTypeCode, e.Data, e.Message}
	}
	return nil
}
