package wire

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire/wiretest"
)

// Generators for sets that an Adj-RIB-Out may have.
var (
	genASN  = rapid.OneOf(rapid.Uint32Range(1, 65535), rapid.Uint32Range(65536, 4294967294))
	genAddr = rapid.Custom(func(t *rapid.T) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(rapid.IntRange(1, 126).Draw(t, "a")), rapid.Byte().Draw(t, "b"), rapid.Byte().Draw(t, "c"), rapid.Byte().Draw(t, "d")})
	})
	genAddr6 = rapid.Custom(func(t *rapid.T) netip.Addr {
		ip := [16]byte{0x20, 0x01}
		copy(ip[2:], rapid.SliceOfN(rapid.Byte(), 14, 14).Draw(t, "ip"))
		return netip.AddrFrom16(ip)
	})
	genPath = rapid.Custom(func(t *rapid.T) route.ASPath {
		var p route.ASPath
		for range rapid.IntRange(0, 3).Draw(t, "segments") {
			s := route.Segment{
				Type: rapid.SampledFrom([]route.SegmentType{route.ASSequence, route.ASSet}).Draw(t, "type"),
				ASNs: rapid.SliceOfN(genASN, 1, 20).Draw(t, "asns"),
			}
			if last := len(p) - 1; last >= 0 && s.Type == route.ASSequence && p[last].Type == s.Type {
				p[last].ASNs = append(p[last].ASNs, s.ASNs...) // as they are read
				continue
			}
			p = append(p, s)
		}
		return p
	})
	genOptional = rapid.Custom(func(t *rapid.T) route.Optional {
		if rapid.Bool().Draw(t, "set") {
			return route.Some(rapid.Uint32().Draw(t, "value"))
		}
		return route.Optional{}
	})
	genLarge = rapid.Custom(func(t *rapid.T) route.LargeCommunity {
		u := rapid.Uint32()
		return route.LargeCommunity{Global: u.Draw(t, "g"), Local1: u.Draw(t, "1"), Local2: u.Draw(t, "2")}
	})
)

func genAttrs(t *rapid.T, nextHop *rapid.Generator[netip.Addr]) route.Attrs {
	a := route.Attrs{
		ASPath: genPath.Draw(t, "path"), NextHop: nextHop.Draw(t, "next hop"),
		Origin: route.Origin(rapid.IntRange(0, 2).Draw(t, "origin")),
		MED:    genOptional.Draw(t, "med"), LocalPref: genOptional.Draw(t, "lp"), OTC: genOptional.Draw(t, "otc"),
		AtomicAggregate: rapid.Bool().Draw(t, "atomic"),
	}
	for _, c := range route.SortedSet(rapid.SliceOfN(rapid.Uint32(), 0, 90).Draw(t, "communities")) {
		a.Communities = append(a.Communities, route.Community(c))
	}
	for _, c := range route.SortedSet(rapid.SliceOfN(rapid.Uint64(), 0, 10).Draw(t, "ext")) {
		a.ExtCommunities = append(a.ExtCommunities, route.ExtCommunity(c))
	}
	a.LargeCommunities = rapid.SliceOfN(genLarge, 0, 10).Draw(t, "large")
	slices.SortFunc(a.LargeCommunities, route.LargeCommunity.Compare)
	a.LargeCommunities = slices.Compact(a.LargeCommunities)
	if rapid.Bool().Draw(t, "aggregated") {
		a.Aggregator = route.Aggregator{ASN: genASN.Draw(t, "aggregator"), Address: genAddr.Draw(t, "by")}
	}
	if rapid.Bool().Draw(t, "reflected") {
		a.OriginatorID = genAddr.Draw(t, "originator")
		a.ClusterList = rapid.SliceOfN(genAddr, 1, 4).Draw(t, "clusters")
	}
	for _, typ := range []uint8{99, 128, 200} {
		if rapid.Bool().Draw(t, "unknown") {
			v := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "value")
			a.Unknown = append(a.Unknown, route.Unknown{Flags: flagOptional | flagTransitive | flagPartial, Type: typ, Value: string(v)})
		}
	}
	return a
}

// TestRoundTrip encodes sets and decodes them again, on sessions of all kinds.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		family := rapid.SampledFrom([]route.Family{route.IPv4, route.IPv6}).Draw(t, "family")
		twoOctet := rapid.Bool().Draw(t, "two octets")
		hop, bits := genAddr, 32
		if family == route.IPv6 {
			hop, bits = genAddr6, 128
		}
		a := genAttrs(t, hop)
		if twoOctet {
			trimForTwoOctets(&a)
		}
		var want []netip.Prefix
		for _, ip := range rapid.SliceOfNDistinct(hop, 1, 40, rapid.ID).Draw(t, "prefixes") {
			p, _ := ip.Prefix(rapid.IntRange(0, bits).Draw(t, "bits"))
			want = append(want, p)
		}
		e := Encoder{TwoOctet: twoOctet, Extended: true}
		set, err := e.Encode(&a, family)
		if err != nil {
			t.Fatal(err)
		}
		d := NewDecoder(DecoderOptions{Interner: route.NewInterner(), Families: route.IPv4 | route.IPv6, Internal: true, TwoOctet: twoOctet})
		var got []netip.Prefix
		for rest := want; len(rest) > 0; {
			var b []byte
			if b, rest, err = e.Announce(nil, set, rest); err != nil {
				t.Fatal(err)
			}
			_, err := d.Update(Message(b).Body(), func(ev speaker.Event) bool {
				u := ev.(speaker.Update)
				if u.Err != nil || !u.Attrs.Equal(&a) {
					t.Fatalf("%s\ngot  %+v\nwant %+v", u.Err, u.Attrs, a)
				}
				got = append(got, u.Announced...)
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// trimForTwoOctets removes from a what a 2-octet session can't restore: an aggregator
// that makes the reader ignore AS4_PATH, and the border between two sequences.
func trimForTwoOctets(a *route.Attrs) {
	a.Aggregator = route.Aggregator{}
	var p route.ASPath
	for _, s := range a.ASPath {
		if n := len(p); n > 0 && p[n-1].Type == route.ASSequence && s.Type == route.ASSequence {
			continue
		}
		p = append(p, s)
	}
	a.ASPath = p
}

// TestMergeAS4Path is RFC 6793 4.2.3.
func TestMergeAS4Path(t *testing.T) {
	const trans = 23456
	seq, set := func(asns ...uint32) route.Segment { return route.Segment{Type: route.ASSequence, ASNs: asns} },
		func(asns ...uint32) route.Segment { return route.Segment{Type: route.ASSet, ASNs: asns} }
	confed := func(asns ...uint32) route.Segment { return route.Segment{Type: route.ASConfedSequence, ASNs: asns} }
	agg := func(asn uint32) route.Aggregator {
		return route.Aggregator{ASN: asn, Address: netip.MustParseAddr("10.0.0.1")}
	}
	cases := []struct {
		name      string
		path, as4 route.ASPath
		aggr, ag4 route.Aggregator
		want      route.ASPath
		wantAggr  route.Aggregator
	}{
		{"no AS4_PATH", route.ASPath{seq(1, trans)}, nil, route.Aggregator{}, route.Aggregator{}, route.ASPath{seq(1, trans)}, route.Aggregator{}},
		{"same length", route.ASPath{seq(1, trans)}, route.ASPath{seq(1, 70000)}, route.Aggregator{}, route.Aggregator{}, route.ASPath{seq(1, 70000)}, route.Aggregator{}},
		{"old speakers on the way", route.ASPath{seq(5, 6, 1, trans)}, route.ASPath{seq(1, 70000)}, route.Aggregator{}, route.Aggregator{}, route.ASPath{seq(5, 6, 1, 70000)}, route.Aggregator{}},
		{"AS4_PATH is longer", route.ASPath{seq(1)}, route.ASPath{seq(1, 70000)}, route.Aggregator{}, route.Aggregator{}, route.ASPath{seq(1)}, route.Aggregator{}},
		{"a set counts one", route.ASPath{seq(5, trans), set(1, trans)}, route.ASPath{seq(70000), set(1, 70001)}, route.Aggregator{}, route.Aggregator{}, route.ASPath{seq(5, 70000), set(1, 70001)}, route.Aggregator{}},
		{"confederation in front", route.ASPath{confed(65001), seq(1, trans)}, route.ASPath{seq(1, 70000)}, route.Aggregator{}, route.Aggregator{}, route.ASPath{confed(65001), seq(1, 70000)}, route.Aggregator{}},
		{"confederation in AS4_PATH", route.ASPath{seq(1, trans)}, route.ASPath{confed(9), seq(1, 70000)}, route.Aggregator{}, route.Aggregator{}, route.ASPath{seq(1, 70000)}, route.Aggregator{}},
		{"AS4_AGGREGATOR", route.ASPath{seq(trans)}, route.ASPath{seq(70000)}, agg(trans), agg(70000), route.ASPath{seq(70000)}, agg(70000)},
		{"aggregated by an old speaker", route.ASPath{seq(trans)}, route.ASPath{seq(70000)}, agg(1), agg(70000), route.ASPath{seq(trans)}, agg(1)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := &parsed{attrs: route.Attrs{ASPath: c.path, Aggregator: c.aggr}, as4Path: c.as4, as4Aggregator: c.ag4}
			p.mergeAS4()
			if !p.attrs.ASPath.Equal(c.want) || p.attrs.Aggregator != c.wantAggr {
				t.Errorf("path %s, aggregator %v; want %s, %v", p.attrs.ASPath, p.attrs.Aggregator, c.want, c.wantAggr)
			}
		})
	}
}

// FuzzDecodeUpdate gives the decoder any octets. It must not need its recover, and what it
// accepts must be correct enough to be passed on.
func FuzzDecodeUpdate(f *testing.F) {
	for _, c := range wiretest.HostileUpdates {
		f.Add(wiretest.UpdateBody(nil, wiretest.Unhex(c.Attrs), wiretest.Unhex(c.NLRI)), false, false)
		f.Add(wiretest.UpdateBody(wiretest.Unhex("18 cb0071"), wiretest.Unhex(c.Attrs), wiretest.Unhex(c.NLRI)), true, true)
	}
	for _, c := range frameCases {
		f.Add(wiretest.UpdateBody(wiretest.Unhex(c.withdrawn), wiretest.Unhex(c.attrs), wiretest.Unhex(c.nlri)), false, true)
	}
	for _, v := range badValues {
		for k, c := range each() {
			f.Add(c.with(kinds[k], v.typ, tlv(v.flags, v.typ, kinds[k].expand(v.value))), kinds[k].twoOctet, kinds[k].internal)
		}
	}
	f.Add([]byte{0, 0, 0, 0}, false, false)
	f.Add(wiretest.Unhex("0000 0006 800f 03 0002 01"), false, false)
	f.Fuzz(func(t *testing.T, body []byte, twoOctet, internal bool) {
		if len(body) > MaxExtended-HeaderLen {
			return
		}
		d := NewDecoder(DecoderOptions{Interner: route.NewInterner(), Families: route.IPv4 | route.IPv6, TwoOctet: twoOctet, Internal: internal})
		for range 2 { // the second time from the cache
			bad, err := d.Update(body, func(ev speaker.Event) bool {
				if u, ok := ev.(speaker.Update); ok {
					checkDecoded(t, &u, twoOctet, internal)
				}
				return true
			})
			if err != nil && strings.HasPrefix(err.Error(), "UPDATE cannot be decoded") {
				t.Fatal(err)
			}
			if bad != nil && (len(bad.Text) > 200 || (err != nil) != (bad.Action == speaker.SessionReset)) {
				t.Fatalf("%v recorded as %v", err, bad)
			}
		}
	})
}

// checkDecoded fails unless what u announces may be passed on.
func checkDecoded(t *testing.T, u *speaker.Update, twoOctet, internal bool) {
	if u.Err != nil && (u.Err.Routes > len(u.Withdrawn) || u.Err.Routes > 0 && u.Err.Action != speaker.TreatAsWithdraw) {
		t.Fatalf("%+v of %d withdrawn", u.Err, len(u.Withdrawn))
	}
	if len(u.Announced) == 0 {
		return
	}
	a := u.Attrs
	if a == nil || !a.NextHop.IsValid() {
		t.Fatalf("announced without attributes: %+v", u)
	}
	if a.ASPath.Contains(0) > 0 || a.ASPath.HasConfed() || a.Aggregator.Address.IsValid() && a.Aggregator.ASN == 0 {
		t.Fatalf("accepted: %s, aggregator %+v", a.ASPath, a.Aggregator)
	}
	if !internal && (a.LocalPref.Set || a.OriginatorID.IsValid() || len(a.ClusterList) > 0) {
		t.Fatalf("from an external neighbor: %+v", a)
	}
	e := Encoder{TwoOctet: twoOctet, Extended: true, IPv6NextHops: true}
	_, _ = e.Encode(a, route.FamilyOf(u.Announced[0]))
}
