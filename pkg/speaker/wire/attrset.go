package wire

import (
	"cmp"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// parsed is a set of attributes while it is being parsed.
type parsed struct {
	attrs         route.Attrs
	seen          [256]bool
	as4Path       route.ASPath
	as4Aggregator route.Aggregator
	bad           *speaker.Malformed // the first of the strongest errors
}

// attributes returns the set that raw encodes, and what is wrong with it; a set with
// an error that is not merely discarded is nil. mandatory says that routes need the
// set: then ORIGIN, AS_PATH and a next hop must be there.
func (d *Decoder) attributes(raw []byte, nextHop netip.Addr, mandatory bool) (*route.Attrs, *speaker.Malformed, error) {
	d.key = append(d.key[:0], raw...)
	if nextHop.IsValid() {
		d.key = append(d.key, nextHop.AsSlice()...)
	}
	d.key = append(d.key, byte(nextHop.BitLen()))
	if mandatory {
		if attrs := d.cache.get(d.key); attrs != nil {
			return attrs, nil, nil
		}
		if m := d.excess(raw); m != nil {
			return nil, m, nil
		}
	}
	p, err := d.parse(raw)
	if err != nil {
		return nil, nil, err
	}
	if mandatory {
		p.useNextHop(nextHop)
		p.note(d.missing(p))
	}
	if p.bad != nil && p.bad.Action != discard {
		return nil, p.bad, nil
	}
	attrs := d.Interner.Intern(p.attrs)
	if p.bad == nil && mandatory {
		d.cache.put(d.key, attrs)
	}
	return attrs, p.bad, nil
}

// excess returns what is too much of a set of attributes that routes need; nil: nothing.
// It looks at the octets alone: a set that is too large is not worth parsing.
func (d *Decoder) excess(raw []byte) *speaker.Malformed {
	if d.MaxAttributes > 0 && len(raw) > d.MaxAttributes {
		return found(withdraw, speaker.OverLimit, 0, "path attributes of more than %d octets (maximum-attribute-octets)", d.MaxAttributes)
	}
	if d.MaxASPath == 0 {
		return nil
	}
	for len(raw) > 0 {
		size, value, bad := frameAttr(raw)
		if bad != nil {
			break
		}
		typ := raw[1]
		if typ == attrASPath && countASNs(value, d.asnLen()) > d.MaxASPath || typ == attrAS4Path && countASNs(value, 4) > d.MaxASPath {
			return found(withdraw, speaker.OverLimit, typ, "%s has more than %d ASNs (maximum-as-path)", attrName(typ), d.MaxASPath)
		}
		raw = raw[size:]
	}
	return nil
}

// parse decodes attributes, whose framing walk has checked. An error that it returns
// ends the session; the others are noted in the set.
func (d *Decoder) parse(raw []byte) (*parsed, error) {
	p := new(parsed)
	for len(raw) > 0 {
		size, value, _ := frameAttr(raw)
		if err := d.attribute(p, raw[:size], value); err != nil {
			return nil, err
		}
		raw = raw[size:]
	}
	if d.TwoOctet {
		p.mergeAS4()
	}
	return p, nil
}

// attribute reads one attribute. Of those that appear twice the first
// counts (RFC 7606 3 g), also where it is malformed.
func (d *Decoder) attribute(p *parsed, attr, value []byte) error {
	flags, typ := attr[0], attr[1]
	if p.seen[typ] {
		p.note(found(discard, speaker.Duplicate, typ, "%s appears twice (RFC 7606 3 g)", attrName(typ)))
		return nil
	}
	p.seen[typ] = true
	if int(typ) >= len(attributes) || attributes[typ].read == nil {
		return p.unknown(attr, value)
	}
	rule := &attributes[typ]
	if rule.as4 && !d.TwoOctet {
		p.note(found(discard, speaker.WrongValue, typ, "%s from a neighbor with 4-octet ASNs (RFC 6793 6)", rule.name))
		return nil
	}
	dropped := rule.internal && !d.Internal
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
		m.Action = discard
	}
	p.note(m)
	return nil
}

// note records an error.
func (p *parsed) note(m *speaker.Malformed) { p.bad = strongest(p.bad, m) }

// unknown keeps an attribute nvad does not interpret if it is optional
// transitive, with the Partial bit set (RFC 4271 5). The flags that have no
// meaning are cleared (RFC 4271 4.3). One that claims to be well-known ends the
// session (RFC 4271 6.3).
func (p *parsed) unknown(attr, value []byte) error {
	switch flags := attr[0]; {
	case flags&flagOptional == 0:
		return updateFault(unrecognizedWellKnown, attr, speaker.UnknownWellKnown, attr[1], "unrecognized well-known attribute %d", attr[1])
	case flags&flagTransitive != 0:
		p.attrs.Unknown = append(p.attrs.Unknown, route.Unknown{
			Flags: flagOptional | flagTransitive | flagPartial, Type: attr[1], Value: string(value),
		})
		slices.SortFunc(p.attrs.Unknown, func(a, b route.Unknown) int { return cmp.Compare(a.Type, b.Type) })
	}
	return nil
}

// useNextHop puts the next hop of MP_REACH_NLRI in the place of NEXT_HOP, which has no
// meaning beside it (RFC 4760 3).
func (p *parsed) useNextHop(nextHop netip.Addr) {
	if nextHop.IsValid() {
		p.attrs.NextHop = nextHop
	} else if !p.attrs.NextHop.Is4() {
		p.attrs.NextHop = netip.Addr{}
	}
}

// missing returns why routes can't have the set: an attribute that every route has is
// absent (RFC 7606 3 d), or the next hop can't be the address of a host.
func (d *Decoder) missing(p *parsed) *speaker.Malformed {
	absent := uint8(0)
	switch hop := p.attrs.NextHop; {
	case !p.seen[attrOrigin]:
		absent = attrOrigin
	case !p.seen[attrASPath]:
		absent = attrASPath
	case !hop.IsValid():
		absent = attrNextHop
	case !d.isHost(hop):
		return found(withdraw, speaker.WrongValue, attrNextHop, "next hop %s is no host address (RFC 4271 6.3)", hop)
	default:
		return nil
	}
	return found(withdraw, speaker.Missing, absent, "%s is missing (RFC 7606 3 d)", attrName(absent))
}

// isHost reports whether a next hop can be the address of a router: global in
// IPv6 (RFC 2545 3), and of the loopback only if both ends of the session are there.
func (d *Decoder) isHost(a netip.Addr) bool {
	switch {
	case a.IsLoopback():
		return d.Loopback
	case a.Is4():
		first := a.As4()[0]
		return first != 0 && first < 224 // networks 0, D and E
	}
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast()
}

// attrCache finds attribute sets by their octets. It keeps two generations and
// drops the older when the younger is full, so that it is bounded and the sets in
// use stay. Its bound is in octets, because the neighbor chooses how large a set is.
type attrCache struct {
	young, old generation
	held       atomic.Int64 // octets of both
}

type generation struct {
	sets   map[string]*route.Attrs
	octets int
}

const (
	// generationOctets is room for some 2,000 sets of usual size.
	generationOctets = 1 << 20
	// largestCached is the largest set that is cached: a larger one would push many
	// out, and parsing it costs its sender as much as nvad.
	largestCached = generationOctets / 16
	// entryOctets is the memory of an entry besides its key and its set.
	entryOctets = 48
)

func (c *attrCache) get(key []byte) *route.Attrs {
	if a := c.young.sets[string(key)]; a != nil {
		return a
	}
	a := c.old.sets[string(key)]
	if a != nil {
		c.put(key, a)
	}
	return a
}

func (c *attrCache) put(key []byte, a *route.Attrs) {
	size := entryOctets + len(key) + a.Octets()
	if size > largestCached {
		return
	}
	if c.young.sets == nil || c.young.octets+size > generationOctets {
		c.young, c.old = generation{sets: make(map[string]*route.Attrs)}, c.young
	}
	c.young.sets[string(key)] = a
	c.young.octets += size
	c.held.Store(int64(c.young.octets + c.old.octets))
}
