package gobgp

import (
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/route"
)

// mergeAS4 restores the 4-octet ASNs that a 2-octet neighbor has passed on in
// AS4_PATH and AS4_AGGREGATOR (RFC 6793 4.2.3).
func (p *parsed) mergeAS4() {
	if p.attrs.Aggregator.Address.IsValid() {
		if p.attrs.Aggregator.ASN != bgp.AS_TRANS {
			return // aggregated by somebody who did not know AS4_PATH
		}
		if p.as4Aggr.Address.IsValid() {
			p.attrs.Aggregator = p.as4Aggr
		}
	}
	as4 := slices.DeleteFunc(slices.Clone(p.as4Path), func(s route.Segment) bool {
		return s.Type == route.ASConfedSequence || s.Type == route.ASConfedSet
	})
	extra := p.attrs.ASPath.Len() - as4.Len()
	if len(as4) == 0 || extra < 0 {
		return
	}
	p.attrs.ASPath = joinSequences(leading(p.attrs.ASPath, extra), as4)
}

// leading is the part of p before all but its first n ASNs, counted as in the
// decision process.
func leading(p route.ASPath, n int) route.ASPath {
	var out route.ASPath
	for _, s := range p {
		switch {
		case s.Type == route.ASConfedSequence || s.Type == route.ASConfedSet:
			out = append(out, s)
		case n <= 0:
			return out
		case s.Type == route.ASSet:
			out = append(out, s)
			n--
		default:
			k := min(n, len(s.ASNs))
			out = append(out, route.Segment{Type: s.Type, ASNs: s.ASNs[:k]})
			n -= k
		}
	}
	return out
}

// joinSequences concatenates two paths, and the sequences where they meet.
func joinSequences(a, b route.ASPath) route.ASPath {
	if len(a) == 0 || len(b) == 0 {
		return append(a, b...)
	}
	last := a[len(a)-1]
	if last.Type != route.ASSequence || b[0].Type != route.ASSequence || len(last.ASNs)+len(b[0].ASNs) > 255 {
		return append(a, b...)
	}
	joined := route.Segment{Type: route.ASSequence, ASNs: slices.Concat(last.ASNs, b[0].ASNs)}
	return append(append(slices.Clone(a[:len(a)-1]), joined), b[1:]...)
}
