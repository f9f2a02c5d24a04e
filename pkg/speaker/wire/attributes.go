package wire

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Flags of path attributes (RFC 4271 4.3), and the three kinds they make.
const (
	flagOptional   = 0x80
	flagTransitive = 0x40
	flagPartial    = 0x20
	flagExtended   = 0x10

	wellKnown  = flagTransitive
	optional   = flagOptional
	transitive = flagOptional | flagTransitive
)

// Types of path attributes.
const (
	attrOrigin           = 1
	attrASPath           = 2
	attrNextHop          = 3
	attrMED              = 4
	attrLocalPref        = 5
	attrAtomicAggregate  = 6
	attrAggregator       = 7
	attrCommunities      = 8
	attrOriginatorID     = 9
	attrClusterList      = 10
	attrMPReach          = 14
	attrMPUnreach        = 15
	attrExtCommunities   = 16
	attrAS4Path          = 17
	attrAS4Aggregator    = 18
	attrLargeCommunities = 32
	attrOTC              = 35 // Only to Customer
)

// attribute says how one type of path attribute is read. If the length is neither
// exact nor a multiple, read checks it.
type attribute struct {
	name     string
	section  string         // of the rule about length and value
	flags    uint8          // the Optional and Transitive bits of its type
	exact    int            // octets
	multiple int            // octets, and not 0 of them
	internal bool           // discarded if an external neighbor sends it, whatever it contains
	as4      bool           // has a meaning only from a neighbor without 4-octet ASNs
	action   speaker.Action // for a wrong length or value
	read     reader
}

// reader reads the value v into p, or returns what is wrong with it.
type reader func(a *attribute, d *Decoder, p *parsed, v []byte) *speaker.Malformed

const (
	withdraw = speaker.TreatAsWithdraw
	discard  = speaker.AttributeDiscard
)

// attributes are the rules of RFC 7606 by type code, and the names of types that nvad
// does not interpret: those are passed on unread, or dropped, as their flags say.
// MP_REACH_NLRI and MP_UNREACH_NLRI are read before the others, by Decoder.walk.
var attributes = [...]attribute{
	attrOrigin:           {name: "ORIGIN", section: "RFC 7606 7.1", flags: wellKnown, exact: 1, action: withdraw, read: readOrigin},
	attrASPath:           {name: "AS_PATH", section: "RFC 7606 7.2", flags: wellKnown, action: withdraw, read: readASPath},
	attrNextHop:          {name: "NEXT_HOP", section: "RFC 7606 7.3", flags: wellKnown, exact: 4, action: withdraw, read: address(func(a *route.Attrs) *netip.Addr { return &a.NextHop })},
	attrMED:              {name: "MULTI_EXIT_DISC", section: "RFC 7606 7.4", flags: optional, exact: 4, action: withdraw, read: number(func(a *route.Attrs) *route.Optional { return &a.MED })},
	attrLocalPref:        {name: "LOCAL_PREF", section: "RFC 7606 7.5", flags: wellKnown, exact: 4, internal: true, action: withdraw, read: number(func(a *route.Attrs) *route.Optional { return &a.LocalPref })},
	attrAtomicAggregate:  {name: "ATOMIC_AGGREGATE", section: "RFC 7606 7.6", flags: wellKnown, action: discard, read: readAtomic},
	attrAggregator:       {name: "AGGREGATOR", section: "RFC 7606 7.7", flags: transitive, action: discard, read: readAggregator},
	attrCommunities:      {name: "COMMUNITIES", section: "RFC 7606 7.8", flags: transitive, multiple: 4, action: withdraw, read: readCommunities},
	attrOriginatorID:     {name: "ORIGINATOR_ID", section: "RFC 7606 7.9", flags: optional, exact: 4, internal: true, action: withdraw, read: address(func(a *route.Attrs) *netip.Addr { return &a.OriginatorID })},
	attrClusterList:      {name: "CLUSTER_LIST", section: "RFC 7606 7.10", flags: optional, multiple: 4, internal: true, action: withdraw, read: readClusters},
	attrMPReach:          {name: "MP_REACH_NLRI", flags: optional},
	attrMPUnreach:        {name: "MP_UNREACH_NLRI", flags: optional},
	attrExtCommunities:   {name: "EXTENDED COMMUNITIES", section: "RFC 7606 7.14", flags: transitive, multiple: 8, action: withdraw, read: readExtCommunities},
	attrAS4Path:          {name: "AS4_PATH", section: "RFC 6793 6", flags: transitive, as4: true, action: discard, read: readAS4Path},
	attrAS4Aggregator:    {name: "AS4_AGGREGATOR", section: "RFC 6793 6", flags: transitive, exact: 8, as4: true, action: discard, read: readAS4Aggregator},
	22:                   {name: "PMSI_TUNNEL"},
	23:                   {name: "TUNNEL_ENCAP"},
	26:                   {name: "AIGP"},
	29:                   {name: "LS"},
	attrLargeCommunities: {name: "LARGE_COMMUNITY", section: "RFC 8092 5", flags: transitive, multiple: 12, action: withdraw, read: readLarge},
	attrOTC:              {name: "ONLY_TO_CUSTOMER", section: "RFC 9234 5", flags: transitive, exact: 4, action: withdraw, read: number(func(a *route.Attrs) *route.Optional { return &a.OTC })},
	40:                   {name: "PREFIX_SID"},
}

// attrName returns the name of a type of attribute, or its number.
func attrName(typ uint8) string {
	if int(typ) < len(attributes) && attributes[typ].name != "" {
		return attributes[typ].name
	}
	return "attribute " + strconv.Itoa(int(typ))
}

// check returns what is wrong with the flags, or with a length that the table gives.
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

// wrong returns an error in the length or the value.
func (a *attribute) wrong(class speaker.Class, what, rule string) *speaker.Malformed {
	return found(a.action, class, 0, "%s %s (%s)", a.name, what, rule)
}

// number returns a reader of four octets into a field of the set.
func number(field func(*route.Attrs) *route.Optional) reader {
	return func(_ *attribute, _ *Decoder, p *parsed, v []byte) *speaker.Malformed {
		*field(&p.attrs) = route.Some(binary.BigEndian.Uint32(v))
		return nil
	}
}

// address returns a reader of an IPv4 address into a field of the set.
func address(field func(*route.Attrs) *netip.Addr) reader {
	return func(_ *attribute, _ *Decoder, p *parsed, v []byte) *speaker.Malformed {
		*field(&p.attrs) = netip.AddrFrom4([4]byte(v))
		return nil
	}
}

func readOrigin(a *attribute, _ *Decoder, p *parsed, v []byte) *speaker.Malformed {
	if v[0] > uint8(route.OriginIncomplete) {
		return a.wrong(speaker.WrongValue, "is "+strconv.Itoa(int(v[0])), a.section)
	}
	p.attrs.Origin = route.Origin(v[0])
	return nil
}

func readAtomic(a *attribute, _ *Decoder, p *parsed, v []byte) *speaker.Malformed {
	if len(v) > 0 {
		return a.wrongLength(len(v))
	}
	p.attrs.AtomicAggregate = true
	return nil
}

func readAggregator(a *attribute, d *Decoder, p *parsed, v []byte) *speaker.Malformed {
	if len(v) != d.asnLen()+4 {
		return a.wrongLength(len(v))
	}
	return a.aggregator(&p.attrs.Aggregator, v)
}

func readAS4Aggregator(a *attribute, _ *Decoder, p *parsed, v []byte) *speaker.Malformed {
	return a.aggregator(&p.as4Aggregator, v)
}

// aggregator reads an ASN of two or four octets and the address behind it.
func (a *attribute) aggregator(into *route.Aggregator, v []byte) *speaker.Malformed {
	n := len(v) - 4
	asn := readASN(v[:n])
	if asn == 0 {
		return a.wrong(speaker.WrongValue, "has AS 0", "RFC 7607 2")
	}
	*into = route.Aggregator{ASN: asn, Address: netip.AddrFrom4([4]byte(v[n:]))}
	return nil
}

func readCommunities(_ *attribute, _ *Decoder, p *parsed, v []byte) *speaker.Malformed {
	out := make([]route.Community, 0, len(v)/4)
	for ; len(v) > 0; v = v[4:] {
		out = append(out, route.Community(binary.BigEndian.Uint32(v)))
	}
	p.attrs.Communities = route.SortedSet(out)
	return nil
}

func readClusters(_ *attribute, _ *Decoder, p *parsed, v []byte) *speaker.Malformed {
	p.attrs.ClusterList = make([]netip.Addr, 0, len(v)/4)
	for ; len(v) > 0; v = v[4:] {
		p.attrs.ClusterList = append(p.attrs.ClusterList, netip.AddrFrom4([4]byte(v)))
	}
	return nil
}

func readExtCommunities(_ *attribute, _ *Decoder, p *parsed, v []byte) *speaker.Malformed {
	out := make([]route.ExtCommunity, 0, len(v)/8)
	for ; len(v) > 0; v = v[8:] {
		out = append(out, route.ExtCommunity(binary.BigEndian.Uint64(v)))
	}
	p.attrs.ExtCommunities = route.SortedSet(out)
	return nil
}

func readLarge(_ *attribute, _ *Decoder, p *parsed, v []byte) *speaker.Malformed {
	out := make([]route.LargeCommunity, 0, len(v)/12)
	u32 := binary.BigEndian.Uint32
	for ; len(v) > 0; v = v[12:] {
		out = append(out, route.LargeCommunity{Global: u32(v), Local1: u32(v[4:]), Local2: u32(v[8:])})
	}
	p.attrs.LargeCommunities = route.SortedLargeSet(out)
	return nil
}
