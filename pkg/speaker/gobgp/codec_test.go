package gobgp

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Generators of what may be in an Adj-RIB-Out.
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
		e := encoder{twoOctet: twoOctet, extended: true}
		attrs, err := e.attributes(&a, family)
		if err != nil {
			t.Fatal(err)
		}
		d := newDecoder(decoderOptions{interner: route.NewInterner(), families: route.IPv4 | route.IPv6, internal: true, twoOctet: twoOctet})
		var got []netip.Prefix
		for rest := want; len(rest) > 0; {
			var b []byte
			if b, rest, err = e.update(nil, group{&a, family, want}, attrs, rest); err != nil {
				t.Fatal(err)
			}
			err := d.update(message(b).body(), func(ev speaker.Event) bool {
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

// trimForTwoOctets takes away what a 2-octet session cannot restore: an
// aggregator that hides AS4_PATH from the reader, and the border between two
// sequences.
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
	agg := func(asn uint32) route.Aggregator { return route.Aggregator{ASN: asn, Address: addr("10.0.0.1")} }
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
			p := &parsed{attrs: route.Attrs{ASPath: c.path, Aggregator: c.aggr}, as4Path: c.as4, as4Aggr: c.ag4}
			p.mergeAS4()
			if !p.attrs.ASPath.Equal(c.want) || p.attrs.Aggregator != c.wantAggr {
				t.Errorf("path %s, aggregator %v; want %s, %v", p.attrs.ASPath, p.attrs.Aggregator, c.want, c.wantAggr)
			}
		})
	}
}

// TestPacking counts UPDATEs.
func TestPacking(t *testing.T) {
	cases := []struct {
		name     string
		prefixes int
		sets     int
		want     int
	}{
		{"one set", 1000, 1, 1},
		{"as many sets as prefixes", 100, 100, 100},
		{"more than a message holds", 2000, 1, 2},
		{"sets in turn", 1000, 10, 10},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := &writer{enc: encoder{}, families: route.IPv4}
			sets := make([]*route.Attrs, c.sets)
			for i := range sets {
				sets[i] = &route.Attrs{NextHop: addr("192.0.2.1"), MED: route.Some(uint32(i))}
			}
			var changes []speaker.Change
			for i := range c.prefixes {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
				changes = append(changes, speaker.Change{Prefix: p, Attrs: sets[i%c.sets]})
			}
			groups, withdrawn := w.group(changes)
			updates, prefixes := 0, len(withdrawn)
			for _, g := range groups {
				attrs, _ := w.enc.attributes(g.attrs, g.family)
				for rest := g.prefixes; len(rest) > 0; updates++ {
					before := len(rest)
					_, rest, _ = w.enc.update(nil, g, attrs, rest)
					prefixes += before - len(rest)
				}
			}
			if updates != c.want || prefixes != c.prefixes {
				t.Errorf("%d UPDATEs with %d prefixes, want %d with %d", updates, prefixes, c.want, c.prefixes)
			}
		})
	}
}

// TestQueue is the promise of the queue: the latest change of a prefix wins.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue()
		attrs := []*route.Attrs{nil, {}, {MED: route.Some(1)}}
		queued, got := map[netip.Prefix]*route.Attrs{}, map[netip.Prefix]*route.Attrs{}
		told, left := map[netip.Prefix]bool{}, map[netip.Prefix]bool{} // by the Adj-RIB-Out, and on the wire
		take := func() {
			b := q.take()
			for _, c := range b.changes {
				if _, twice := got[c.Prefix]; twice {
					t.Fatalf("%s leaves twice in a batch", c.Prefix)
				}
				got[c.Prefix] = c.Attrs
				if left[c.Prefix] = c.Attrs != nil; !left[c.Prefix] {
					delete(left, c.Prefix)
				}
			}
			if !reflect.DeepEqual(got, queued) {
				t.Fatalf("got %v, want %v", got, queued)
			}
			clear(got)
			clear(queued)
		}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			if rapid.IntRange(0, 9).Draw(t, "take") == 0 {
				take()
			}
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(0, 5).Draw(t, "prefix"))}), 32)
			c := speaker.Change{Prefix: p, Attrs: rapid.SampledFrom(attrs).Draw(t, "attrs")}
			if c.Attrs == nil && !told[p] {
				continue // nothing is withdrawn that was not told
			}
			c.New = c.Attrs != nil && !told[p]
			told[p] = c.Attrs != nil
			q.add([]speaker.Change{c})
			if queued[p] = c.Attrs; c.Attrs == nil && !left[p] {
				delete(queued, p) // it came and went
			}
		}
		take()
	})
}

// TestQueueForgetsWhatCameAndWent: while a neighbor does not read, another announces and
// withdraws ever new prefixes within its maximum-prefix. Nothing of them waits.
func TestQueueForgetsWhatCameAndWent(t *testing.T) {
	q := newQueue()
	for i := range uint32(1 << 16) {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		p := netip.PrefixFrom(a, 32)
		q.add([]speaker.Change{{Prefix: p, Attrs: &route.Attrs{}, New: true}})
		q.add([]speaker.Change{{Prefix: p}})
	}
	if n := q.len(); n != 0 || len(q.index) != 0 || cap(q.changes) > 16 {
		t.Errorf("%d changes of %d and %d prefixes wait", n, cap(q.changes), len(q.index))
	}
}

// FuzzDecodeUpdate feeds the decoder with anything. Its recover must never be
// what saves it, and what it accepts must be fit to be sent on.
func FuzzDecodeUpdate(f *testing.F) {
	for _, c := range hostileCases {
		f.Add(updateBody(nil, unhex(c.attrs), unhex(c.nlri)), false, false)
		f.Add(updateBody(unhex("18 cb0071"), unhex(c.attrs), unhex(c.nlri)), true, true)
	}
	for _, c := range frameCases {
		f.Add(updateBody(unhex(c.withdrawn), unhex(c.attrs), unhex(c.nlri)), false, true)
	}
	for _, v := range badValues {
		for k, c := range each() {
			f.Add(c.with(kinds[k], v.typ, tlv(v.flags, v.typ, kinds[k].expand(v.value))), kinds[k].twoOctet, kinds[k].internal)
		}
	}
	f.Add([]byte{0, 0, 0, 0}, false, false)
	f.Add(unhex("0000 0006 800f 03 0002 01"), false, false)
	f.Fuzz(func(t *testing.T, body []byte, twoOctet, internal bool) {
		if len(body) > maxExtendedMsg-headerLen {
			return
		}
		d := newDecoder(decoderOptions{interner: route.NewInterner(), families: route.IPv4 | route.IPv6, twoOctet: twoOctet, internal: internal})
		for range 2 { // the second time from the cache
			err := d.update(body, func(ev speaker.Event) bool {
				if u, ok := ev.(speaker.Update); ok {
					checkDecoded(t, &u, twoOctet, internal)
				}
				return true
			})
			if err != nil && strings.HasPrefix(err.Error(), "UPDATE cannot be decoded") {
				t.Fatal(err)
			}
			if d.bad != nil && (len(d.bad.Text) > 200 || (err != nil) != (d.bad.Action == speaker.SessionReset)) {
				t.Fatalf("%v recorded as %v", err, d.bad)
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
	e := encoder{twoOctet: twoOctet, extended: true, v6NextHops: true}
	_, _ = e.attributes(a, route.FamilyOf(u.Announced[0]))
}
