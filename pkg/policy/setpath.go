package policy

import (
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// replaceASNs returns the path with every ASN, or those given, replaced by
// local. Segments keep their types and lengths.
func replaceASNs(p route.ASPath, any bool, asns []uint32, local uint32) route.ASPath {
	out := make(route.ASPath, len(p))
	for i, s := range p {
		out[i] = route.Segment{Type: s.Type, ASNs: slices.Clone(s.ASNs)}
		for j, asn := range s.ASNs {
			if any || slices.Contains(asns, asn) {
				out[i].ASNs[j] = local
			}
		}
	}
	return out
}

// excludeASNs returns the path without the ASNs, and without the segments that
// become empty; sequences that stood around such a segment become one.
func excludeASNs(p route.ASPath, asns []uint32) route.ASPath {
	var out route.ASPath
	for _, s := range p {
		var left []uint32
		for _, asn := range s.ASNs {
			if !slices.Contains(asns, asn) {
				left = append(left, asn)
			}
		}
		if len(left) > 0 {
			out = appendSegment(out, route.Segment{Type: s.Type, ASNs: left})
		}
	}
	return out
}

// mostASNs is how many ASNs a segment has room for (RFC 4271 4.3).
const mostASNs = 255

// appendSegment appends s, whose ASNs nobody else holds, to p.
func appendSegment(p route.ASPath, s route.Segment) route.ASPath {
	if n := len(p); n > 0 && s.Type == route.ASSequence && p[n-1].Type == s.Type && len(p[n-1].ASNs)+len(s.ASNs) <= mostASNs {
		p[n-1].ASNs = append(p[n-1].ASNs, s.ASNs...)
		return p
	}
	return append(p, s)
}

// prependASNs puts asns before the path, the first of them leftmost. They take
// the place of confederation segments, which may not stand behind others (RFC
// 5065 5.3).
func prependASNs(p route.ASPath, asns []uint32) route.ASPath {
	for len(p) > 0 && (p[0].Type == route.ASConfedSequence || p[0].Type == route.ASConfedSet) {
		p = p[1:]
	}
	for _, asn := range slices.Backward(asns) {
		p = p.Prepend(asn, 1)
	}
	return p
}

// repeatFirst prepends the leftmost ASN n times, if the path begins with a
// sequence.
func repeatFirst(p route.ASPath, n int) route.ASPath {
	if len(p) == 0 || p[0].Type != route.ASSequence || len(p[0].ASNs) == 0 {
		return p
	}
	return p.Prepend(p[0].ASNs[0], n)
}
