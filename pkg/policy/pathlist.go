package policy

import (
	"regexp/syntax"
	"slices"
	"strconv"

	"github.com/nvad/nvad/pkg/route"
)

// pathList is a compiled [ASPathList].
type pathList struct {
	name     string
	rules    []ASPathRule
	patterns []*pattern
	all      *dfa // of all patterns; nil if it would be too large
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
	if len(errs) == 0 {
		l.all = combine(l.patterns)
	}
	return l, errs
}

// combine returns one automaton for all patterns, or nil.
func combine(patterns []*pattern) *dfa {
	progs := make([]*syntax.Prog, len(patterns))
	for i, p := range patterns {
		if p.dfa == nil {
			return nil
		}
		progs[i] = p.prog
	}
	return newDFA(progs)
}

func (l *pathList) decide(a *route.Attrs, buf *[]byte) verdict {
	*buf = appendPath((*buf)[:0], a.ASPath)
	if i := l.first(*buf); i >= 0 {
		return listVerdict(i, l.rules[i].Permit)
	}
	return listVerdict(len(l.rules), false)
}

// first returns the index of the first rule that matches text, or -1.
func (l *pathList) first(text []byte) int {
	if l.all != nil {
		return l.all.match(text)
	}
	return slices.IndexFunc(l.patterns, func(p *pattern) bool { return p.match(text) })
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
		for j, asn := range s.Listed() {
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
