package reload

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/integration/rawbgp"
)

// class says how a prefix behaves; its prefixes are in 10.CLASS.0.0/16.
type class byte

const (
	steady   class = 10 // both policies announce it; only the reloads affect it
	changing class = 11 // both announce it; its attributes change
	flapping class = 12 // both announce it; it is announced and withdrawn
	onlyOne  class = 20 // policy 2 denies it on import
	onlyTwo  class = 21 // policy 1 denies it on export
	byLists  class = 30 // policy 1 denies it on import, policy 2 on export
	byMarks  class = 31 // each marks it on import and denies its own mark on export
	byPaths  class = 32 // policy 1 denies its path with a list, policy 2 as a bogon
	byColour class = 33 // policy 1 denies its community on import, policy 2 on export
)

var (
	announced = []class{steady, changing, flapping, onlyOne, onlyTwo}
	denied    = []class{byLists, byMarks, byPaths, byColour}
)

// perClass times the number of classes is more than the engine processes in one turn, so that
// much happens during a reload.
const perClass = 400

func (c class) prefix(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(c), byte(i >> 4), byte(i << 4)}), 28)
}

func classOf(p netip.Prefix) class { return class(p.Addr().As4()[1]) }

// attrs returns the attributes of a feeder's announcement; version makes them differ.
func (f *feeder) attrs(c class, version uint32) *rawbgp.Attrs {
	path := []uint32{f.asn}
	if f.backup {
		path = append(path, f.asn, f.asn)
	}
	a := &rawbgp.Attrs{NextHop: f.address, Communities: []uint32{f.asn<<16 | 1000 + version%7}}
	switch c {
	case byPaths:
		path = append(path, 64496) // reserved for documentation (RFC 5398)
	case byColour:
		a.Communities = append(a.Communities, f.asn<<16|33)
	}
	a.Path = []rawbgp.Segment{{Type: rawbgp.Sequence, ASNs: path}}
	return a
}

// policyOf returns the policy that produced the attributes, or 0 and a reason if neither did,
// or both. It reads the policy from MED for external neighbors, from LOCAL_PREF for internal
// ones, and for both from a community that import policy added.
func policyOf(h rawbgp.Heard, internal bool) (policy int, reason string) {
	marks := strings.Fields(h["communities"])
	for n := 1; n <= 2; n++ {
		told := h["med"] == fmt.Sprint(n)
		if internal {
			told = h["local-pref"] == fmt.Sprint(100+n)
		}
		if told && slices.Contains(marks, fmt.Sprintf("65001:%d", n)) {
			policy += n
		} else if told || slices.Contains(marks, fmt.Sprintf("65001:%d", n)) {
			return 0, fmt.Sprintf("half of policy %d in %v", n, h)
		}
	}
	switch policy {
	case 0:
		return 0, fmt.Sprintf("no policy in %v", h)
	case 3:
		return 0, fmt.Sprintf("both policies in %v", h)
	}
	return policy, ""
}
