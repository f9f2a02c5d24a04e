package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// mostInSegment is the largest number of ASNs that a segment can hold.
const mostInSegment = 255

// readASPath reads AS_PATH. nvad is in no confederation, so no neighbor may send
// it such segments (RFC 5065 5).
func readASPath(a *attribute, d *Decoder, p *parsed, v []byte) *speaker.Malformed {
	path, m := a.path(v, d.asnLen())
	switch {
	case m != nil:
		return m
	case path.HasConfed():
		return a.wrong(speaker.WrongValue, "has a confederation segment", "RFC 5065 5")
	}
	p.attrs.ASPath = path
	return nil
}

// readAS4Path reads AS4_PATH, which has at least one segment.
func readAS4Path(a *attribute, _ *Decoder, p *parsed, v []byte) (m *speaker.Malformed) {
	if len(v) == 0 {
		return a.wrongLength(0)
	}
	p.as4Path, m = a.path(v, 4)
	return m
}

// path reads the segments of AS_PATH or AS4_PATH, whose ASNs have width octets.
// It returns no path together with an error. Sequences that follow each other
// are joined as far as one segment can hold them, which changes no meaning (RFC 4271
// 5.1.2): in memory, a path of segments with one ASN each would take eight times the
// octets that it has on the wire.
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

func readASN(v []byte) uint32 {
	if len(v) == 2 {
		return uint32(binary.BigEndian.Uint16(v))
	}
	return binary.BigEndian.Uint32(v)
}

// countASNs counts the ASNs in the complete segments of v.
func countASNs(v []byte, width int) int {
	n := 0
	for len(v) >= 2 && len(v) >= 2+int(v[1])*width {
		n += int(v[1])
		v = v[2+int(v[1])*width:]
	}
	return n
}

// mergeAS4 restores the 4-octet ASNs that a 2-octet neighbor has passed on in
// AS4_PATH and AS4_AGGREGATOR (RFC 6793 4.2.3). The neighbors behind it that know no
// 4-octet ASNs have prepended themselves to AS_PATH only, so AS_PATH may be longer: its
// first ASNs, as many as AS4_PATH lacks, come before AS4_PATH.
func (p *parsed) mergeAS4() {
	if p.attrs.Aggregator.Address.IsValid() {
		if p.attrs.Aggregator.ASN != asTrans {
			return // aggregated by somebody who did not know AS4_PATH
		}
		if p.as4Aggregator.Address.IsValid() {
			p.attrs.Aggregator = p.as4Aggregator
		}
	}
	as4 := slices.DeleteFunc(slices.Clone(p.as4Path), route.Segment.IsConfed)
	extra := p.attrs.ASPath.Len() - as4.Len()
	if len(as4) == 0 || extra < 0 {
		return
	}
	p.attrs.ASPath = joinPaths(leading(p.attrs.ASPath, extra), as4)
}

// leading returns the first n ASNs of p, counted as in the decision process, with the
// confederation segments among and directly behind them.
func leading(p route.ASPath, n int) route.ASPath {
	var out route.ASPath
	for _, s := range p {
		switch {
		case s.IsConfed():
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

// joinPaths concatenates two paths, and the sequences where they meet.
func joinPaths(a, b route.ASPath) route.ASPath {
	if len(a) == 0 || len(b) == 0 {
		return append(a, b...)
	}
	last := a[len(a)-1]
	if last.Type != route.ASSequence || b[0].Type != route.ASSequence || len(last.ASNs)+len(b[0].ASNs) > mostInSegment {
		return append(a, b...)
	}
	joined := route.Segment{Type: route.ASSequence, ASNs: slices.Concat(last.ASNs, b[0].ASNs)}
	return append(append(slices.Clone(a[:len(a)-1]), joined), b[1:]...)
}

// appendPath encodes the segments of p. A long sequence is split (RFC 4271 5.1.2),
// which changes no meaning; a set can't be.
func appendPath(b []byte, p route.ASPath, twoOctet bool) ([]byte, error) {
	for _, s := range p {
		asns := s.ASNs
		if len(asns) > mostInSegment && (s.Type == route.ASSet || s.Type == route.ASConfedSet) {
			return nil, fmt.Errorf("AS_SET of %d ASNs", len(asns))
		}
		for len(asns) > 0 {
			n := min(len(asns), mostInSegment)
			b = append(b, byte(s.Type), byte(n))
			for _, asn := range asns[:n] {
				b = appendPathASN(b, asn, twoOctet)
			}
			asns = asns[n:]
		}
	}
	return b, nil
}

// appendPathASN encodes an ASN, as AS_TRANS if it does not fit (RFC 6793 4.2.2).
func appendPathASN(b []byte, asn uint32, twoOctet bool) []byte {
	if twoOctet {
		return binary.BigEndian.AppendUint16(b, twoOctetASN(asn))
	}
	return binary.BigEndian.AppendUint32(b, asn)
}
