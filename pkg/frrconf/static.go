package frrconf

import (
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config"
)

// static is a static route and where it stands.
type static struct {
	config.Static
	line *line
}

// floating is the first administrative distance at which FRR prefers a route
// of eBGP to a static one.
const floating = 20

func staticRoute(c *converter, l *line, args []string) outcome {
	s := &static{line: l}
	dest, rest, o := destination(args, l.words[0] == "ipv6")
	if o != carried {
		return o
	}
	s.Prefix = dest
	if rest, o = s.nextHop(rest); o != carried {
		return o
	}
	if o := s.options(rest); o != carried {
		return o
	}
	c.statics = append(c.statics, s)
	return carried
}

// destination is the prefix, or the address and mask, that args begin with.
func destination(args []string, ipv6 bool) (netip.Prefix, []string, outcome) {
	if len(args) < 2 {
		return netip.Prefix{}, nil, attention("the route is not complete")
	}
	rest := args[1:]
	text := args[0]
	if bits, ok := maskBits(args[1]); ok && !strings.Contains(text, "/") {
		text, rest = text+"/"+strconv.Itoa(bits), args[2:]
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil || p.Addr().Is4() == ipv6 || p.Addr().Is4In6():
		return p, nil, attention("%s is not a prefix", args[0])
	case len(rest) > 0 && rest[0] == "from":
		return p, nil, unsupported("routes by source address")
	}
	return p.Masked(), rest, carried
}

// maskBits is the length of a netmask, or a length by itself.
func maskBits(s string) (int, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return n, n >= 0 && n <= 128
	}
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, false
	}
	b := a.As4()
	mask := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := bits.LeadingZeros32(^mask)
	return n, mask == ^uint32(0)<<(32-n)
}

// nextHop reads where the route points, and returns the words after it.
func (s *static) nextHop(words []string) ([]string, outcome) {
	if len(words) == 0 {
		return nil, attention("the route has no next hop")
	}
	first, rest := words[0], words[1:]
	via, err := netip.ParseAddr(first)
	switch {
	case strings.EqualFold(first, "reject"):
		s.Blackhole = true
		s.line.leave(attention("nvad drops the packets without telling the sender, where FRR's reject tells"))
	case strings.EqualFold(first, "Null0"), strings.EqualFold(first, "blackhole"):
		s.Blackhole = true
	case err != nil:
		s.Device = first
	default:
		s.Via = via
		if len(rest) > 0 && !routeOption(rest[0]) {
			s.Device, rest = rest[0], rest[1:]
		}
	}
	if s.Via.IsValid() && strings.EqualFold(s.Device, "Null0") {
		return nil, attention("a gateway on Null0")
	}
	return rest, carried
}

// routeOption reports whether a word after the gateway is no device.
func routeOption(word string) bool {
	if _, err := strconv.Atoi(word); err == nil {
		return true
	}
	return slices.Contains([]string{"tag", "table", "vrf", "label", "nexthop-vrf", "onlink", "color", "bfd", "segments"}, word)
}

// options reads distance, tag and the like.
func (s *static) options(words []string) outcome {
	for i := 0; i < len(words); i++ {
		if n, err := strconv.Atoi(words[i]); err == nil {
			if n >= floating {
				return unsupported("a static route with distance %d, which gives way to BGP: in nvad it never does", n)
			}
			if n > 1 {
				s.Metric = uint32(n)
			}
			continue
		}
		switch {
		case words[i] == "tag" && i+1 < len(words):
			i++
			s.line.leave(unsupported("tags of static routes; the route itself is carried over"))
		default:
			return unsupported("%s of a static route", words[i])
		}
	}
	return carried
}

// finishStatics leaves over the second of two routes that differ in the next
// hop only: FRR spreads traffic over both.
func (c *converter) finishStatics() {
	for _, s := range c.statics {
		same := func(o config.Static) bool { return o.Prefix == s.Prefix && o.Metric == s.Metric }
		switch i := slices.IndexFunc(c.cfg.Statics, same); {
		case i < 0:
			c.cfg.Statics = append(c.cfg.Statics, s.Static)
		case c.cfg.Statics[i] != s.Static:
			s.line.drop(unsupported("a static route with several next hops; the first one is carried over"))
		}
	}
}
