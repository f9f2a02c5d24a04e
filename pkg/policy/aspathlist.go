package policy

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

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

// underscore is what "_" stands for in a pattern.
const underscore = "(^|[,{}() ]|$)"

// pattern is one compiled expression of an as-path-list or community-list. It
// is run over a text form of ASCII characters.
type pattern struct {
	prog *syntax.Prog
	dfa  *dfa
	// slow does the work of the few expressions whose automaton would be large.
	slow *regexp.Regexp
}

// maxPatternLength keeps the time that compiling takes within bounds.
const maxPatternLength = 1000

// compilePattern reads a POSIX extended expression in which "_" is a separator
// or an end of the text.
func compilePattern(expr string) (*pattern, error) {
	if expr == "" {
		return nil, errors.New("the regular expression is empty")
	}
	if len(expr) > maxPatternLength {
		return nil, fmt.Errorf("the regular expression is longer than %d characters", maxPatternLength)
	}
	if underscoreInBrackets(expr) {
		return nil, errors.New(`"_" is a separator and can't stand between brackets`)
	}
	full := strings.ReplaceAll(expr, "_", underscore)
	re, err := syntax.Parse(full, syntax.POSIX)
	if err != nil {
		return nil, patternError(err)
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, patternError(err)
	}
	p := &pattern{prog: prog, dfa: newDFA([]*syntax.Prog{prog})}
	if p.dfa == nil {
		p.slow, err = regexp.CompilePOSIX(full)
	}
	return p, err
}

// patternError says what is wrong without the expansion of "_".
func patternError(err error) error {
	var se *syntax.Error
	if errors.As(err, &se) {
		return errors.New("bad regular expression: " + se.Code.String())
	}
	return err
}

// underscoreInBrackets reports whether "_" is part of a bracket expression,
// where a "]" that comes first is an ordinary character.
func underscoreInBrackets(expr string) bool {
	for i := 0; i < len(expr); i++ {
		switch expr[i] {
		case '\\':
			i++
		case '[':
			end := bracketEnd(expr, i)
			if strings.Contains(expr[i:end], "_") {
				return true
			}
			i = end
		}
	}
	return false
}

// bracketEnd returns the index of the "]" that closes the bracket expression at
// start, or the length of expr if nothing does.
func bracketEnd(expr string, start int) int {
	i := start + 1
	if i < len(expr) && expr[i] == '^' {
		i++
	}
	for first := i; i < len(expr); i++ {
		if expr[i] == ']' && i > first {
			return i
		}
		if expr[i] == '[' && i+1 < len(expr) && expr[i+1] == ':' {
			if n := strings.Index(expr[i:], ":]"); n > 0 {
				i += n + 1
			}
		}
	}
	return len(expr)
}

// match reports whether the expression matches anywhere in text.
func (p *pattern) match(text []byte) bool {
	if p.dfa != nil {
		return p.dfa.match(text) == 0
	}
	return p.slow.Match(text)
}
