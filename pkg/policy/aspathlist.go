package policy

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/route"
)

// pathList is a compiled [ASPathList].
type pathList struct {
	ruleList[ASPathRule]
	patterns []*pattern
	all      *dfa // one automaton for all patterns; nil if it would be too large
}

func buildPathList(name string, src ASPathList) (*pathList, []*Error) {
	l := &pathList{}
	var errs []*Error
	l.ruleList, errs = newRuleList(KindASPathList, name, src, pathSeq, func(r *ASPathRule) error {
		p, err := compilePattern(r.Regexp)
		l.patterns = append(l.patterns, p)
		return err
	})
	if len(errs) == 0 {
		l.all = combine(l.patterns)
	}
	return l, errs
}

// combine returns one automaton for all patterns, or nil if one of them has none.
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
	*buf = a.ASPath.Append((*buf)[:0])
	if i := l.first(*buf); i >= 0 {
		return listVerdict(i, l.rules[i].Permit)
	}
	return l.noMatch()
}

func (l *pathList) looked(a *route.Attrs) string { return a.ASPath.String() }

// first returns the index of the first rule that matches text, or -1.
func (l *pathList) first(text []byte) int {
	if l.all != nil {
		return l.all.match(text)
	}
	return slices.IndexFunc(l.patterns, func(p *pattern) bool { return p.match(text) })
}

// underscore replaces "_" in a pattern.
const underscore = "(^|[,{}() ]|$)"

// pattern is one compiled expression of an as-path-list or community-list. The
// texts that it is matched against are ASCII.
type pattern struct {
	prog *syntax.Prog
	dfa  *dfa
	slow *regexp.Regexp // in place of an automaton that would be too large
}

// maxPatternLength bounds the time that compiling takes.
const maxPatternLength = 1000

// compilePattern compiles a POSIX extended expression in which "_" stands for a
// separator or an end of the text.
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

// patternError leaves the expression out of err, as "_" is expanded there.
func patternError(err error) error {
	var se *syntax.Error
	if errors.As(err, &se) {
		return errors.New("bad regular expression: " + se.Code.String())
	}
	return err
}

// underscoreInBrackets reports whether "_" is part of a bracket expression.
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
// start, or the length of expr if nothing does. A "]" that comes first is an
// ordinary character.
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
