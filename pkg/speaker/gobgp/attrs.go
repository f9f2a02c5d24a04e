package gobgp

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// parsed is a set of attributes on its way.
type parsed struct {
	attrs   route.Attrs
	seen    [256]bool
	as4Path route.ASPath
	as4Aggr route.Aggregator
	err     *speaker.Malformed // the first of the strongest errors
}

// parseAttrs decodes attributes, which walk has seen to fit, and sorts their
// errors as RFC 7606 does: the session ends for one that is returned.
func (d *decoder) parseAttrs(raw []byte) (*parsed, error) {
	p := new(parsed)
	for len(raw) > 0 {
		size, value, _ := frameAttr(raw)
		if err := d.attribute(p, raw[:size], value); err != nil {
			return nil, err
		}
		raw = raw[size:]
	}
	if d.twoOctet {
		p.mergeAS4()
	}
	return p, nil
}

// attribute takes over one attribute. Of those that appear twice the first
// counts (RFC 7606 3 g), also where it is malformed.
func (d *decoder) attribute(p *parsed, attr, value []byte) error {
	flags, typ := attr[0], attr[1]
	if p.seen[typ] {
		p.note(found(speaker.AttributeDiscard, speaker.Duplicate, typ, "%s appears twice (RFC 7606 3 g)", attrName(typ)))
		return nil
	}
	p.seen[typ] = true
	if int(typ) >= len(attributes) || attributes[typ].read == nil {
		return p.unknown(attr, value)
	}
	rule := &attributes[typ]
	if rule.as4 && !d.twoOctet {
		p.note(found(speaker.AttributeDiscard, speaker.WrongValue, typ, "%s from a neighbor with 4-octet ASNs (RFC 6793 6)", rule.name))
		return nil
	}
	dropped := rule.internal && !d.internal
	into := p
	if dropped {
		into = new(parsed) // read only to report what is wrong with it
	}
	m := rule.check(flags, typ, len(value))
	if m == nil {
		m = rule.read(rule, d, into, value)
	}
	if m == nil {
		return nil
	}
	m.Attribute = typ
	if dropped {
		m.Action = speaker.AttributeDiscard
	}
	p.note(m)
	return nil
}

// found is an error of the attribute typ. The text has names, numbers and the
// rule only, so it stays short whatever was received.
func found(action speaker.Action, class speaker.Class, typ uint8, format string, args ...any) *speaker.Malformed {
	return &speaker.Malformed{Action: action, Class: class, Attribute: typ, Text: fmt.Sprintf(format, args...)}
}

// note records an error.
func (p *parsed) note(m *speaker.Malformed) { p.err = strongest(p.err, m) }

// strongest is the error that decides what becomes of an UPDATE with both; a if
// they are equally strong (RFC 7606 3 h).
func strongest(a, b *speaker.Malformed) *speaker.Malformed {
	if a == nil || b != nil && b.Action > a.Action {
		return b
	}
	return a
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

// missing is what keeps the set from belonging to a route: an attribute that
// every route has is absent (RFC 7606 3 d), or the next hop is no host.
func (d *decoder) missing(p *parsed) *speaker.Malformed {
	absent := func(typ bgp.BGPAttrType) *speaker.Malformed {
		return found(speaker.TreatAsWithdraw, speaker.Missing, uint8(typ), "%s is missing (RFC 7606 3 d)", attrName(uint8(typ)))
	}
	hop := p.attrs.NextHop
	switch {
	case !p.seen[bgp.BGP_ATTR_TYPE_ORIGIN]:
		return absent(bgp.BGP_ATTR_TYPE_ORIGIN)
	case !p.seen[bgp.BGP_ATTR_TYPE_AS_PATH]:
		return absent(bgp.BGP_ATTR_TYPE_AS_PATH)
	case !hop.IsValid():
		return absent(bgp.BGP_ATTR_TYPE_NEXT_HOP)
	case !d.isHost(hop):
		return found(speaker.TreatAsWithdraw, speaker.WrongValue, uint8(bgp.BGP_ATTR_TYPE_NEXT_HOP), "next hop %s is no host address (RFC 4271 6.3)", hop)
	}
	return nil
}

// isHost reports whether a next hop can be the address of a router: global in
// IPv6 (RFC 2545 3), and of the loopback only where both ends are there.
func (d *decoder) isHost(a netip.Addr) bool {
	switch {
	case a.IsLoopback():
		return d.loopback
	case a.Is4():
		first := a.As4()[0]
		return first != 0 && first < 224 // networks 0, D and E
	}
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast()
}

// unknown keeps an attribute nvad does not interpret if it is optional
// transitive, with the Partial bit set (RFC 4271 5). The flags that have no
// meaning are cleared (RFC 4271 4.3). One that claims to be well-known ends the
// session (RFC 4271 6.3).
func (p *parsed) unknown(attr, value []byte) error {
	switch flags := attr[0]; {
	case flags&flagOptional == 0:
		return malformed(bgp.BGP_ERROR_SUB_UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE, attr,
			speaker.UnknownWellKnown, attr[1], "unrecognized well-known attribute %d", attr[1])
	case flags&flagTransitive != 0:
		p.attrs.Unknown = append(p.attrs.Unknown, route.Unknown{
			Flags: flagOptional | flagTransitive | flagPartial, Type: attr[1], Value: string(value),
		})
		slices.SortFunc(p.attrs.Unknown, func(a, b route.Unknown) int { return cmp.Compare(a.Type, b.Type) })
	}
	return nil
}
