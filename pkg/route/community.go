package route

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Community is a COMMUNITIES value, with the ASN in the upper 16 bits (RFC 1997).
type Community uint32

// Well-known communities (RFC 1997, 8326, 7999).
const (
	GracefulShutdown  Community = 0xffff0000
	Blackhole         Community = 0xffff029a
	NoExport          Community = 0xffffff01
	NoAdvertise       Community = 0xffffff02
	NoExportSubconfed Community = 0xffffff03
)

var wellKnown = map[Community]string{
	GracefulShutdown:  "graceful-shutdown",
	Blackhole:         "blackhole",
	NoExport:          "no-export",
	NoAdvertise:       "no-advertise",
	NoExportSubconfed: "local-AS",
}

// String returns "asn:value", or the name of a well-known community.
func (c Community) String() string {
	if s, ok := wellKnown[c]; ok {
		return s
	}
	return fmt.Sprintf("%d:%d", uint32(c)>>16, uint32(c)&0xffff)
}

// ParseCommunity reads "asn:value" (each 0-65535) or a well-known name.
func ParseCommunity(s string) (Community, error) {
	for c, name := range wellKnown {
		if strings.EqualFold(name, s) {
			return c, nil
		}
	}
	hi, lo, ok := strings.Cut(s, ":")
	h, err1 := strconv.ParseUint(hi, 10, 16)
	l, err2 := strconv.ParseUint(lo, 10, 16)
	if !ok || err1 != nil || err2 != nil {
		return 0, fmt.Errorf("%q is not a community (want ASN:VALUE, each 0-65535, or a well-known name)", s)
	}
	return Community(h<<16 | l), nil
}

// LargeCommunity is a LARGE_COMMUNITIES value (RFC 8092).
type LargeCommunity struct{ Global, Local1, Local2 uint32 }

// String returns "global:local1:local2".
func (c LargeCommunity) String() string {
	return fmt.Sprintf("%d:%d:%d", c.Global, c.Local1, c.Local2)
}

// ParseLargeCommunity reads "global:local1:local2".
func ParseLargeCommunity(s string) (LargeCommunity, error) {
	var v [3]uint32
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return LargeCommunity{}, fmt.Errorf("%q is not a large community (want GLOBAL:LOCAL1:LOCAL2)", s)
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return LargeCommunity{}, fmt.Errorf("%q is not a large community (want GLOBAL:LOCAL1:LOCAL2)", s)
		}
		v[i] = uint32(n)
	}
	return LargeCommunity{v[0], v[1], v[2]}, nil
}

// Compare orders large communities as RFC 8092 sorts them for display.
func (c LargeCommunity) Compare(d LargeCommunity) int {
	return cmp.Or(cmp.Compare(c.Global, d.Global), cmp.Compare(c.Local1, d.Local1), cmp.Compare(c.Local2, d.Local2))
}

// ExtCommunity is an EXTENDED COMMUNITIES value in network byte order
// (RFC 4360): type in the top octet, sub-type in the next.
type ExtCommunity uint64

// Extended community sub-types (RFC 4360 4 and 5).
const (
	extRouteTarget  = 0x02
	extSiteOfOrigin = 0x03
)

// SiteOfOrigin returns the two-octet-AS Site-of-Origin community (RFC 4360 5).
func SiteOfOrigin(asn uint16, value uint32) ExtCommunity {
	return ExtCommunity(uint64(extSiteOfOrigin)<<48 | uint64(asn)<<32 | uint64(value))
}

// IsSiteOfOrigin reports whether c is a Site-of-Origin of any of the three
// address types.
func (c ExtCommunity) IsSiteOfOrigin() bool {
	return byte(c>>48) == extSiteOfOrigin && byte(c>>56)&^0x40 <= 2
}

// String returns "rt asn:value", "soo asn:value", or "0x" and 16 hex digits.
func (c ExtCommunity) String() string {
	kind := map[byte]string{extRouteTarget: "rt", extSiteOfOrigin: "soo"}[byte(c>>48)]
	if kind == "" {
		return fmt.Sprintf("0x%016x", uint64(c))
	}
	switch byte(c >> 56) {
	case 0:
		return fmt.Sprintf("%s %d:%d", kind, uint16(c>>32), uint32(c))
	case 1:
		ip := netip.AddrFrom4([4]byte{byte(c >> 40), byte(c >> 32), byte(c >> 24), byte(c >> 16)})
		return fmt.Sprintf("%s %s:%d", kind, ip, uint16(c))
	case 2:
		return fmt.Sprintf("%s %d:%d", kind, uint32(c>>16), uint16(c))
	}
	return fmt.Sprintf("0x%016x", uint64(c))
}

// ParseExtCommunity reads "rt A:B", "soo A:B" (A an ASN or an IPv4 address) or
// "0x" and 16 hex digits.
func ParseExtCommunity(s string) (ExtCommunity, error) {
	bad := fmt.Errorf("%q is not an extended community (want rt ASN:VALUE, soo ASN:VALUE or 0x and 16 hex digits)", s)
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		v, err := strconv.ParseUint(hex, 16, 64)
		if err != nil || len(hex) != 16 {
			return 0, bad
		}
		return ExtCommunity(v), nil
	}
	kind, rest, _ := strings.Cut(s, " ")
	sub := map[string]uint64{"rt": extRouteTarget, "soo": extSiteOfOrigin}[kind]
	left, right, ok := strings.Cut(rest, ":")
	if sub == 0 || !ok {
		return 0, bad
	}
	return parseExtValue(sub, left, right, bad)
}

func parseExtValue(sub uint64, left, right string, bad error) (ExtCommunity, error) {
	value, err := strconv.ParseUint(right, 10, 32)
	if err != nil {
		return 0, bad
	}
	if ip, err := netip.ParseAddr(left); err == nil && ip.Is4() && value < 1<<16 {
		a := ip.As4()
		n := uint64(a[0])<<24 | uint64(a[1])<<16 | uint64(a[2])<<8 | uint64(a[3])
		return ExtCommunity(1<<56 | sub<<48 | n<<16 | value), nil
	}
	asn, err := strconv.ParseUint(left, 10, 32)
	switch {
	case err != nil:
		return 0, bad
	case asn < 1<<16:
		return ExtCommunity(sub<<48 | asn<<32 | value), nil
	case value < 1<<16:
		return ExtCommunity(2<<56 | sub<<48 | asn<<16 | value), nil
	}
	return 0, bad
}

// SortedSet returns the distinct values of in, in ascending order. It may reuse in's
// array.
func SortedSet[T cmp.Ordered](in []T) []T {
	slices.Sort(in)
	return slices.Compact(in)
}

// SortedLargeSet does the same for large communities.
func SortedLargeSet(in []LargeCommunity) []LargeCommunity {
	slices.SortFunc(in, LargeCommunity.Compare)
	return slices.Compact(in)
}
