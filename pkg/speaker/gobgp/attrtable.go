package gobgp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// attribute says how one type of path attribute is read. The length is exact,
// or a multiple other than 0; where neither is given, read looks at it.
type attribute struct {
	name     string
	section  string         // of the rule about length and value
	flags    uint8          // the Optional and Transitive bits of its type
	exact    int            // octets
	multiple int            // octets
	internal bool           // discarded if an external neighbor sends it, whatever it holds
	as4      bool           // has a meaning only from a neighbor without 4-octet ASNs
	action   speaker.Action // for a wrong length or value
	read     func(a *attribute, d *decoder, p *parsed, v []byte) *speaker.Malformed
}

const (
	wellKnown  = flagTransitive
	optional   = flagOptional
	transitive = flagOptional | flagTransitive
	withdraw   = speaker.TreatAsWithdraw
	discard    = speaker.AttributeDiscard
)

// attributes are the types that nvad interprets, by type code. Others are passed
// on unread, or dropped, as their flags say. MP_REACH_NLRI and MP_UNREACH_NLRI
// are read before, see walk.
var attributes = [...]attribute{
	bgp.BGP_ATTR_TYPE_ORIGIN:           {name: "ORIGIN", section: "RFC 7606 7.1", flags: wellKnown, exact: 1, action: withdraw, read: (*attribute).readOrigin},
	bgp.BGP_ATTR_TYPE_AS_PATH:          {name: "AS_PATH", section: "RFC 7606 7.2", flags: wellKnown, action: withdraw, read: (*attribute).readPath},
	bgp.BGP_ATTR_TYPE_NEXT_HOP:         {name: "NEXT_HOP", section: "RFC 7606 7.3", flags: wellKnown, exact: 4, action: withdraw, read: (*attribute).readNextHop},
	bgp.BGP_ATTR_TYPE_MULTI_EXIT_DISC:  {name: "MULTI_EXIT_DISC", section: "RFC 7606 7.4", flags: optional, exact: 4, action: withdraw, read: (*attribute).readMED},
	bgp.BGP_ATTR_TYPE_LOCAL_PREF:       {name: "LOCAL_PREF", section: "RFC 7606 7.5", flags: wellKnown, exact: 4, internal: true, action: withdraw, read: (*attribute).readLocalPref},
	bgp.BGP_ATTR_TYPE_ATOMIC_AGGREGATE: {name: "ATOMIC_AGGREGATE", section: "RFC 7606 7.6", flags: wellKnown, action: discard, read: (*attribute).readAtomic},
	bgp.BGP_ATTR_TYPE_AGGREGATOR:       {name: "AGGREGATOR", section: "RFC 7606 7.7", flags: transitive, action: discard, read: (*attribute).readAggregator},
	bgp.BGP_ATTR_TYPE_COMMUNITIES:      {name: "COMMUNITIES", section: "RFC 7606 7.8", flags: transitive, multiple: 4, action: withdraw, read: (*attribute).readCommunities},
	bgp.BGP_ATTR_TYPE_ORIGINATOR_ID:    {name: "ORIGINATOR_ID", section: "RFC 7606 7.9", flags: optional, exact: 4, internal: true, action: withdraw, read: (*attribute).readOriginator},
	bgp.BGP_ATTR_TYPE_CLUSTER_LIST:     {name: "CLUSTER_LIST", section: "RFC 7606 7.10", flags: optional, multiple: 4, internal: true, action: withdraw, read: (*attribute).readClusters},
	bgp.BGP_ATTR_TYPE_MP_REACH_NLRI:    {name: "MP_REACH_NLRI", flags: optional},
	bgp.BGP_ATTR_TYPE_MP_UNREACH_NLRI:  {name: "MP_UNREACH_NLRI", flags: optional},
	bgp.BGP_ATTR_TYPE_EXTENDED_COMMUNITIES: {name: "EXTENDED COMMUNITIES", section: "RFC 7606 7.14", flags: transitive, multiple: 8, action: withdraw,
		read: (*attribute).readExtCommunities},
	bgp.BGP_ATTR_TYPE_AS4_PATH:        {name: "AS4_PATH", section: "RFC 6793 6", flags: transitive, as4: true, action: discard, read: (*attribute).readAS4Path},
	bgp.BGP_ATTR_TYPE_AS4_AGGREGATOR:  {name: "AS4_AGGREGATOR", section: "RFC 6793 6", flags: transitive, exact: 8, as4: true, action: discard, read: (*attribute).readAS4Aggregator},
	bgp.BGP_ATTR_TYPE_LARGE_COMMUNITY: {name: "LARGE_COMMUNITY", section: "RFC 8092 5", flags: transitive, multiple: 12, action: withdraw, read: (*attribute).readLarge},
	attrOTC:                           {name: "ONLY_TO_CUSTOMER", section: "RFC 9234 5", flags: transitive, exact: 4, action: withdraw, read: (*attribute).readOTC},
}

// attrName is the name of a type of attribute, or its number.
func attrName(typ uint8) string {
	if int(typ) < len(attributes) && attributes[typ].name != "" {
		return attributes[typ].name
	}
	return "attribute " + strconv.Itoa(int(typ))
}

// check is what is wrong with the flags, or with a length that the table gives.
func (a *attribute) check(flags, typ uint8, length int) *speaker.Malformed {
	if m := checkFlags(flags, typ); m != nil {
		return m
	}
	if a.exact > 0 && length != a.exact || a.multiple > 0 && (length == 0 || length%a.multiple != 0) {
		return a.wrongLength(length)
	}
	return nil
}

// checkFlags compares the flags of an attribute with those of its type (RFC 7606
// 3 c). Partial may be set only on what is optional and transitive; the lower
// four bits have no meaning (RFC 4271 4.3).
func checkFlags(flags, typ uint8) *speaker.Malformed {
	want := attributes[typ].flags
	if flags&transitive != want || flags&flagPartial != 0 && want != transitive {
		return found(withdraw, speaker.WrongFlags, typ, "%s has flags %#02x (RFC 7606 3 c)", attributes[typ].name, flags&0xf0)
	}
	return nil
}

func (a *attribute) wrongLength(n int) *speaker.Malformed {
	unit := " octets"
	if n == 1 {
		unit = " octet"
	}
	return a.wrong(speaker.WrongLength, "has "+strconv.Itoa(n)+unit, a.section)
}

// wrong is an error in the length or the value.
func (a *attribute) wrong(class speaker.Class, what, rule string) *speaker.Malformed {
	return found(a.action, class, 0, "%s %s (%s)", a.name, what, rule)
}

func (a *attribute) readOrigin(_ *decoder, p *parsed, v []byte) *speaker.Malformed {
	if v[0] > uint8(route.OriginIncomplete) {
		return a.wrong(speaker.WrongValue, "is "+strconv.Itoa(int(v[0])), a.section)
	}
	p.attrs.Origin = route.Origin(v[0])
	return nil
}

// readPath reads AS_PATH. nvad is in no confederation, so no neighbor may send
// it such segments (RFC 5065 5).
func (a *attribute) readPath(d *decoder, p *parsed, v []byte) (m *speaker.Malformed) {
	width := 4
	if d.twoOctet {
		width = 2
	}
	path, m := a.path(v, width)
	switch {
	case m != nil:
		return m
	case path.HasConfed():
		return a.wrong(speaker.WrongValue, "has a confederation segment", "RFC 5065 5")
	}
	p.attrs.ASPath = path
	return nil
}

func (a *attribute) readNextHop(_ *decoder, p *parsed, v []byte) *speaker.Malformed {
	p.attrs.NextHop, _ = netip.AddrFromSlice(v)
	return nil
}

func (a *attribute) readMED(_ *decoder, p *parsed, v []byte) *speaker.Malformed {
	p.attrs.MED = route.Some(binary.BigEndian.Uint32(v))
	return nil
}

func (a *attribute) readLocalPref(_ *decoder, p *parsed, v []byte) *speaker.Malformed {
	p.attrs.LocalPref = route.Some(binary.BigEndian.Uint32(v))
	return nil
}

func (a *attribute) readAtomic(_ *decoder, p *parsed, v []byte) *speaker.Malformed {
	if len(v) > 0 {
		return a.wrongLength(len(v))
	}
	p.attrs.AtomicAggregate = true
	return nil
}

func (a *attribute) readAggregator(d *decoder, p *parsed, v []byte) *speaker.Malformed {
	width := 4
	if d.twoOctet {
		width = 2
	}
	if len(v) != width+4 {
		return a.wrongLength(len(v))
	}
	return a.aggregator(&p.attrs.Aggregator, v)
}

// aggregator reads an ASN of two or four octets and an address behind it.
func (a *attribute) aggregator(into *route.Aggregator, v []byte) *speaker.Malformed {
	n := len(v) - 4
	asn := readASN(v[:n])
	if asn == 0 {
		return a.wrong(speaker.WrongValue, "has AS 0", "RFC 7607 2")
	}
	into.ASN = asn
	into.Address, _ = netip.AddrFromSlice(v[n:])
	return nil
}

func readASN(v []byte) uint32 {
	if len(v) == 2 {
		return uint32(binary.BigEndian.Uint16(v))
	}
	return binary.BigEndian.Uint32(v)
}

func (a *attribute) readCommunities(_ *decoder, p *parsed, v []byte) *speaker.Malformed {
	out := make([]route.Community, 0, len(v)/4)
	for ; len(v) > 0; v = v[4:] {
		out = append(out, route.Community(binary.BigEndian.Uint32(v)))
	}
	p.attrs.Communities = route.SortedSet(out)
	return nil
}

func (a *attribute) readOriginator(_ *decoder, p *parsed, v []byte) *speaker.Malformed {
	p.attrs.OriginatorID, _ = netip.AddrFromSlice(v)
	return nil
}

func (a *attribute) readClusters(_ *decoder, p *parsed, v []byte) *speaker.Malformed {
	p.attrs.ClusterList = make([]netip.Addr, 0, len(v)/4)
	for ; len(v) > 0; v = v[4:] {
		p.attrs.ClusterList = append(p.attrs.ClusterList, netip.AddrFrom4([4]byte(v)))
	}
	return nil
}

func (a *attribute) readExtCommunities(_ *decoder, p *parsed, v []byte) *speaker.Malformed {
	out := make([]route.ExtCommunity, 0, len(v)/8)
	for ; len(v) > 0; v = v[8:] {
		out = append(out, route.ExtCommunity(binary.BigEndian.Uint64(v)))
	}
	p.attrs.ExtCommunities = route.SortedSet(out)
	return nil
}

func (a *attribute) readLarge(_ *decoder, p *parsed, v []byte) *speaker.Malformed {
	out := make([]route.LargeCommunity, 0, len(v)/12)
	u32 := binary.BigEndian.Uint32
	for ; len(v) > 0; v = v[12:] {
		out = append(out, route.LargeCommunity{Global: u32(v), Local1: u32(v[4:]), Local2: u32(v[8:])})
	}
	slices.SortFunc(out, route.LargeCommunity.Compare)
	p.attrs.LargeCommunities = slices.Compact(out)
	return nil
}

func (a *attribute) readOTC(_ *decoder, p *parsed, v []byte) *speaker.Malformed {
	p.attrs.OTC = route.Some(binary.BigEndian.Uint32(v))
	return nil
}
