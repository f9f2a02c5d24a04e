package gobgp

import (
	"slices"
	"strconv"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// readAS4Path reads AS4_PATH, which has at least one segment.
func (a *attribute) readAS4Path(_ *decoder, p *parsed, v []byte) (m *speaker.Malformed) {
	if len(v) == 0 {
		return a.wrongLength(0)
	}
	p.as4Path, m = a.path(v, 4)
	return m
}

func (a *attribute) readAS4Aggregator(_ *decoder, p *parsed, v []byte) *speaker.Malformed {
	return a.aggregator(&p.as4Aggr, v)
}

// path reads the segments of AS_PATH or AS4_PATH, whose ASNs have width octets.
// It returns no path together with an error. Sequences that follow each other
// become one, as far as a segment holds them, which changes nothing (RFC 4271
// 5.1.2): a path of segments of one ASN each would take eight times its octets.
func (a *attribute) path(v []byte, width int) (route.ASPath, *speaker.Malformed) {
	var out route.ASPath
	asns := make([]uint32, 0, countASNs(v, width)) // of all segments
	for len(v) > 0 {
		if len(v) < 2 || len(v) < 2+int(v[1])*width {
			return nil, a.wrong(speaker.WrongLength, "ends within a segment", a.section)
		}
		typ, n, begin := route.SegmentType(v[0]), int(v[1]), len(asns)
		switch {
		case typ < route.ASSet || typ > route.ASConfedSet:
			return nil, a.wrong(speaker.WrongValue, "has a segment of type "+strconv.Itoa(int(typ)), a.section)
		case n == 0:
			return nil, a.wrong(speaker.WrongLength, "has a segment of 0 ASNs", a.section)
		}
		for v = v[2:]; len(asns) < begin+n; v = v[width:] {
			asn := readASN(v[:width])
			if asn == 0 {
				return nil, a.wrong(speaker.WrongValue, "has AS 0", "RFC 7607 2")
			}
			asns = append(asns, asn)
		}
		if last := len(out) - 1; last >= 0 && typ == route.ASSequence && out[last].Type == typ && len(out[last].ASNs)+n <= mostInSegment {
			begin -= len(out[last].ASNs)
			out = out[:last]
		}
		out = append(out, route.Segment{Type: typ, ASNs: asns[begin:len(asns):len(asns)]})
	}
	return out, nil
}

// mostInSegment is how many ASNs a segment can say that it has.
const mostInSegment = 255

// countASNs is how many ASNs the whole segments in v have.
func countASNs(v []byte, width int) int {
	n := 0
	for len(v) >= 2 && len(v) >= 2+int(v[1])*width {
		n += int(v[1])
		v = v[2+int(v[1])*width:]
	}
	return n
}

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
