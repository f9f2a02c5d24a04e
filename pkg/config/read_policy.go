package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

// readPolicies reads the named lists and route-maps.
func readPolicies(t *table) policy.Library {
	return policy.Library{
		PrefixLists:         readLists[policy.PrefixList](t, "prefix-list", parsePrefixRule, prefixSeq),
		ASPathLists:         readLists[policy.ASPathList](t, "as-path-list", policy.ParseASPathRule, pathSeq),
		CommunityLists:      readLists[policy.CommunityList](t, "community-list", communityRule(standardOrAll), communitySeq),
		LargeCommunityLists: readLists[policy.CommunityList](t, "large-community-list", communityRule(large), communitySeq),
		ExtCommunityLists:   readLists[policy.CommunityList](t, "ext-community-list", communityRule(extended), communitySeq),
		RouteMaps:           readRouteMaps(t),
	}
}

func prefixSeq(r *policy.PrefixRule) *int       { return &r.Seq }
func pathSeq(r *policy.ASPathRule) *int         { return &r.Seq }
func communitySeq(r *policy.CommunityRule) *int { return &r.Seq }

// parsePrefixRule refuses bits beyond a prefix's length: FRR clears them, but
// whoever wrote them meant something else.
func parsePrefixRule(s string) (policy.PrefixRule, error) {
	r, err := policy.ParsePrefixRule(s)
	if err != nil || r.Any {
		return r, err
	}
	for _, word := range strings.Fields(s) {
		if p, err := netip.ParsePrefix(word); err == nil && p != p.Masked() {
			return r, fmt.Errorf("%s has bits set beyond its length; the network is %s", p, p.Masked())
		}
	}
	return r, nil
}

// communityRule parses rules of one kind of community, each brought to its one
// text form by norm.
func communityRule(norm func(string) (string, error)) func(string) (policy.CommunityRule, error) {
	return func(s string) (policy.CommunityRule, error) {
		r, err := policy.ParseCommunityRule(s)
		for i := 0; i < len(r.Values) && err == nil; i++ {
			r.Values[i], err = norm(r.Values[i])
		}
		return r, err
	}
}

// readLists reads a table of lists, each a list of rules in the grammar of
// parse. A rule without a number follows the one before it.
func readLists[L ~[]R, R any](t *table, key string, parse func(string) (R, error), seq func(*R) *int) map[string]L {
	sub := t.sub(key)
	if sub == nil {
		return nil
	}
	out := map[string]L{}
	sub.each(func(name string, c cell) {
		checkNameOf(c, name)
		out[name] = readRules(c, parse, seq)
	})
	return orNil(out)
}

func readRules[R any](c cell, parse func(string) (R, error), seq func(*R) *int) []R {
	cells, ok := c.items("a list of rules")
	if !ok {
		return nil
	}
	if len(cells) == 0 {
		c.fail("the list is empty; it would deny everything")
	}
	var rules []R
	var numbers numbering
	for _, item := range cells {
		s, ok := item.text("a rule")
		if !ok {
			continue
		}
		rule, err := parse(s)
		if err != nil {
			item.fail("%v", err)
			continue
		}
		n := seq(&rule)
		*n = numbers.take(*n)
		rules = append(rules, rule)
		c.doc.element(c.key, item)
	}
	return rules
}

// numbering gives numbers to the rules of a list that have none, as
// policy.PrefixRule tells.
type numbering struct{ highest int }

// next is the number of a rule that has none.
func (s *numbering) next() int { return s.highest/seqStep*seqStep + seqStep }

// take is n, or the next number if n is 0.
func (s *numbering) take(n int) int {
	if n == 0 {
		n = s.next()
	}
	s.highest = max(s.highest, n)
	return n
}

func readRouteMaps(t *table) map[string]policy.RouteMap {
	sub := t.sub("route-map")
	if sub == nil {
		return nil
	}
	out := map[string]policy.RouteMap{}
	sub.each(func(name string, c cell) {
		checkNameOf(c, name)
		cells, _ := c.items("an array of tables ([[route-map." + tomlKey(name) + "]])")
		var clauses policy.RouteMap
		var numbers numbering
		for _, item := range cells {
			given, _ := item.val.(map[string]any)["seq"].(int64)
			clause := policy.Clause{Seq: numbers.take(int(given))}
			if key := fmt.Sprintf("%s.%d", c.key, clause.Seq); c.doc.lines[key] == 0 {
				item.key = key
			}
			if t, ok := item.table(); ok {
				readFields(t, &clause, clauseFields)
				t.done()
				clauses = append(clauses, clause)
				c.doc.element(c.key, item)
			}
		}
		out[name] = clauses
	})
	return orNil(out)
}

// orNil makes an empty table the same as none.
func orNil[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	return m
}
