package route

import (
	"net/netip"
	"testing"
)

func TestFamily(t *testing.T) {
	if f := FamilyOf(netip.MustParsePrefix("10.0.0.0/8")); f != IPv4 {
		t.Error(f)
	}
	if f := FamilyOf(netip.MustParsePrefix("2001:db8::/32")); f != IPv6 {
		t.Error(f)
	}
	for f, want := range map[Family]string{IPv4: "ipv4 unicast", IPv6: "ipv6 unicast", IPv4 | IPv6: "ipv4 unicast, ipv6 unicast", 0: "none"} {
		if got := f.String(); got != want {
			t.Errorf("%d: %q", f, got)
		}
	}
	both := IPv4 | IPv6
	if !both.Has(IPv4) || !both.Has(both) || IPv4.Has(both) || IPv4.Has(IPv6) || !IPv4.Has(0) {
		t.Error("Has")
	}
}

func TestSource(t *testing.T) {
	for s := SourceBGP; s <= SourceDefault; s++ {
		if got, ok := ParseSource(s.String()); !ok || got != s {
			t.Errorf("%s: %v %v", s, got, ok)
		}
	}
	if _, ok := ParseSource("ospf"); ok {
		t.Error("ospf is a source")
	}
	if s := Source(200).String(); s != "unknown" {
		t.Error(s)
	}
}

func TestOrigin(t *testing.T) {
	for o, want := range map[Origin]string{OriginIGP: "igp", OriginEGP: "egp", OriginIncomplete: "incomplete"} {
		if o.String() != want {
			t.Errorf("%d: %q, want %q", o, o, want)
		}
	}
}

func TestOptional(t *testing.T) {
	if Some(0).Or(100) != 0 || (Optional{}).Or(100) != 100 || (Optional{Value: 5}).Or(100) != 100 {
		t.Error("Or")
	}
}
