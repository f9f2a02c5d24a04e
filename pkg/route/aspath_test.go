package route

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func seq(asns ...uint32) Segment  { return Segment{ASSequence, asns} }
func set(asns ...uint32) Segment  { return Segment{ASSet, asns} }
func cseq(asns ...uint32) Segment { return Segment{ASConfedSequence, asns} }
func cset(asns ...uint32) Segment { return Segment{ASConfedSet, asns} }

// asn is a result that may be absent.
type asn struct {
	value uint32
	ok    bool
}

func TestASPath(t *testing.T) {
	absent := asn{}
	for _, c := range []struct {
		path        ASPath
		text        string
		length      int
		first       asn
		set, confed bool
	}{
		{nil, "", 0, absent, false, false},
		{NewASPath(), "", 0, absent, false, false},
		{NewASPath(65515), "65515", 1, asn{65515, true}, false, false},
		{NewASPath(65515, 12076, 64580), "65515 12076 64580", 3, asn{65515, true}, false, false},
		{ASPath{seq(1, 2), set(3, 4)}, "1 2 {3,4}", 3, asn{1, true}, true, false},
		{ASPath{set(3, 4)}, "{3,4}", 1, absent, true, false},
		{ASPath{set(3), seq(1)}, "{3} 1", 2, absent, true, false},
		{ASPath{cseq(65100, 65101), seq(1)}, "(65100 65101) 1", 1, asn{1, true}, false, true},
		{ASPath{cset(65100, 65101), seq(0)}, "[65100,65101] 0", 1, asn{0, true}, true, true},
		{ASPath{cseq(65100)}, "(65100)", 0, absent, false, true},
		{ASPath{seq(1), cseq(2)}, "1 (2)", 1, asn{1, true}, false, true},
		{ASPath{seq(1), seq(4294967295)}, "1 4294967295", 2, asn{1, true}, false, false},
	} {
		if got := c.path.String(); got != c.text {
			t.Errorf("String %q, want %q", got, c.text)
		}
		if got := c.path.Len(); got != c.length {
			t.Errorf("%q: Len %d, want %d", c.text, got, c.length)
		}
		if v, ok := c.path.First(); (asn{v, ok}) != c.first {
			t.Errorf("%q: First %d %v", c.text, v, ok)
		}
		if c.path.HasSet() != c.set || c.path.HasConfed() != c.confed {
			t.Errorf("%q: set %v, confederation %v", c.text, c.path.HasSet(), c.path.HasConfed())
		}
	}
}

func TestContains(t *testing.T) {
	p := ASPath{cseq(1), seq(1, 2, 1), set(1, 3), cset(4)}
	for v, want := range map[uint32]int{1: 4, 2: 1, 3: 1, 4: 1, 5: 0} {
		if got := p.Contains(v); got != want {
			t.Errorf("%d: %d times, want %d", v, got, want)
		}
	}
}

func TestPrepend(t *testing.T) {
	for _, c := range []struct {
		path ASPath
		n    int
		want string
	}{
		{nil, 0, ""},
		{nil, 2, "7 7"},
		{NewASPath(1), 0, "1"},
		{NewASPath(1), -1, "1"},
		{NewASPath(1), 1, "7 1"},
		{ASPath{set(1, 2)}, 1, "7 {1,2}"},
		{ASPath{cseq(1), seq(2)}, 1, "7 (1) 2"},
	} {
		if got := c.path.Prepend(7, c.n).String(); got != c.want {
			t.Errorf("%q %d times: %q, want %q", c.path, c.n, got, c.want)
		}
	}
}

func drawPath(t *rapid.T) ASPath {
	var p ASPath
	for range rapid.IntRange(0, 3).Draw(t, "segments") {
		p = append(p, Segment{
			Type: SegmentType(rapid.IntRange(1, 4).Draw(t, "type")),
			ASNs: rapid.SliceOfN(rapid.Uint32Range(0, 5), 1, 255).Draw(t, "asns"),
		})
	}
	return p
}

// TestPrependProperties: the path grows by n on the left, no segment exceeds 255 ASNs, and the
// original path is not changed.
func TestPrependProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, n := drawPath(t), rapid.IntRange(0, 600).Draw(t, "n")
		before := clone(p)
		got := p.Prepend(9, n)
		if !p.Equal(before) {
			t.Fatal("the path is changed")
		}
		if got.Len() != p.Len()+n || got.Contains(9) != n {
			t.Fatalf("length %d, %d occurrences", got.Len(), got.Contains(9))
		}
		for _, s := range got {
			if len(s.ASNs) > 255 || len(s.ASNs) == 0 {
				t.Fatalf("segment of %d", len(s.ASNs))
			}
		}
		if first, ok := got.First(); n > 0 && (!ok || first != 9) {
			t.Fatalf("first %d %v", first, ok)
		}
	})
}

func clone(p ASPath) ASPath {
	out := slices.Clone(p)
	for i := range out {
		out[i].ASNs = slices.Clone(out[i].ASNs)
	}
	return out
}

func TestPathEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPath(t)
		q := clone(p)
		if !p.Equal(q) || !q.Equal(p) {
			t.Fatal("a copy is not equal")
		}
		if len(q) == 0 {
			return
		}
		i := rapid.IntRange(0, len(q)-1).Draw(t, "segment")
		if rapid.Bool().Draw(t, "type") {
			q[i].Type ^= 7
		} else {
			q[i].ASNs[0]++
		}
		if p.Equal(q) {
			t.Fatal("a changed copy is equal")
		}
	})
}

func TestNewASPathCopies(t *testing.T) {
	asns := []uint32{1, 2}
	p := NewASPath(asns...)
	asns[0] = 9
	if p.String() != "1 2" {
		t.Errorf("got %q", p)
	}
}

// TestSetsHaveNoOrder: the text of a set is the same in whatever order its members arrived.
func TestSetsHaveNoOrder(t *testing.T) {
	p := ASPath{{Type: ASSet, ASNs: []uint32{65515, 1, 65515}}, {Type: ASConfedSet, ASNs: []uint32{3, 2}}}
	if got, want := p.String(), "{1,65515} [2,3]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseASPath(t *testing.T) {
	for _, s := range []string{"", "65515 12076", "65515 {1,2}", "{1,2} 65515", "(65001 65002) 65515 [3,4]", "4294967295"} {
		p, err := ParseASPath(s)
		if err != nil || p.String() != s {
			t.Errorf("%q came back as %q, %v", s, p, err)
		}
	}
	for _, s := range []string{"x", "65515,12076", "{1", "{}", "4294967296", "1}", "-1"} {
		if p, err := ParseASPath(s); err == nil {
			t.Errorf("%q was read as %q", s, p)
		}
	}
	long, err := ParseASPath(NewASPath(1).Prepend(7, 300).String())
	if err != nil || len(long) != 2 || long.Len() != 301 {
		t.Errorf("a path of 301: %d segments, %v", len(long), err)
	}
}
