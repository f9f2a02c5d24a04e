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
// It returns no path together with an error.
func (a *attribute) path(v []byte, width int) (route.ASPath, *speaker.Malformed) {
	var out route.ASPath
	for len(v) > 0 {
		if len(v) < 2 || len(v) < 2+int(v[1])*width {
			return nil, a.wrong(speaker.WrongLength, "ends within a segment", a.section)
		}
		s := route.Segment{Type: route.SegmentType(v[0])}
		switch {
		case s.Type < route.ASSet || s.Type > route.ASConfedSet:
			return nil, a.wrong(speaker.WrongValue, "has a segment of type "+strconv.Itoa(int(v[0])), a.section)
		case v[1] == 0:
			return nil, a.wrong(speaker.WrongLength, "has a segment of 0 ASNs", a.section)
		}
		s.ASNs = make([]uint32, v[1])
		v = v[2:]
		for i := range s.ASNs {
			if s.ASNs[i] = readASN(v[:width]); s.ASNs[i] == 0 {
				return nil, a.wrong(speaker.WrongValue, "has AS 0", "RFC 7607 2")
			}
			v = v[width:]
		}
		out = append(out, s)
	}
	return out, nil
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
