package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// readPolicies reads the named lists and route-maps.
func readPolicies(t *tomlfile.Table) policy.Library {
	return policy.Library{
		PrefixLists:         readLists[policy.PrefixList](t, "prefix-list", parsePrefixRule, prefixSeq),
		ASPathLists:         readLists[policy.ASPathList](t, "as-path-list", policy.ParseASPathRule, pathSeq),
		CommunityLists:      readLists[policy.CommunityList](t, "community-list", communityRule(standardOrAll), communitySeq),
		LargeCommunityLists: readLists[policy.CommunityList](t, "large-community-list", communityRule(large), communitySeq),
		ExtCommunityLists:   readLists[policy.CommunityList](t, "ext-community-list", communityRule(extended), communitySeq),
		RouteMaps:           readRouteMaps(t),
	}
}

func prefixSeq(r *policy.PrefixRule) *int { return &r.Seq }

func pathSeq(r *policy.ASPathRule) *int { return &r.Seq }

func communitySeq(r *policy.CommunityRule) *int { return &r.Seq }

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

// readLists reads a table of lists. Each list has rules that parse accepts. A rule without
// a number follows the one before it.
func readLists[L ~[]R, R any](t *tomlfile.Table, key string, parse func(string) (R, error), seq func(*R) *int) map[string]L {
	sub := t.Sub(key)
	if sub == nil {
		return nil
	}
	out := map[string]L{}
	sub.Each(func(name string, c tomlfile.Cell) {
		checkNameOf(c, name)
		out[name] = readRules(c, parse, seq)
	})
	return orNil(out)
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

// standard, large and extended return the normalised text of a community.
func standard(s string) (string, error) {
	c, err := route.ParseCommunity(s)
	return c.String(), err
}

// standardOrAll also accepts "internet", which lists use for any route.
func standardOrAll(s string) (string, error) {
	if s == "internet" {
		return s, nil
	}
	return standard(s)
}

func large(s string) (string, error) {
	c, err := route.ParseLargeCommunity(s)
	return c.String(), err
}

func extended(s string) (string, error) {
	c, err := route.ParseExtCommunity(s)
	return c.String(), err
}
