package policy

import (
	"errors"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/route"
)

// internet is the value of a standard rule that matches every route.
const internet = "internet"

// communityKind is what the three kinds of community differ in.
type communityKind[T comparable] struct {
	kind  Kind
	parse func(string) (T, error)
	text  func(T) string // as expressions see it
	of    func(*route.Attrs) []T
	put   func(*route.Attrs, []T)
	sort  func([]T) []T // sorted, without duplicates
}

var standardKind = &communityKind[route.Community]{
	kind:  KindCommunityList,
	parse: route.ParseCommunity,
	text:  route.Community.String,
	of:    func(a *route.Attrs) []route.Community { return a.Communities },
	put:   func(a *route.Attrs, v []route.Community) { a.Communities = v },
	sort:  route.SortedSet[route.Community],
}

var largeKind = &communityKind[route.LargeCommunity]{
	kind:  KindLargeCommunityList,
	parse: route.ParseLargeCommunity,
	text:  route.LargeCommunity.String,
	of:    func(a *route.Attrs) []route.LargeCommunity { return a.LargeCommunities },
	put:   func(a *route.Attrs, v []route.LargeCommunity) { a.LargeCommunities = v },
	sort: func(v []route.LargeCommunity) []route.LargeCommunity {
		slices.SortFunc(v, route.LargeCommunity.Compare)
		return slices.Compact(v)
	},
}

var extKind = &communityKind[route.ExtCommunity]{
	kind:  KindExtCommunityList,
	parse: route.ParseExtCommunity,
	text:  extText,
	of:    func(a *route.Attrs) []route.ExtCommunity { return a.ExtCommunities },
	put:   func(a *route.Attrs, v []route.ExtCommunity) { a.ExtCommunities = v },
	sort:  route.SortedSet[route.ExtCommunity],
}

// extText is the form that FRR shows and matches expressions against.
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
	*communityKind[T]
	name  string
	src   CommunityList
	rules []communityRule[T]
}

func (l *communityList[T]) ruleText(i int, _ uint32) string { return listRuleText(l, i, len(l.src)) }

type communityRule[T comparable] struct {
	permit  bool
	any     bool // "internet"
	values  []T
	pattern *pattern // nil for a standard rule
}

func buildCommunityList[T comparable](k *communityKind[T], name string, src CommunityList) (*communityList[T], []*Error) {
	rules, places, errs := ordered(k.kind, name, src, func(r *CommunityRule) *int { return &r.Seq })
	l := &communityList[T]{communityKind: k, name: name, src: rules}
	for i, r := range rules {
		c, err := k.compileRule(r)
		if err != nil {
			errs = append(errs, &Error{k.kind, name, places[i].index, places[i].seq, "", err})
		}
		l.rules = append(l.rules, c)
	}
	return l, errs
}

func (k *communityKind[T]) compileRule(r CommunityRule) (c communityRule[T], err error) {
	c.permit = r.Permit
	switch {
	case (len(r.Values) == 0) == (r.Regexp == ""):
		return c, errors.New("a rule has either communities or a regular expression")
	case r.Regexp != "":
		c.pattern, err = compilePattern(r.Regexp)
		return c, err
	case k.kind == KindCommunityList && slices.Contains(r.Values, internet):
		c.any = true
		return c, nil
	}
	c.values, err = k.parseAll(r.Values)
	return c, err
}

// parseAll returns the distinct values in order, joining all errors.
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

// communityMode is how the values of a standard rule are compared.
type communityMode uint8

const (
	modeAll   communityMode = iota // the route carries every value
	modeExact                      // and nothing else
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

// deletes reports whether the list permits the single community v, which is how
// a list says what to delete.
func (l *communityList[T]) deletes(v T) bool {
	text := []byte(l.text(v))
	for i := range l.rules {
		if r := &l.rules[i]; r.match([]T{v}, modeAny, text) {
			return r.permit
		}
	}
	return false
}

// communityMatch is a list as one clause asks it.
type communityMatch[T comparable] struct {
	*communityList[T]
	mode communityMode
}

func (m communityMatch[T]) decide(a *route.Attrs, buf *[]byte) verdict {
	have := m.of(a)
	*buf = (*buf)[:0]
	for i := range m.rules {
		r := &m.rules[i]
		if r.pattern != nil && len(*buf) == 0 {
			*buf = m.appendText(*buf, have)
		}
		if r.match(have, m.mode, *buf) {
			return listVerdict(i, r.permit)
		}
	}
	return listVerdict(len(m.rules), false)
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

func (l *communityList[T]) label() string { return string(l.kind) + " " + l.name }

func (l *communityList[T]) written(i int) string {
	if i >= len(l.src) {
		return implicitDeny
	}
	return l.src[i].String()
}

func (l *communityList[T]) looked(a *route.Attrs) string {
	return string(l.appendText(nil, l.of(a)))
}
