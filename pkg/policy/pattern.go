package policy

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

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
