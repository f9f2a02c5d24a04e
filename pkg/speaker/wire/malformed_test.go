package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire/wiretest"
)

// kind is a kind of session.
type kind struct{ internal, twoOctet bool }

// kinds are in the order of the columns of the tables below: eBGP with 4-octet
// ASNs, eBGP with 2-octet ASNs, and iBGP likewise.
var kinds = [4]kind{{false, false}, {false, true}, {true, false}, {true, true}}

func (k kind) String() string {
	name := "eBGP"
	if k.internal {
		name = "iBGP"
	}
	if k.twoOctet {
		return name + " with 2-octet ASNs"
	}
	return name + " with 4-octet ASNs"
}

// asn is n as a session of this kind encodes it.
func (k kind) asn(n uint32) []byte {
	if k.twoOctet {
		return binary.BigEndian.AppendUint16(nil, uint16(n))
	}
	return binary.BigEndian.AppendUint32(nil, n)
}

// expand replaces "<n>" by the ASN n in the width of the session.
func (k kind) expand(hex string) []byte {
	for {
		before, rest, ok := strings.Cut(hex, "<")
		if !ok {
			return wiretest.Unhex(hex)
		}
		number, after, _ := strings.Cut(rest, ">")
		var n uint32
		_, _ = fmt.Sscan(number, &n)
		hex = fmt.Sprintf("%s%x%s", before, k.asn(n), after)
	}
}

// tlv encodes an attribute.
func tlv(flags, typ uint8, value []byte) []byte {
	if flags&flagExtended != 0 {
		return append([]byte{flags, typ, byte(len(value) >> 8), byte(len(value))}, value...)
	}
	return append([]byte{flags, typ, byte(len(value))}, value...)
}

// goodAttrs has one attribute of each type that nvad reads, with a correct value, and how a
// wrong one is handled, for each kind of session: (a)ccepted, attribute (d)iscarded, treated
// as (w)ithdrawn, session (r)eset.
var goodAttrs = []struct {
	typ                      uint8
	flags                    uint8
	value                    string
	wrong, zero, short, long string // flags; 0 octets, one too few, one too many
	rule                     string // for the lengths
}{
	{1, 0x40, "00", "wwww", "wwww", "wwww", "wwww", "RFC 7606 7.1"},
	{2, 0x40, "02 01 <65002>", "wwww", "aaaa", "wwww", "wwww", "RFC 7606 7.2"},
	{3, 0x40, "c0000201", "wwww", "wwww", "wwww", "wwww", "RFC 7606 7.3"},
	{4, 0x80, "00000001", "wwww", "wwww", "wwww", "wwww", "RFC 7606 7.4"},
	{5, 0x40, "00000064", "ddww", "ddww", "ddww", "ddww", "RFC 7606 7.5"},
	{6, 0x40, "", "wwww", "aaaa", "aaaa", "dddd", "RFC 7606 7.6"},
	{7, 0xc0, "<65002> 0a000001", "wwww", "dddd", "dddd", "dddd", "RFC 7606 7.7"},
	{8, 0xc0, "fdea0001", "wwww", "wwww", "wwww", "wwww", "RFC 7606 7.8"},
	{9, 0x80, "0a000001", "ddww", "ddww", "ddww", "ddww", "RFC 7606 7.9"},
	{10, 0x80, "0a000001", "ddww", "ddww", "ddww", "ddww", "RFC 7606 7.10"},
	{16, 0xc0, "0002fdea00000001", "wwww", "wwww", "wwww", "wwww", "RFC 7606 7.14"},
	{17, 0xc0, "02 01 0000fdea", "dwdw", "dddd", "dddd", "dddd", "RFC 6793 6"},
	{18, 0xc0, "0000fdea 0a000001", "dwdw", "dddd", "dddd", "dddd", "RFC 6793 6"},
	{32, 0xc0, "0000fdea 00000001 00000002", "wwww", "wwww", "wwww", "wwww", "RFC 8092 5"},
	{35, 0xc0, "0000fdea", "wwww", "wwww", "wwww", "wwww", "RFC 9234 5"},
}

// badValues has values that are not allowed, and some that are.
var badValues = []struct {
	name       string
	flags, typ uint8
	value      string
	want, rule string
	class      speaker.Class
}{
	{"ORIGIN 2", 0x40, 1, "02", "aaaa", "", speaker.WrongValue},
	{"ORIGIN 3", 0x40, 1, "03", "wwww", "RFC 7606 7.1", speaker.WrongValue},
	{"ORIGIN 255", 0x40, 1, "ff", "wwww", "RFC 7606 7.1", speaker.WrongValue},
	{"AS_PATH with AS 0", 0x40, 2, "02 01 <0>", "wwww", "RFC 7607 2", speaker.WrongValue},
	{"AS_PATH with AS 0 behind others", 0x40, 2, "02 02 <65002> <0>", "wwww", "RFC 7607 2", speaker.WrongValue},
	{"AS_PATH with AS 0 in a set", 0x40, 2, "02 01 <65002> 01 02 <0> <1>", "wwww", "RFC 7607 2", speaker.WrongValue},
	{"AS_PATH with AS_TRANS", 0x40, 2, "02 02 <65002> <23456>", "aaaa", "", speaker.WrongValue},
	{"AS_PATH with a set", 0x40, 2, "02 01 <65002> 01 02 <1> <2>", "aaaa", "", speaker.WrongValue},
	{"AS_PATH with a segment of type 0", 0x40, 2, "00 01 <65002>", "wwww", "RFC 7606 7.2", speaker.WrongValue},
	{"AS_PATH with a segment of type 5", 0x40, 2, "02 01 <65002> 05 01 <65002>", "wwww", "RFC 7606 7.2", speaker.WrongValue},
	{"AS_PATH with a segment of 0 ASNs", 0x40, 2, "02 00", "wwww", "RFC 7606 7.2", speaker.WrongLength},
	{"AS_PATH with an empty segment behind another", 0x40, 2, "02 01 <65002> 02 00", "wwww", "RFC 7606 7.2", speaker.WrongLength},
	{"AS_PATH that ends within a header", 0x40, 2, "02 01 <65002> 02", "wwww", "RFC 7606 7.2", speaker.WrongLength},
	{"AS_PATH with more ASNs counted than there are", 0x40, 2, "02 ff <65002>", "wwww", "RFC 7606 7.2", speaker.WrongLength},
	{"AS_PATH with AS_CONFED_SEQUENCE", 0x40, 2, "03 01 <65002>", "wwww", "RFC 5065 5", speaker.WrongValue},
	{"AS_PATH with AS_CONFED_SET behind a sequence", 0x40, 2, "02 01 <65002> 04 01 <65003>", "wwww", "RFC 5065 5", speaker.WrongValue},
	{"NEXT_HOP 0.0.0.0", 0x40, 3, "00000000", "wwww", "RFC 4271 6.3", speaker.WrongValue},
	{"NEXT_HOP 0.1.2.3", 0x40, 3, "00010203", "wwww", "RFC 4271 6.3", speaker.WrongValue},
	{"NEXT_HOP 127.0.0.1", 0x40, 3, "7f000001", "wwww", "RFC 4271 6.3", speaker.WrongValue},
	{"NEXT_HOP 224.0.0.1", 0x40, 3, "e0000001", "wwww", "RFC 4271 6.3", speaker.WrongValue},
	{"NEXT_HOP 255.255.255.255", 0x40, 3, "ffffffff", "wwww", "RFC 4271 6.3", speaker.WrongValue},
	{"NEXT_HOP of 16 octets", 0x40, 3, "20010db8000000000000000000000001", "wwww", "RFC 7606 7.3", speaker.WrongLength},
	{"AGGREGATOR with AS 0", 0xc0, 7, "<0> 0a000001", "dddd", "RFC 7607 2", speaker.WrongValue},
	{"AGGREGATOR of 6 octets", 0xc0, 7, "fdea 0a000001", "dada", "RFC 7606 7.7", speaker.WrongLength},
	{"AGGREGATOR of 8 octets", 0xc0, 7, "0000fdea 0a000001", "adad", "RFC 7606 7.7", speaker.WrongLength},
	{"AS4_PATH with AS 0", 0xc0, 17, "02 01 00000000", "dddd", "RFC ", speaker.WrongValue},
	{"AS4_PATH with a segment of type 5", 0xc0, 17, "05 01 0000fdea", "dddd", "RFC 6793 6", speaker.WrongValue},
	{"AS4_PATH with a segment of 0 ASNs", 0xc0, 17, "02 00", "dddd", "RFC 6793 6", speaker.WrongLength},
	{"AS4_PATH with 2-octet ASNs", 0xc0, 17, "02 01 fdea", "dddd", "RFC 6793 6", speaker.WrongLength},
	{"AS4_PATH with a confederation segment", 0xc0, 17, "03 01 0000fdea", "dada", "RFC 6793 6", speaker.WrongValue},
	{"AS4_AGGREGATOR with AS 0", 0xc0, 18, "00000000 0a000001", "dddd", "RFC ", speaker.WrongValue},
	{"AS4_AGGREGATOR of 6 octets", 0xc0, 18, "fdea 0a000001", "dddd", "RFC 6793 6", speaker.WrongLength},
	{"unrecognized, optional transitive", 0xc0, 99, "00", "aaaa", "", speaker.UnknownWellKnown},
	{"unrecognized, optional transitive, 0 octets", 0xc0, 99, "", "aaaa", "", speaker.UnknownWellKnown},
	{"unrecognized, optional non-transitive", 0x80, 99, "00", "aaaa", "", speaker.UnknownWellKnown},
	{"unrecognized, well-known", 0x40, 99, "00", "rrrr", "unrecognized", speaker.UnknownWellKnown},
	{"unrecognized, without flags", 0x00, 99, "00", "rrrr", "unrecognized", speaker.UnknownWellKnown},
	{"unrecognized, type 255", 0xe0, 255, "00", "aaaa", "", speaker.UnknownWellKnown},
}

// carrier is where an UPDATE has its prefix.
type carrier struct {
	name   string
	prefix netip.Prefix
	base   map[uint8]string // mandatory attributes, in hexadecimal with their headers
	nlri   string
}

var carriers = []carrier{
	{"NLRI", netip.MustParsePrefix("203.0.113.0/24"), map[uint8]string{1: wiretest.HexOrigin, 2: "40 02", 3: wiretest.HexNextHop}, wiretest.HexNLRI},
	{"MP_REACH_NLRI", netip.MustParsePrefix("2001:db8::/32"), map[uint8]string{1: wiretest.HexOrigin, 2: "40 02", 14: wiretest.HexMPReach}, ""},
	{"MP_REACH_NLRI of IPv4", netip.MustParsePrefix("203.0.113.0/24"),
		map[uint8]string{1: wiretest.HexOrigin, 2: "40 02", 14: "80 0e 0d 0001 01 04 c0000201 00 18 cb0071"}, ""},
}

// with is the body of an UPDATE with the mandatory attributes but without type
// drop, and more.
func (c carrier) with(k kind, drop uint8, more ...[]byte) []byte {
	var attrs []byte
	for _, typ := range []uint8{14, 1, 2, 3} {
		switch hex := c.base[typ]; {
		case hex == "" || typ == drop:
		case typ == 2:
			attrs = append(attrs, tlv(0x40, 2, k.expand("02 01 <65002>"))...)
		default:
			attrs = append(attrs, wiretest.Unhex(hex)...)
		}
	}
	for _, m := range more {
		attrs = append(attrs, m...)
	}
	return wiretest.UpdateBody(nil, attrs, wiretest.Unhex(c.nlri))
}

// judge decodes body after a good announcement of the same prefix, and returns how it was
// handled, as a letter of the tables. The test fails if the first route stays, or if an
// error does not name the rule that it breaks.
func judge(t *testing.T, k kind, c carrier, body []byte, rule string) (string, *speaker.Malformed) {
	t.Helper()
	d := NewDecoder(DecoderOptions{Interner: route.NewInterner(), Families: route.IPv4 | route.IPv6, Internal: k.internal, TwoOctet: k.twoOctet})
	table := map[netip.Prefix]*route.Attrs{}
	emit := func(ev speaker.Event) bool {
		u := ev.(speaker.Update)
		for _, p := range u.Withdrawn {
			delete(table, p)
		}
		for _, p := range u.Announced {
			table[p] = u.Attrs
		}
		if u.Err != nil && u.Err.Action == speaker.TreatAsWithdraw && (u.Err.Routes == 0 || u.Err.Routes > len(u.Withdrawn)) {
			t.Errorf("%d routes treated as withdrawn of %v", u.Err.Routes, u.Withdrawn)
		}
		return true
	}
	if bad, err := d.Update(c.with(k, 0, tlv(0x80, 4, wiretest.Unhex("00003039"))), emit); err != nil || table[c.prefix] == nil || bad != nil {
		t.Fatalf("good announcement: %v, %v", err, bad)
	}
	old := table[c.prefix]
	var bad *speaker.Malformed
	for range 2 { // the second time perhaps from the cache
		var err error
		bad, err = d.Update(body, emit)
		if bad != nil && (!strings.Contains(bad.Text, rule) || len(bad.Text) > 120) {
			t.Errorf("error %q does not name %s", bad.Text, rule)
		}
		if (err != nil) != (bad != nil && bad.Action == speaker.SessionReset) {
			t.Errorf("error %v, recorded as %v", err, bad)
		}
		if err != nil {
			return "r", bad
		}
	}
	now := table[c.prefix]
	switch {
	case now == old:
		t.Error("the old route stays")
	case now == nil && bad == nil:
		t.Error("withdrawn without a reason")
	case now == nil:
		return "w", bad
	case bad != nil:
		return "d", bad
	}
	return "a", nil
}

// TestAttributeErrors goes through every attribute, every class of error and
// every kind of session, in all places that carry a prefix.
func TestAttributeErrors(t *testing.T) {
	check := func(name, want, rule string, class speaker.Class, k int, c carrier, body []byte) {
		t.Helper()
		got, bad := judge(t, kinds[k], c, body, rule)
		if got != want[k:k+1] {
			t.Errorf("%s, %s, in %s: %s, want %c (%s)", kinds[k], name, c.name, got, want[k], bad)
		}
		if as4 := bad != nil && strings.Contains(bad.Text, "4-octet"); bad != nil && bad.Class != class && !as4 {
			t.Errorf("%s, %s, in %s: class %s, want %s", kinds[k], name, c.name, bad.Class, class)
		}
	}
	for _, a := range goodAttrs {
		for k, c := range each() {
			value := kinds[k].expand(a.value)
			name, body := attrName(a.typ), func(flags uint8, v []byte) []byte {
				return c.with(kinds[k], a.typ, tlv(flags, a.typ, v))
			}
			fine := "aaaa"
			if a.typ == 17 || a.typ == 18 {
				fine = "dada" // from a neighbor with 4-octet ASNs it has no meaning
			}
			check(name, fine, "RFC 6793 6", speaker.WrongValue, k, c, body(a.flags, value))
			check(name+" with reserved flags", fine, "RFC 6793 6", speaker.WrongValue, k, c, body(a.flags|0x0f, value))
			check(name+" with extended length", fine, "RFC 6793 6", speaker.WrongValue, k, c, body(a.flags|flagExtended, value))
			flags := []uint8{a.flags ^ flagOptional, a.flags ^ flagTransitive, a.flags ^ (flagOptional | flagTransitive)}
			if a.flags != flagOptional|flagTransitive {
				flags = append(flags, a.flags|flagPartial)
			}
			for _, f := range flags {
				check(fmt.Sprintf("%s with flags %#x", name, f), a.wrong, "RFC ", speaker.WrongFlags, k, c, body(f, value))
			}
			check(name+" of 0 octets", a.zero, "RFC ", speaker.WrongLength, k, c, body(a.flags, nil))
			check(name+" cut", a.short, a.rule, speaker.WrongLength, k, c, body(a.flags, value[:max(0, len(value)-1)]))
			check(name+" too long", a.long, a.rule, speaker.WrongLength, k, c, body(a.flags, append(value[:len(value):len(value)], 0)))
			check(name+" twice", "dddd", "RFC ", speaker.Duplicate, k, c, c.with(kinds[k], a.typ, tlv(a.flags, a.typ, value), tlv(a.flags, a.typ, value)))
		}
	}
	for _, v := range badValues {
		for k, c := range each() {
			want := v.want
			if v.typ == 3 && c.nlri == "" && v.rule == "RFC 4271 6.3" {
				want = "aaaa" // NEXT_HOP has no meaning beside MP_REACH_NLRI (RFC 4760 3)
			}
			check(v.name, want, v.rule, v.class, k, c, c.with(kinds[k], v.typ, tlv(v.flags, v.typ, kinds[k].expand(v.value))))
		}
	}
	for k, c := range each() {
		for _, typ := range []uint8{1, 2, 3} {
			if c.base[typ] != "" {
				check(attrName(typ)+" missing", "wwww", "RFC 7606 3 d", speaker.Missing, k, c, c.with(kinds[k], typ))
			}
		}
	}
}

// each yields every kind of session with every carrier.
func each() func(yield func(int, carrier) bool) {
	return func(yield func(int, carrier) bool) {
		for k := range kinds {
			for _, c := range carriers {
				if !yield(k, c) {
					return
				}
			}
		}
	}
}

// TestReservedFlags sets the four flags that have no meaning: the routes are the
// same as without, and they are not passed on (RFC 4271 4.3).
func TestReservedFlags(t *testing.T) {
	for k, c := range each() {
		d := NewDecoder(DecoderOptions{Interner: route.NewInterner(), Families: route.IPv4 | route.IPv6, Internal: kinds[k].internal, TwoOctet: kinds[k].twoOctet})
		var sets [2]*route.Attrs
		for i, reserved := range []uint8{0, 0x0f} {
			more := [][]byte{tlv(0xc0|reserved, 99, []byte{1})}
			for _, a := range goodAttrs {
				if a.typ > 3 {
					more = append(more, tlv(a.flags|reserved, a.typ, kinds[k].expand(a.value)))
				}
			}
			_, err := d.Update(c.with(kinds[k], 0, more...), func(ev speaker.Event) bool {
				sets[i] = ev.(speaker.Update).Attrs
				return true
			})
			if err != nil || sets[i] == nil {
				t.Fatalf("%s, in %s: %v", kinds[k], c.name, err)
			}
		}
		if !sets[0].Equal(sets[1]) || len(sets[1].Unknown) != 1 || sets[1].Unknown[0].Flags != 0xe0 {
			t.Errorf("%s, in %s: %+v, without reserved flags %+v", kinds[k], c.name, sets[1], sets[0])
		}
	}
}

// TestEveryAttributeHasItsRows keeps the tables complete.
func TestEveryAttributeHasItsRows(t *testing.T) {
	rows := map[uint8]bool{}
	for _, a := range goodAttrs {
		rows[a.typ] = true
	}
	for typ := range attributes {
		if attributes[typ].read != nil && !rows[uint8(typ)] {
			t.Errorf("%s has no row in goodAttrs", attrName(uint8(typ)))
		}
	}
}
