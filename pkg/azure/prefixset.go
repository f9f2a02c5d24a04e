package azure

import "net/netip"

// prefixSet answers which IPv4 prefixes cover another one, in at most 33 look-ups. It
// ignores what is no IPv4 prefix: Route Server knows no other.
type prefixSet struct {
	in   map[netip.Prefix]struct{}
	bits [33]bool // which lengths there are
}

func (s *prefixSet) add(prefixes ...netip.Prefix) {
	for _, p := range prefixes {
		if !p.IsValid() || !p.Addr().Is4() {
			continue
		}
		if s.in == nil {
			s.in = make(map[netip.Prefix]struct{}, len(prefixes))
		}
		s.in[p.Masked()] = struct{}{}
		s.bits[p.Bits()] = true
	}
}

// covering returns the longest prefix of s that contains p or is equal to it.
func (s *prefixSet) covering(p netip.Prefix) (netip.Prefix, bool) {
	if len(s.in) == 0 || !p.IsValid() || !p.Addr().Is4() {
		return netip.Prefix{}, false
	}
	for bits := p.Bits(); bits >= 0; bits-- {
		if !s.bits[bits] {
			continue
		}
		c, _ := p.Addr().Prefix(bits)
		if _, ok := s.in[c]; ok {
			return c, true
		}
	}
	return netip.Prefix{}, false
}

// contains reports whether a prefix of s contains a.
func (s *prefixSet) contains(a netip.Addr) bool {
	_, ok := s.covering(host(a))
	return ok
}

// host returns the prefix that is just a.
func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
