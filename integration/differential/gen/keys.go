package gen

import "github.com/nvad/nvad/pkg/policy"

// Keys returns the names under which the run counts a clause's content, for the common part.
func (c *Case) Keys(clause *policy.Clause) []string {
	var k keys
	k.add("permit", clause.Permit)
	k.add("deny", !clause.Permit)
	k.flow(clause)
	k.matches(&clause.Match)
	k.lists(&c.Library, &clause.Match)
	k.paths(&clause.Set)
	k.communities(&clause.Set)
	k.values(&clause.Set)
	return k
}

// AllKeys returns everything that Keys may return.
func AllKeys() []string {
	none, number := "none", &policy.Number{}
	plus, minus := &policy.Number{Op: '+'}, &policy.Number{Op: '-'}
	var k keys
	k.add("permit", true)
	k.add("deny", true)
	for next := policy.NextClause; next <= policy.NextContinue; next++ {
		k.flow(&policy.Clause{Next: next, Call: none})
	}
	k.matches(&policy.Match{
		PrefixList: none, ASPathList: none, CommunityList: none, CommunityExact: true, LargeCommunityList: none, LargeExact: true,
		ExtCommunityList: none, NextHopPrefixList: none, NextHop: RouterID, Peer: RouterID, MED: &number.Value,
		LocalPref: &number.Value, Origin: none, Tag: &number.Value,
	})
	k = append(k, "prefix-list ge", "prefix-list le", "prefix-list any", "community-list regexp", "large-community-list regexp",
		"ext-community-list regexp")
	for _, s := range []policy.Set{
		{ASPathReplace: "any", ASPathPrepend: []uint32{1}, ASPathExclude: []uint32{1}, LocalPref: number, MED: number},
		{ASPathReplace: "1", ASPathPrependLast: 1, LocalPref: plus, MED: plus, CommunityDelete: none, LargeCommunityDelete: none},
		{LocalPref: minus, MED: minus, Communities: []string{"1:1"}, LargeCommunities: []string{"1:1:1"}, NextHop: "1.1.1.1"},
		{Communities: []string{none}, LargeCommunities: []string{none}, ExtCommunities: []string{none}, NextHop: "self"},
		{CommunitiesAdd: []string{none}, LargeCommunitiesAdd: []string{none}, ExtCommunitiesAdd: []string{none}, NextHop: "peer"},
		{NextHop: "unchanged", Origin: none, Weight: &number.Value, Tag: &number.Value, AtomicAggregate: true, AggregatorASN: 1},
	} {
		k.paths(&s)
		k.communities(&s)
		k.values(&s)
	}
	return k.distinct()
}

type keys []string

func (k *keys) add(name string, said bool) {
	if said {
		*k = append(*k, name)
	}
}

func (k keys) distinct() []string {
	var out []string
	seen := map[string]bool{}
	for _, name := range k {
		if !seen[name] {
			out = append(out, name)
		}
		seen[name] = true
	}
	return out
}

func (k *keys) flow(c *policy.Clause) {
	k.add("call", c.Call != "")
	k.add("on-match next", c.Next == policy.NextClause)
	k.add("on-match goto", c.Next == policy.NextGoto)
	k.add("continue", c.Next == policy.NextContinue)
}

func (k *keys) matches(m *policy.Match) {
	k.add("match prefix-list", m.PrefixList != "")
	k.add("match as-path-list", m.ASPathList != "")
	k.add("match community-list", m.CommunityList != "")
	k.add("match community-list exact", m.CommunityExact)
	k.add("match large-community-list", m.LargeCommunityList != "")
	k.add("match large-community-list exact", m.LargeExact)
	k.add("match ext-community-list", m.ExtCommunityList != "")
	k.add("match next-hop-prefix-list", m.NextHopPrefixList != "")
	k.add("match next-hop", m.NextHop.IsValid())
	k.add("match peer", m.Peer.IsValid())
	k.add("match med", m.MED != nil)
	k.add("match local-preference", m.LocalPref != nil)
	k.add("match origin", m.Origin != "")
	k.add("match tag", m.Tag != nil)
}

// lists adds the kinds of entries in the lists that a clause refers to.
func (k *keys) lists(lib *policy.Library, m *policy.Match) {
	for _, r := range lib.PrefixLists[m.PrefixList] {
		k.add("prefix-list ge", r.GE != 0)
		k.add("prefix-list le", r.LE != 0)
		k.add("prefix-list any", r.Any)
	}
	expanded := func(l policy.CommunityList) bool { return len(l) > 0 && l[0].Regexp != "" }
	k.add("community-list regexp", expanded(lib.CommunityLists[m.CommunityList]))
	k.add("large-community-list regexp", expanded(lib.LargeCommunityLists[m.LargeCommunityList]))
	k.add("ext-community-list regexp", expanded(lib.ExtCommunityLists[m.ExtCommunityList]))
}

func (k *keys) paths(s *policy.Set) {
	k.add("set as-path-replace any", s.ASPathReplace == "any")
	k.add("set as-path-replace ASN", s.ASPathReplace != "" && s.ASPathReplace != "any")
	k.add("set as-path-prepend", s.ASPathPrepend != nil)
	k.add("set as-path-prepend-last", s.ASPathPrependLast > 0)
	k.add("set as-path-exclude", s.ASPathExclude != nil)
}

func (k *keys) communities(s *policy.Set) {
	for _, c := range []struct {
		name         string
		replace, add []string
		remove       string
	}{
		{"communities", s.Communities, s.CommunitiesAdd, s.CommunityDelete},
		{"large-communities", s.LargeCommunities, s.LargeCommunitiesAdd, s.LargeCommunityDelete},
		{"ext-communities", s.ExtCommunities, s.ExtCommunitiesAdd, s.ExtCommunityDelete},
	} {
		empty := len(c.replace) == 1 && c.replace[0] == "none"
		k.add("set "+c.name, c.replace != nil && !empty)
		k.add("set "+c.name+" none", empty)
		k.add("set "+c.name+" add", c.add != nil)
		k.add("set "+c.name+" delete", c.remove != "")
	}
}

func (k *keys) values(s *policy.Set) {
	k.number("set local-preference", s.LocalPref)
	k.number("set med", s.MED)
	kind := s.NextHop
	if kind != "" && kind != "self" && kind != "peer" && kind != "unchanged" {
		kind = "address"
	}
	k.add("set next-hop "+kind, kind != "")
	k.add("set origin", s.Origin != "")
	k.add("set weight", s.Weight != nil)
	k.add("set tag", s.Tag != nil)
	k.add("set atomic-aggregate", s.AtomicAggregate)
	k.add("set aggregator", s.AggregatorASN != 0)
}

func (k *keys) number(name string, n *policy.Number) {
	if n != nil {
		*k = append(*k, name+map[byte]string{0: "", '+': " +", '-': " -"}[n.Op])
	}
}
