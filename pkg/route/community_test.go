package route

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestCommunity(t *testing.T) {
	for s, want := range map[string]Community{
		"65515:1":           65515<<16 | 1,
		"0:0":               0,
		"65535:65535":       0xffffffff,
		"no-export":         NoExport,
		"no-advertise":      NoAdvertise,
		"local-AS":          NoExportSubconfed,
		"blackhole":         Blackhole,
		"graceful-shutdown": GracefulShutdown,
	} {
		if c, err := ParseCommunity(s); err != nil || c != want || c.String() != s {
			t.Errorf("%q: %v %v", s, c, err)
		}
	}
	if c, err := ParseCommunity("65535:65281"); err != nil || c != NoExport {
		t.Errorf("no-export in numbers: %v %v", c, err)
	}
	if c, err := ParseCommunity("No-Export"); err != nil || c != NoExport {
		t.Errorf("in upper case: %v %v", c, err)
	}
	for _, s := range []string{"", "1", "1:", ":1", "65536:1", "1:65536", "-1:1", "1:2:3", "x:1", "internet"} {
		if _, err := ParseCommunity(s); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
}

func TestLargeCommunity(t *testing.T) {
	for _, s := range []string{"1:2:3", "0:0:0", "4294967295:4294967295:4294967295"} {
		if c, err := ParseLargeCommunity(s); err != nil || c.String() != s {
			t.Errorf("%q: %v %v", s, c, err)
		}
	}
	for _, s := range []string{"", "1:2", "1:2:3:4", "1::3", "4294967296:1:1", "a:b:c"} {
		if _, err := ParseLargeCommunity(s); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
	in := []LargeCommunity{{2, 0, 0}, {1, 2, 0}, {1, 1, 9}, {1, 1, 1}}
	slices.SortFunc(in, LargeCommunity.Compare)
	if want := []LargeCommunity{{1, 1, 1}, {1, 1, 9}, {1, 2, 0}, {2, 0, 0}}; !slices.Equal(in, want) {
		t.Errorf("sorted %v", in)
	}
}

func TestExtCommunity(t *testing.T) {
	for s, want := range map[string]ExtCommunity{
		"rt 65515:7":         0x0002ffeb00000007,
		"soo 65515:7":        0x0003ffeb00000007,
		"rt 10.0.0.4:7":      0x01020a0000040007,
		"soo 4200000000:7":   0x0203fa56ea000007,
		"0x030b000000000064": 0x030b000000000064,
		"rt 1:4294967295":    0x00020001ffffffff,
		"0x4002ffeb00000007": 0x4002ffeb00000007,
		"0x0902ffeb00000007": 0x0902ffeb00000007,
	} {
		if c, err := ParseExtCommunity(s); err != nil || c != want || c.String() != s {
			t.Errorf("%q: %#x %q %v", s, uint64(c), c, err)
		}
	}
	for _, s := range []string{"", "rt", "rt 1", "rt x:1", "rt 1:x", "rt 10.0.0.4:65536", "rt 4200000000:65536", "lb 1:1", "0x1", "0xzzzzzzzzzzzzzzzz", "rt 1:4294967296"} {
		if _, err := ParseExtCommunity(s); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
}

func TestSiteOfOrigin(t *testing.T) {
	c := SiteOfOrigin(65515, 7)
	if c.String() != "soo 65515:7" || !c.IsSiteOfOrigin() {
		t.Errorf("%s: site of origin %v", c, c.IsSiteOfOrigin())
	}
	for s, want := range map[string]bool{"soo 10.0.0.4:1": true, "soo 4200000000:1": true, "rt 65515:7": false, "0x0903ffeb00000007": false} {
		if c, err := ParseExtCommunity(s); err != nil || c.IsSiteOfOrigin() != want {
			t.Errorf("%s: %v %v", s, c.IsSiteOfOrigin(), err)
		}
	}
}

// TestCommunitiesRoundTrip: printed communities parse to the same value, except extended
// communities with a 4-octet ASN that would fit into two octets.
func TestCommunitiesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Community(rapid.Uint32().Draw(t, "community"))
		if got, err := ParseCommunity(c.String()); err != nil || got != c {
			t.Fatalf("%s: %v %v", c, got, err)
		}
		l := LargeCommunity{rapid.Uint32().Draw(t, "a"), rapid.Uint32().Draw(t, "b"), rapid.Uint32().Draw(t, "c")}
		if got, err := ParseLargeCommunity(l.String()); err != nil || got != l {
			t.Fatalf("%s: %v %v", l, got, err)
		}
		kind := rapid.SampledFrom([]uint64{0x0002, 0x0003, 0x0102, 0x0103, 0x030b, 0x4002}).Draw(t, "kind")
		e := ExtCommunity(kind<<48 | rapid.Uint64Range(0, 1<<48-1).Draw(t, "value"))
		if got, err := ParseExtCommunity(e.String()); err != nil || got != e {
			t.Fatalf("%s: %#x %v", e, uint64(got), err)
		}
	})
}

func TestSortedSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOf(rapid.Map(rapid.Uint32Range(0, 9), func(v uint32) Community { return Community(v) })).Draw(t, "in")
		got := SortedSet(slices.Clone(in))
		for i := 1; i < len(got); i++ {
			if got[i-1] >= got[i] {
				t.Fatalf("%v", got)
			}
		}
		for _, c := range in {
			if !slices.Contains(got, c) {
				t.Fatalf("%v is lost", c)
			}
		}
		if len(got) > len(in) {
			t.Fatalf("%v has more than %v", got, in)
		}
	})
}
