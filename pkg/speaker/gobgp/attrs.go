package gobgp

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/route"
)

// parsed is a set of attributes on its way.
type parsed struct {
	attrs    route.Attrs
	seen     [256]bool
	as4Path  route.ASPath
	as4Aggr  route.Aggregator
	withdraw bool
	err      string
}

// parseAttrs decodes attributes and sorts their errors as RFC 7606 does: the
// session ends for those that are returned.
func (d *decoder) parseAttrs(raw []byte) (*parsed, error) {
	p := new(parsed)
	body := make([]byte, 4, 4+len(raw)) // of an UPDATE without routes
	for len(raw) > 0 {
		size, value, _ := frameAttr(raw) // walk has seen that it fits
		attr := raw[:size]
		raw = raw[size:]
		typ := attr[1]
		if p.seen[typ] {
			p.discard("path attribute appears twice")
			continue
		}
		p.seen[typ] = true
		if parsedByGoBGP(bgp.BGPAttrType(typ)) {
			if d.twoOctet || !isAS4(bgp.BGPAttrType(typ)) {
				body = append(body, attr...)
			}
			continue
		}
		if err := p.own(attr, value); err != nil {
			return nil, err
		}
	}
	binary.BigEndian.PutUint16(body[2:], uint16(len(body)-4))
	return p, d.parseBasic(p, body)
}

// parsedByGoBGP reports whether GoBGP's parser sees an attribute: those of RFC
// 4271, 1997, 4456 and 6793. Others carry what nvad does not look at or, like
// the types of extended communities, need not be known to be passed on.
func parsedByGoBGP(typ bgp.BGPAttrType) bool {
	return typ >= bgp.BGP_ATTR_TYPE_ORIGIN && typ <= bgp.BGP_ATTR_TYPE_CLUSTER_LIST || isAS4(typ)
}

// isAS4 reports whether the attribute has a meaning only from a neighbor
// without 4-octet ASNs (RFC 6793 6).
func isAS4(typ bgp.BGPAttrType) bool {
	return typ == bgp.BGP_ATTR_TYPE_AS4_PATH || typ == bgp.BGP_ATTR_TYPE_AS4_AGGREGATOR
}

// parseBasic lets GoBGP parse and validate attributes.
func (d *decoder) parseBasic(p *parsed, body []byte) error {
	update := &bgp.BGPUpdate{}
	if err := update.DecodeFromBytes(body, &bgp.MarshallingOption{Use2ByteAS: d.twoOctet}); err != nil {
		if err := p.note(err); err != nil {
			return err
		}
	}
	if p.withdraw {
		return nil // what failed to parse is not fit to be validated
	}
	if _, err := bgp.ValidateUpdateMsg(update, nil, !d.internal, false, d.loopback); err != nil {
		if err := p.note(err); err != nil {
			return err
		}
	}
	for _, a := range update.PathAttributes {
		d.basic(p, a)
	}
	if d.twoOctet {
		p.mergeAS4()
	}
	return nil
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
		p.discard(e.Message)
	case bgp.ERROR_HANDLING_TREAT_AS_WITHDRAW:
		p.treatAsWithdraw(e.Message)
	default:
		return &fault{e.TypeCode, e.SubTypeCode, e.Data, e.Message}
	}
	return nil
}

func (p *parsed) discard(why string) {
	if !p.withdraw {
		p.err = why
	}
}

func (p *parsed) treatAsWithdraw(why string) { p.withdraw, p.err = true, why }

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

// basic takes over one attribute that GoBGP has parsed. LOCAL_PREF, ORIGINATOR_ID
// and CLUSTER_LIST of an external neighbor are discarded (RFC 7606 7.5, 7.9,
// 7.10).
func (d *decoder) basic(p *parsed, a bgp.PathAttributeInterface) {
	switch a := a.(type) {
	case *bgp.PathAttributeOrigin:
		p.attrs.Origin = route.Origin(a.Value)
	case *bgp.PathAttributeAsPath:
		for _, s := range a.Value {
			p.attrs.ASPath = append(p.attrs.ASPath, route.Segment{Type: route.SegmentType(s.GetType()), ASNs: slices.Clone(s.GetAS())})
		}
	case *bgp.PathAttributeNextHop:
		p.attrs.NextHop = a.Value
	case *bgp.PathAttributeMultiExitDisc:
		p.attrs.MED = route.Some(a.Value)
	case *bgp.PathAttributeLocalPref:
		if d.internal {
			p.attrs.LocalPref = route.Some(a.Value)
		}
	case *bgp.PathAttributeAtomicAggregate:
		p.attrs.AtomicAggregate = true
	case *bgp.PathAttributeAggregator:
		p.attrs.Aggregator = route.Aggregator{ASN: a.Value.AS, Address: a.Value.Address}
	case *bgp.PathAttributeCommunities:
		p.attrs.Communities = communities(a.Value)
	case *bgp.PathAttributeOriginatorId:
		if d.internal {
			p.attrs.OriginatorID = a.Value
		}
	case *bgp.PathAttributeClusterList:
		if d.internal {
			p.attrs.ClusterList = slices.Clone(a.Value)
		}
	case *bgp.PathAttributeAs4Path:
		for _, s := range a.Value {
			p.as4Path = append(p.as4Path, route.Segment{Type: route.SegmentType(s.Type), ASNs: slices.Clone(s.AS)})
		}
	case *bgp.PathAttributeAs4Aggregator:
		p.as4Aggr = route.Aggregator{ASN: a.Value.AS, Address: a.Value.Address}
	}
}

// own takes over an attribute that GoBGP does not see.
func (p *parsed) own(attr, value []byte) error {
	flags, typ := attr[0]&^(flagExtended|flagPartial), attr[1]
	unit := 0
	switch typ {
	case uint8(bgp.BGP_ATTR_TYPE_EXTENDED_COMMUNITIES):
		unit = 8
	case uint8(bgp.BGP_ATTR_TYPE_LARGE_COMMUNITY):
		unit = 12
	case attrOTC:
		unit = 4
	default:
		return p.unknown(attr, value)
	}
	// RFC 7606 3 c and 7.14, RFC 8092 5, RFC 9234 5.
	if flags != flagOptional|flagTransitive {
		p.treatAsWithdraw(fmt.Sprintf("path attribute %d has flags %#02x", typ, attr[0]))
		return nil
	}
	if len(value) == 0 || len(value)%unit != 0 || typ == attrOTC && len(value) != unit {
		p.treatAsWithdraw(fmt.Sprintf("path attribute %d has %d octets", typ, len(value)))
		return nil
	}
	switch typ {
	case uint8(bgp.BGP_ATTR_TYPE_EXTENDED_COMMUNITIES):
		p.attrs.ExtCommunities = extCommunities(value)
	case uint8(bgp.BGP_ATTR_TYPE_LARGE_COMMUNITY):
		p.attrs.LargeCommunities = largeCommunities(value)
	case attrOTC:
		p.attrs.OTC = route.Some(binary.BigEndian.Uint32(value))
	}
	return nil
}

// unknown keeps an attribute nvad does not interpret if it is optional
// transitive, with the Partial bit set (RFC 4271 5). One that claims to be
// well-known ends the session (RFC 4271 6.3).
func (p *parsed) unknown(attr, value []byte) error {
	switch flags := attr[0]; {
	case flags&flagOptional == 0:
		return malformed(bgp.BGP_ERROR_SUB_UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE, attr, "unrecognized well-known attribute %d", attr[1])
	case flags&flagTransitive != 0:
		p.attrs.Unknown = append(p.attrs.Unknown, route.Unknown{
			Flags: flags&^flagExtended | flagPartial, Type: attr[1], Value: string(value),
		})
		slices.SortFunc(p.attrs.Unknown, func(a, b route.Unknown) int { return cmp.Compare(a.Type, b.Type) })
	}
	return nil
}

func communities(in []uint32) []route.Community {
	out := make([]route.Community, len(in))
	for i, c := range in {
		out[i] = route.Community(c)
	}
	return route.SortedSet(out)
}

func extCommunities(value []byte) []route.ExtCommunity {
	out := make([]route.ExtCommunity, 0, len(value)/8)
	for ; len(value) >= 8; value = value[8:] {
		out = append(out, route.ExtCommunity(binary.BigEndian.Uint64(value)))
	}
	return route.SortedSet(out)
}

func largeCommunities(value []byte) []route.LargeCommunity {
	out := make([]route.LargeCommunity, 0, len(value)/12)
	u32 := binary.BigEndian.Uint32
	for ; len(value) >= 12; value = value[12:] {
		out = append(out, route.LargeCommunity{Global: u32(value), Local1: u32(value[4:]), Local2: u32(value[8:])})
	}
	slices.SortFunc(out, route.LargeCommunity.Compare)
	return slices.Compact(out)
}
