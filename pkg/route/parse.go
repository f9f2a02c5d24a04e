package route

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseASPath is the inverse of [ASPath.String]: ASNs separated by spaces, sets
// as {1,2}, confederation sequences as (1 2) and sets as [1,2].
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
