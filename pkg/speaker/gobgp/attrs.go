package gobgp

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/route"
)

// attribute takes over one attribute that GoBGP has parsed.
func (d *decoder) attribute(p *parsed, a bgp.PathAttributeInterface) {
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
	case *bgp.PathAttributeAtomicAggregate:
		p.attrs.AtomicAggregate = true
	case *bgp.PathAttributeAggregator:
		p.attrs.Aggregator = route.Aggregator{ASN: a.Value.AS, Address: a.Value.Address}
	case *bgp.PathAttributeCommunities:
		p.attrs.Communities = communities(a.Value)
	case *bgp.PathAttributeExtendedCommunities:
		_, value := p.octets(a.GetType())
		p.attrs.ExtCommunities = extCommunities(value)
	case *bgp.PathAttributeLargeCommunities:
		p.attrs.LargeCommunities = largeCommunities(a)
	case *bgp.PathAttributeAs4Path:
		for _, s := range a.Value {
			p.as4Path = append(p.as4Path, route.Segment{Type: route.SegmentType(s.Type), ASNs: slices.Clone(s.AS)})
		}
	case *bgp.PathAttributeAs4Aggregator:
		p.as4Aggr = route.Aggregator{ASN: a.Value.AS, Address: a.Value.Address}
	default:
		if !d.internalOnly(p, a) {
			p.other(a)
		}
	}
}

// internalOnly takes over the attributes that only iBGP carries. From an
// external neighbor they are discarded (RFC 7606 7.5, 7.9, 7.10).
func (d *decoder) internalOnly(p *parsed, a bgp.PathAttributeInterface) bool {
	switch a := a.(type) {
	case *bgp.PathAttributeLocalPref:
		if d.internal {
			p.attrs.LocalPref = route.Some(a.Value)
		}
	case *bgp.PathAttributeOriginatorId:
		if d.internal {
			p.attrs.OriginatorID = a.Value
		}
	case *bgp.PathAttributeClusterList:
		if d.internal {
			p.attrs.ClusterList = slices.Clone(a.Value)
		}
	default:
		return false
	}
	return true
}

// other keeps what nvad does not interpret, if it is optional transitive, with
// the Partial bit set (RFC 4271 5). The octets are those received: GoBGP knows
// some of these attributes, but need not write them as they were.
func (p *parsed) other(a bgp.PathAttributeInterface) {
	flags, value := p.octets(a.GetType())
	if uint8(a.GetType()) == attrOTC && len(value) == 4 {
		p.attrs.OTC = route.Some(binary.BigEndian.Uint32(value))
		return
	}
	if flags&(flagOptional|flagTransitive) != flagOptional|flagTransitive {
		return
	}
	p.attrs.Unknown = append(p.attrs.Unknown, route.Unknown{
		Flags: flags&^flagExtended | flagPartial, Type: uint8(a.GetType()), Value: string(value),
	})
	slices.SortFunc(p.attrs.Unknown, func(a, b route.Unknown) int { return cmp.Compare(a.Type, b.Type) })
}

// octets returns the first attribute of a type as received.
func (p *parsed) octets(typ bgp.BGPAttrType) (flags uint8, value []byte) {
	for b := p.raw; len(b) > 0; {
		size, v, why := frameAttr(b)
		if why != "" {
			break
		}
		if b[1] == uint8(typ) {
			return b[0], v
		}
		b = b[size:]
	}
	return 0, nil
}

func communities(in []uint32) []route.Community {
	out := make([]route.Community, len(in))
	for i, c := range in {
		out[i] = route.Community(c)
	}
	return route.SortedSet(out)
}

// extCommunities reads EXTENDED COMMUNITIES (RFC 4360), whose length GoBGP has
// found to be a multiple of 8.
func extCommunities(value []byte) []route.ExtCommunity {
	out := make([]route.ExtCommunity, 0, len(value)/8)
	for ; len(value) >= 8; value = value[8:] {
		out = append(out, route.ExtCommunity(binary.BigEndian.Uint64(value)))
	}
	return route.SortedSet(out)
}

func largeCommunities(a *bgp.PathAttributeLargeCommunities) []route.LargeCommunity {
	out := make([]route.LargeCommunity, 0, len(a.Values))
	for _, c := range a.Values {
		out = append(out, route.LargeCommunity{Global: c.ASN, Local1: c.LocalData1, Local2: c.LocalData2})
	}
	slices.SortFunc(out, route.LargeCommunity.Compare)
	return slices.Compact(out)
}

// mergeAS4 restores the 4-octet ASNs that a 2-octet neighbor has passed on in
// AS4_PATH and AS4_AGGREGATOR (RFC 6793 4.2.3).
func (p *parsed) mergeAS4() {
	if p.attrs.Aggregator.Address.IsValid() {
		if p.attrs.Aggregator.ASN != bgp.AS_TRANS {
			return // aggregated by somebody who did not know AS4_PATH
		}
		if p.as4Aggr.Address.IsValid() {
			p.attrs.Aggregator = p.as4Aggr
		}
	}
	as4 := slices.DeleteFunc(slices.Clone(p.as4Path), func(s route.Segment) bool {
		return s.Type == route.ASConfedSequence || s.Type == route.ASConfedSet
	})
	extra := p.attrs.ASPath.Len() - as4.Len()
	if len(as4) == 0 || extra < 0 {
		return
	}
	p.attrs.ASPath = joinSequences(leading(p.attrs.ASPath, extra), as4)
}

// leading is the part of p before all but its first n ASNs, counted as in the
// decision process.
func leading(p route.ASPath, n int) route.ASPath {
	var out route.ASPath
	for _, s := range p {
		switch {
		case s.Type == route.ASConfedSequence || s.Type == route.ASConfedSet:
			out = append(out, s)
		case n <= 0:
			return out
		case s.Type == route.ASSet:
			out = append(out, s)
			n--
		default:
			k := min(n, len(s.ASNs))
			out = append(out, route.Segment{Type: s.Type, ASNs: s.ASNs[:k]})
			n -= k
		}
	}
	return out
}

// joinSequences concatenates two paths, and the sequences where they meet.
func joinSequences(a, b route.ASPath) route.ASPath {
	if len(a) == 0 || len(b) == 0 {
		return append(a, b...)
	}
	last := a[len(a)-1]
	if last.Type != route.ASSequence || b[0].Type != route.ASSequence || len(last.ASNs)+len(b[0].ASNs) > 255 {
		return append(a, b...)
	}
	joined := route.Segment{Type: route.ASSequence, ASNs: slices.Concat(last.ASNs, b[0].ASNs)}
	return append(append(slices.Clone(a[:len(a)-1]), joined), b[1:]...)
}

// attrCache finds attribute sets by their octets. It keeps two generations and
// drops the older when the younger is full, so that it is bounded and what is
// in use stays.
type attrCache struct {
	young, old map[string]*route.Attrs
}

const cacheGeneration = 4096

func (c *attrCache) get(key []byte) *route.Attrs {
	if a := c.young[string(key)]; a != nil {
		return a
	}
	a := c.old[string(key)]
	if a != nil {
		c.put(key, a)
	}
	return a
}

func (c *attrCache) put(key []byte, a *route.Attrs) {
	if c.young == nil || len(c.young) >= cacheGeneration {
		c.young, c.old = make(map[string]*route.Attrs), c.young
	}
	c.young[string(key)] = a
}
