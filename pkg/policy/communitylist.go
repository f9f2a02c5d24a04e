package policy

import (
	"errors"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/route"
)

// internet as a value makes a standard rule match every route.
const internet = "internet"

// communityKind holds the functions in which the three kinds of community differ.
type communityKind[T comparable] struct {
	lists Kind
	parse func(string) (T, error)
	text  func(T) string // the form that expressions match
	of    func(*route.Attrs) []T
	put   func(*route.Attrs, []T)
	sort  func([]T) []T // sorted, without duplicates
}

var standardKind = &communityKind[route.Community]{
	lists: KindCommunityList,
	parse: route.ParseCommunity,
	text:  route.Community.String,
	of:    func(a *route.Attrs) []route.Community { return a.Communities },
	put:   func(a *route.Attrs, v []route.Community) { a.Communities = v },
	sort:  route.SortedSet[route.Community],
}

var largeKind = &communityKind[route.LargeCommunity]{
	lists: KindLargeCommunityList,
	parse: route.ParseLargeCommunity,
	text:  route.LargeCommunity.String,
	of:    func(a *route.Attrs) []route.LargeCommunity { return a.LargeCommunities },
	put:   func(a *route.Attrs, v []route.LargeCommunity) { a.LargeCommunities = v },
	sort:  route.SortedLargeSet,
}

var extKind = &communityKind[route.ExtCommunity]{
	lists: KindExtCommunityList,
	parse: route.ParseExtCommunity,
	text:  extText,
	of:    func(a *route.Attrs) []route.ExtCommunity { return a.ExtCommunities },
	put:   func(a *route.Attrs, v []route.ExtCommunity) { a.ExtCommunities = v },
	sort:  route.SortedSet[route.ExtCommunity],
}

// extText returns the form that FRR shows and matches expressions against.
func extText(c route.ExtCommunity) string {
	s := c.String()
	if v, ok := strings.CutPrefix(s, "rt "); ok {
		return "RT:" + v
	}
	if v, ok := strings.CutPrefix(s, "soo "); ok {
		return "SoO:" + v
	}
	return s
}

// communityList is a compiled [CommunityList].
type communityList[T comparable] struct {
	ruleList[CommunityRule]
	*communityKind[T]
	compiled []communityRule[T]
}

type communityRule[T comparable] struct {
	permit  bool
	any     bool // "internet"
	values  []T
	pattern *pattern // nil for a standard rule
}

func (k *communityKind[T]) build(name string, src CommunityList) (*communityList[T], []*Error) {
	l := &communityList[T]{communityKind: k}
	var errs []*Error
	l.ruleList, errs = newRuleList(k.lists, name, src, communitySeq, func(r *CommunityRule) error {
		c, err := k.compileRule(r)
		l.compiled = append(l.compiled, c)
		return err
	})
	return l, errs
}

func (k *communityKind[T]) compileRule(r *CommunityRule) (c communityRule[T], err error) {
	c.permit = r.Permit
	switch {
	case (len(r.Values) == 0) == (r.Regexp == ""):
		return c, errors.New("a rule has either communities or a regular expression")
	case r.Regexp != "":
		c.pattern, err = compilePattern(r.Regexp)
		return c, err
	case k.lists == KindCommunityList && slices.Contains(r.Values, internet):
		c.any = true
		return c, nil
	}
	c.values, err = k.parseAll(r.Values)
	return c, err
}

// parseAll returns the distinct values in order; the error joins those of all words.
func (k *communityKind[T]) parseAll(words []string) ([]T, error) {
	out := make([]T, 0, len(words))
	var errs []error
	for _, w := range words {
		v, err := k.parse(w)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, v)
	}
	return k.sort(out), errors.Join(errs...)
}

// communityMode selects how the values of a standard rule are compared.
type communityMode uint8

const (
	modeAll   communityMode = iota // the route carries every value
	modeExact                      // and no other
	modeAny                        // the route carries one of them
)

func modeOf(exact, any bool) communityMode {
	switch {
	case exact:
		return modeExact
	case any:
		return modeAny
	}
	return modeAll
}

func (r *communityRule[T]) match(have []T, mode communityMode, text []byte) bool {
	if r.any {
		return true
	}
	if r.pattern != nil {
		return r.pattern.match(text)
	}
	held := func(v T) bool { return slices.Contains(have, v) }
	if mode == modeAny {
		return slices.ContainsFunc(r.values, held)
	}
	if mode == modeExact && len(have) != len(r.values) {
		return false
	}
	return !slices.ContainsFunc(r.values, func(v T) bool { return !held(v) })
}

// deletes reports whether the list permits the community v by itself: set
// community-delete removes such communities.
func (l *communityList[T]) deletes(v T) bool {
	text := []byte(l.text(v))
	for i := range l.compiled {
		if r := &l.compiled[i]; r.match([]T{v}, modeAny, text) {
			return r.permit
		}
	}
	return false
}

// communityMatch is a list with the mode in which one clause asks it.
type communityMatch[T comparable] struct {
	*communityList[T]
	mode communityMode
}

func (m communityMatch[T]) decide(a *route.Attrs, buf *[]byte) verdict {
	have := m.of(a)
	*buf = (*buf)[:0]
	for i := range m.compiled {
		r := &m.compiled[i]
		if r.pattern != nil && len(*buf) == 0 {
			*buf = m.appendText(*buf, have)
		}
		if r.match(have, m.mode, *buf) {
			return listVerdict(i, r.permit)
		}
	}
	return m.noMatch()
}

func (l *communityList[T]) appendText(b []byte, have []T) []byte {
	for i, v := range have {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, l.text(v)...)
	}
	return b
}

func (l *communityList[T]) looked(a *route.Attrs) string {
	return string(l.appendText(nil, l.of(a)))
}
