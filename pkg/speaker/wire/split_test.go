package wire

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"pgregory.net/rapid"
)

// TestSplit: the pieces of an UPDATE together say the same as the UPDATE, in the same order,
// and none has many prefixes.
func TestSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(0, 3*mostPrefixes+1)
		number := func(n int) (out []netip.Prefix) {
			for i := range n {
				out = append(out, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32))
			}
			return out
		}
		u := speaker.Update{Withdrawn: number(count.Draw(t, "withdrawn")), Announced: number(count.Draw(t, "announced")), Attrs: new(route.Attrs)}
		malformed := rapid.Bool().Draw(t, "malformed")
		if malformed {
			u.Err = &speaker.Malformed{Text: "x", Routes: rapid.IntRange(0, len(u.Withdrawn)).Draw(t, "treated")}
		}
		var withdrawn, announced, treated []netip.Prefix
		told := 0
		for p := range pieces(u) {
			if len(p.Withdrawn) > 0 && len(announced) > 0 {
				t.Fatal("a withdrawal after an announcement")
			}
			if len(p.Withdrawn)+len(p.Announced) > mostPrefixes || cap(p.Withdrawn)+cap(p.Announced) > 2*mostPrefixes {
				t.Fatalf("a piece of %d and %d", len(p.Withdrawn), len(p.Announced))
			}
			if p.Err != nil {
				told++
				treated = append(treated, p.Withdrawn[len(p.Withdrawn)-p.Err.Routes:]...)
			}
			withdrawn, announced = append(withdrawn, p.Withdrawn...), append(announced, p.Announced...)
		}
		if !slices.Equal(withdrawn, u.Withdrawn) || !slices.Equal(announced, u.Announced) {
			t.Fatal("prefixes are lost")
		}
		switch {
		case !malformed && told > 0, malformed && told == 0:
			t.Fatalf("malformed: %v, told %d times", malformed, told)
		case malformed && !slices.Equal(treated, u.Withdrawn[len(u.Withdrawn)-u.Err.Routes:]):
			t.Fatal("what was treated as withdrawn is not told apart")
		case malformed && u.Err.Routes == 0 && told != 1:
			t.Fatalf("told %d times", told)
		}
	})
}
