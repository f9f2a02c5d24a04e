package policy

import (
	"strconv"

	"github.com/nvad/nvad/pkg/route"
)

// pathList is a compiled [ASPathList].
type pathList struct {
	name     string
	rules    []ASPathRule
	patterns []*pattern
}

func buildPathList(name string, src ASPathList) (*pathList, []*Error) {
	rules, places, errs := ordered(KindASPathList, name, src, func(r *ASPathRule) *int { return &r.Seq })
	l := &pathList{name: name, rules: rules}
	for i, r := range rules {
		p, err := compilePattern(r.Regexp)
		if err != nil {
			errs = append(errs, &Error{KindASPathList, name, places[i].index, places[i].seq, "", err})
		}
		l.patterns = append(l.patterns, p)
	}
	return l, errs
}

func (l *pathList) decide(a *route.Attrs, buf *[]byte) verdict {
	*buf = appendPath((*buf)[:0], a.ASPath)
	for i, p := range l.patterns {
		if p.match(*buf) {
			return listVerdict(i, l.rules[i].Permit)
		}
	}
	return listVerdict(len(l.rules), false)
}

func (l *pathList) label() string { return string(KindASPathList) + " " + l.name }

func (l *pathList) written(i int) string {
	if i >= len(l.rules) {
		return implicitDeny
	}
	return l.rules[i].String()
}

func (l *pathList) ruleText(i int, _ uint32) string { return listRuleText(l, i, len(l.rules)) }
func (l *pathList) looked(a *route.Attrs) string    { return a.ASPath.String() }

// segmentMarks are the characters around and between the ASNs of a segment.
var segmentMarks = [...]struct{ open, sep, end byte }{
	route.ASSet:            {'{', ',', '}'},
	route.ASSequence:       {0, ' ', 0},
	route.ASConfedSequence: {'(', ' ', ')'},
	route.ASConfedSet:      {'[', ',', ']'},
}

// appendPath appends the text of p, which is that of its String method, without
// an allocation of its own.
func appendPath(b []byte, p route.ASPath) []byte {
	for i, s := range p {
		if i > 0 {
			b = append(b, ' ')
		}
		marks := segmentMarks[route.ASSequence]
		if int(s.Type) < len(segmentMarks) && s.Type != 0 {
			marks = segmentMarks[s.Type]
		}
		if marks.open != 0 {
			b = append(b, marks.open)
		}
		for j, asn := range s.ASNs {
			if j > 0 {
				b = append(b, marks.sep)
			}
			b = strconv.AppendUint(b, uint64(asn), 10)
		}
		if marks.end != 0 {
			b = append(b, marks.end)
		}
	}
	return b
}
