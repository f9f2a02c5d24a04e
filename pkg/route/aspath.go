package route

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SegmentType is the type octet of an AS_PATH segment (RFC 4271 4.3, RFC 5065 3).
type SegmentType uint8

// Segment types, with their values on the wire.
const (
	ASSet            SegmentType = 1
	ASSequence       SegmentType = 2
	ASConfedSequence SegmentType = 3
	ASConfedSet      SegmentType = 4
)

// Segment is one AS_PATH segment. ASNs are in wire order, at most 255 of them.
type Segment struct {
	Type SegmentType
	ASNs []uint32
}

// ASPath is an AS_PATH, leftmost (most recent) segment first. The nil path is
// the empty path of a route that originated in the local AS.
type ASPath []Segment

// NewASPath returns the path that consists of one AS_SEQUENCE, or the empty
// path if no ASN is given.
func NewASPath(asns ...uint32) ASPath {
	if len(asns) == 0 {
		return nil
	}
	return ASPath{{Type: ASSequence, ASNs: slices.Clone(asns)}}
}

// Len returns the path's length in the decision process: an AS_SET counts as one
// (RFC 4271 9.1.2.2), confederation segments do not count (RFC 5065 5.3).
func (p ASPath) Len() int {
	n := 0
	for _, s := range p {
		switch s.Type {
		case ASSequence:
			n += len(s.ASNs)
		case ASSet:
			n++
		}
	}
	return n
}

// First returns the leftmost ASN outside of confederation segments, which is the
// neighboring AS. It returns false if there is none, or if the path starts with an AS_SET.
func (p ASPath) First() (uint32, bool) {
	for _, s := range p {
		switch s.Type {
		case ASSequence:
			if len(s.ASNs) > 0 {
				return s.ASNs[0], true
			}
		case ASSet:
			return 0, false
		}
	}
	return 0, false
}

// Contains returns how often asn occurs, in segments of every type.
func (p ASPath) Contains(asn uint32) int {
	n := 0
	for _, s := range p {
		for _, a := range s.ASNs {
			if a == asn {
				n++
			}
		}
	}
	return n
}

// HasSet reports whether the path has an AS_SET or AS_CONFED_SET (RFC 9774).
func (p ASPath) HasSet() bool {
	return slices.ContainsFunc(p, func(s Segment) bool { return s.Type == ASSet || s.Type == ASConfedSet })
}

// HasConfed reports whether the path has a confederation segment (RFC 5065).
func (p ASPath) HasConfed() bool {
	return slices.ContainsFunc(p, Segment.IsConfed)
}

// IsConfed reports whether the segment belongs to a confederation (RFC 5065).
func (s Segment) IsConfed() bool { return s.Type == ASConfedSequence || s.Type == ASConfedSet }

// Prepend returns a path with asn added n times on the left; p does not change. A
// segment gets at most 255 ASNs (RFC 4271 5.1.2).
func (p ASPath) Prepend(asn uint32, n int) ASPath {
	for n > 0 {
		var head []uint32
		rest := p
		if len(p) > 0 && p[0].Type == ASSequence && len(p[0].ASNs) < 255 {
			head, rest = p[0].ASNs, p[1:]
		}
		k := min(n, 255-len(head))
		asns := make([]uint32, 0, k+len(head))
		for range k {
			asns = append(asns, asn)
		}
		asns = append(asns, head...)
		p = append(ASPath{{Type: ASSequence, ASNs: asns}}, rest...)
		n -= k
	}
	return p
}

// Equal reports whether both paths have the same segments in the same order.
func (p ASPath) Equal(q ASPath) bool {
	return slices.EqualFunc(p, q, func(a, b Segment) bool {
		return a.Type == b.Type && slices.Equal(a.ASNs, b.ASNs)
	})
}

// String returns the text that as-path expressions match against, in Cisco's style:
// "65515 12076 {1,2} (65001 65002) [65003]", empty for the empty path.
func (p ASPath) String() string { return string(p.Append(nil)) }

// Append appends the form that String returns to b.
func (p ASPath) Append(b []byte) []byte {
	for i, s := range p {
		if i > 0 {
			b = append(b, ' ')
		}
		sep, open, end := s.brackets()
		b = append(b, open...)
		for j, asn := range s.listed() {
			if j > 0 {
				b = append(b, sep...)
			}
			b = strconv.AppendUint(b, uint64(asn), 10)
		}
		b = append(b, end...)
	}
	return b
}

// listed returns the ASNs in the order of the text form. A set has no order (RFC
// 4271 4.3): its ASNs are sorted and each appears once, so that an expression
// matches however they arrived.
func (s Segment) listed() []uint32 {
	if s.Type != ASSet && s.Type != ASConfedSet || len(s.ASNs) < 2 {
		return s.ASNs
	}
	asns := slices.Clone(s.ASNs)
	slices.Sort(asns)
	return slices.Compact(asns)
}

func (s Segment) brackets() (sep, open, end string) {
	switch s.Type {
	case ASSet:
		return ",", "{", "}"
	case ASConfedSequence:
		return " ", "(", ")"
	case ASConfedSet:
		return ",", "[", "]"
	}
	return " ", "", ""
}

// ParseASPath reads the form of [ASPath.String]: ASNs separated by spaces, sets as {1,2},
// confederation sequences as (1 2), and confederation sets as [1,2].
func ParseASPath(s string) (ASPath, error) {
	var out ASPath
	for rest := strings.TrimSpace(s); rest != ""; rest = strings.TrimSpace(rest) {
		seg, body := Segment{Type: ASSequence}, rest
		if i := strings.IndexByte("{([", rest[0]); i >= 0 {
			seg.Type = [...]SegmentType{ASSet, ASConfedSequence, ASConfedSet}[i]
			end := strings.IndexByte(rest, "})]"[i])
			if end < 0 {
				return nil, fmt.Errorf("%q is not an AS path: %q is not closed", s, rest[:1])
			}
			body, rest = rest[1:end], rest[end+1:]
		} else {
			end := strings.IndexAny(rest, "{([")
			if end < 0 {
				end = len(rest)
			}
			body, rest = rest[:end], rest[end:]
		}
		if err := seg.parse(body); err != nil {
			return nil, fmt.Errorf("%q is not an AS path: %w", s, err)
		}
		out = append(out, seg.split()...)
	}
	return out, nil
}

func (s *Segment) parse(body string) error {
	separator := func(r rune) bool { return r == ' ' || r == ',' && (s.Type == ASSet || s.Type == ASConfedSet) }
	for _, word := range strings.FieldsFunc(body, separator) {
		asn, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is not an ASN", word)
		}
		s.ASNs = append(s.ASNs, uint32(asn))
	}
	if len(s.ASNs) == 0 {
		return fmt.Errorf("empty segment")
	}
	return nil
}

// split makes segments of at most 255 ASNs (RFC 4271 4.3).
func (s Segment) split() ASPath {
	var out ASPath
	for len(s.ASNs) > 255 {
		out = append(out, Segment{s.Type, s.ASNs[:255]})
		s.ASNs = s.ASNs[255:]
	}
	return append(out, s)
}
