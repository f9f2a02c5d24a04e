package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// listKinds declares the kinds of lists in the order of the normalised form.
var listKinds = []listKind{
	lists[policy.PrefixList, policy.PrefixRule]{
		policy.KindPrefixList, func(l *policy.Library) *map[string]policy.PrefixList { return &l.PrefixLists },
		parsePrefixRule, func(r *policy.PrefixRule) *int { return &r.Seq }, policy.PrefixRule.String,
	},
	lists[policy.ASPathList, policy.ASPathRule]{
		policy.KindASPathList, func(l *policy.Library) *map[string]policy.ASPathList { return &l.ASPathLists },
		policy.ParseASPathRule, func(r *policy.ASPathRule) *int { return &r.Seq }, policy.ASPathRule.String,
	},
	communityLists(policy.KindCommunityList, func(l *policy.Library) *communityMap { return &l.CommunityLists }, standardOrAll),
	communityLists(policy.KindLargeCommunityList, func(l *policy.Library) *communityMap { return &l.LargeCommunityLists }, large),
	communityLists(policy.KindExtCommunityList, func(l *policy.Library) *communityMap { return &l.ExtCommunityLists }, extended),
}

// listKind is one kind of list: a table of the file whose keys the user names.
type listKind interface {
	read(file *tomlfile.Table, lib *policy.Library)
	print(p *tomlfile.Printer, cfg *Config)
	diff(d policyDiff, old, new *policy.Library) []Change
	names(lib *policy.Library) (kind string, names []string)
}

// lists implements [listKind] for lists L of rules R.
type lists[L ~[]R, R any] struct {
	kind  policy.Kind
	at    func(*policy.Library) *map[string]L
	parse func(string) (R, error)
	seq   func(*R) *int
	text  func(R) string
}

type communityMap = map[string]policy.CommunityList

func communityLists(kind policy.Kind, at func(*policy.Library) *communityMap, norm func(string) (string, error)) listKind {
	return lists[policy.CommunityList, policy.CommunityRule]{
		kind, at, communityRule(norm), func(r *policy.CommunityRule) *int { return &r.Seq }, policy.CommunityRule.String,
	}
}

func (k lists[L, R]) names(lib *policy.Library) (string, []string) {
	return string(k.kind), tomlfile.SortedKeys(*k.at(lib))
}

func (k lists[L, R]) diff(d policyDiff, old, new *policy.Library) []Change {
	return diffObjects(d, k.kind, *k.at(old), *k.at(new))
}

// print writes the lists, except those of presets. A rule is numbered only if reading it
// without a number would give it another one.
func (k lists[L, R]) print(p *tomlfile.Printer, cfg *Config) {
	var lines []string
	for _, name := range tomlfile.SortedKeys(*k.at(&cfg.Policies)) {
		if k.kind == policy.KindASPathList && cfg.fromPreset(name) {
			continue
		}
		list := (*k.at(&cfg.Policies))[name]
		var numbers numbering
		rules := make([]string, len(list))
		for i, rule := range list {
			n := k.seq(&rule)
			following := numbers.next()
			numbers.take(*n)
			if *n == following {
				*n = 0
			}
			rules[i] = tomlfile.Quote(k.text(rule))
		}
		lines = append(lines, fmt.Sprintf("%s = %s", tomlfile.QuoteKey(name), tomlfile.Wrap(rules)))
	}
	if len(lines) > 0 {
		p.Section("["+string(k.kind)+"]", lines)
	}
}

// read reads the table. A rule without a number follows the one before it.
func (k lists[L, R]) read(file *tomlfile.Table, lib *policy.Library) {
	sub := file.Sub(string(k.kind))
	if sub == nil {
		return
	}
	out := map[string]L{}
	sub.Each(func(name string, c tomlfile.Cell) {
		checkNameOf(c, name)
		out[name] = readRules(c, k.parse, k.seq)
	})
	*k.at(lib) = orNil(out)
}

// parsePrefixRule refuses bits beyond a prefix's length. FRR clears them silently, but
// their author meant something else.
func parsePrefixRule(s string) (policy.PrefixRule, error) {
	r, err := policy.ParsePrefixRule(s)
	if err != nil || r.Any {
		return r, err
	}
	for _, word := range strings.Fields(s) {
		if p, err := netip.ParsePrefix(word); err == nil && p != p.Masked() {
			return r, fmt.Errorf("%s has bits set beyond its length; did you mean %s?", p, p.Masked())
		}
	}
	return r, nil
}

// communityRule returns a parser for rules about one kind of community; norm brings each
// community to its normalised text.
func communityRule(norm func(string) (string, error)) func(string) (policy.CommunityRule, error) {
	return func(s string) (policy.CommunityRule, error) {
		r, err := policy.ParseCommunityRule(s)
		for i := 0; i < len(r.Values) && err == nil; i++ {
			r.Values[i], err = norm(r.Values[i])
		}
		return r, err
	}
}

func readRules[R any](c tomlfile.Cell, parse func(string) (R, error), seq func(*R) *int) []R {
	cells, ok := c.Items("a list of rules")
	if !ok {
		return nil
	}
	if len(cells) == 0 {
		c.Fail("the list is empty and would deny everything; add a rule, such as \"permit any\"")
	}
	var rules []R
	var numbers numbering
	for _, item := range cells {
		s, ok := item.Text("a rule")
		if !ok {
			continue
		}
		rule, err := parse(s)
		if err != nil {
			item.Fail("%v", err)
			continue
		}
		n := seq(&rule)
		*n = numbers.take(*n)
		rules = append(rules, rule)
		c.Doc.Element(c.Key, item)
	}
	return rules
}

// seqStep is the distance between the numbers of rules and clauses that have none in
// the file, as in FRR.
const seqStep = 5

// numbering numbers the rules of a list that have no number; see policy.PrefixRule.
type numbering struct{ highest int }

// next returns the number of a rule without one.
func (s *numbering) next() int { return s.highest/seqStep*seqStep + seqStep }

// take returns n, or the next number if n is 0.
func (s *numbering) take(n int) int {
	if n == 0 {
		n = s.next()
	}
	s.highest = max(s.highest, n)
	return n
}

// normal returns a function that brings a community to its normalised text.
func normal[T fmt.Stringer](parse func(string) (T, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		c, err := parse(s)
		return c.String(), err
	}
}

var (
	standard = normal(route.ParseCommunity)
	large    = normal(route.ParseLargeCommunity)
	extended = normal(route.ParseExtCommunity)
)

// standardOrAll also accepts "internet", which lists use for any route.
func standardOrAll(s string) (string, error) {
	if s == "internet" {
		return s, nil
	}
	return standard(s)
}
