package policy

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
)

// CheckLibrary returns every problem of every object in lib, whether or not
// something refers to the object, ordered by kind, name and rule. Problems that
// depend on a session, such as a next hop that only makes sense in one direction,
// are left to [Compile].
func CheckLibrary(lib *Library) []*Error {
	b := newBuilder(NewCompiler(lib), Session{Export: true})
	b.c.prefixes.check(b)
	b.c.paths.check(b)
	b.c.standard.check(b)
	b.c.large.check(b)
	b.c.ext.check(b)
	// The order decides which route-map of a loop gets the error.
	for _, name := range slices.Sorted(maps.Keys(lib.RouteMaps)) {
		b.routeMap("", name)
	}
	slices.SortStableFunc(b.errs, func(x, y *Error) int {
		return cmp.Or(cmp.Compare(kindOrder(x.Kind), kindOrder(y.Kind)), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Index, y.Index))
	})
	return b.errs
}

func kindOrder(k Kind) int {
	return slices.Index([]Kind{KindPrefixList, KindASPathList, KindCommunityList, KindLargeCommunityList, KindExtCommunityList, KindRouteMap}, k)
}

// Unreached reports rules of a list, or clauses of a route-map, that no route ever
// reaches because an earlier one decides first.
type Unreached struct {
	Kind  Kind
	Name  string
	Index int    // position of the first such rule as written, from 0
	Seq   int    // number of that rule
	Count int    // how many rules are not reached because of By
	By    string // the earlier rule: "seq 5 permit any", "permit 10"
}

// FindUnreached returns the rules of lib that are never reached, by kind and name.
// In a prefix-list, a rule that an earlier one covers is reported only if their
// actions differ, or if the earlier one matches every prefix of the family: merely
// repeating an exception does no harm. A rule that several others cover only
// together is not found.
func FindUnreached(lib *Library) []Unreached {
	var out []Unreached
	each(lib.PrefixLists, func(name string, l PrefixList) { out = append(out, unreachedPrefixes(name, l)...) })
	each(lib.ASPathLists, func(name string, l ASPathList) {
		out = append(out, afterAll(KindASPathList, name, l, pathSeq, ASPathRule.all)...)
	})
	for _, k := range []struct {
		kind  Kind
		lists map[string]CommunityList
	}{{KindCommunityList, lib.CommunityLists}, {KindLargeCommunityList, lib.LargeCommunityLists}, {KindExtCommunityList, lib.ExtCommunityLists}} {
		each(k.lists, func(name string, l CommunityList) {
			out = append(out, afterAll(k.kind, name, l, communitySeq, CommunityRule.all)...)
		})
	}
	each(lib.RouteMaps, func(name string, m RouteMap) { out = append(out, unreachedClauses(name, m)...) })
	return out
}

func each[T any](objects map[string]T, f func(string, T)) {
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		f(name, objects[name])
	}
}

// lengthRange is a rule and the route lengths that it matches.
type lengthRange struct{ rule, lo, hi int }

// unreachedPrefixes looks for each rule among the earlier rules of the prefixes that
// cover its own, which costs a few look-ups a rule however long the list.
func unreachedPrefixes(name string, list PrefixList) (out []Unreached) {
	rules, places, _ := ordered(KindPrefixList, name, list, prefixSeq)
	found := finds{kind: KindPrefixList, name: name, places: places}
	earlier := map[netip.Prefix][]lengthRange{}
	whole := -1
	for i := range rules {
		r := &rules[i]
		if whole >= 0 {
			found.add(i, whole, rules[whole].String())
			continue
		}
		if r.Any {
			whole = i
			continue
		}
		if by := cover(earlier, rules, r); by >= 0 {
			found.add(i, by, rules[by].String())
			continue
		}
		lo, hi := r.lengths()
		p := r.Prefix.Masked()
		earlier[p] = append(earlier[p], lengthRange{i, lo, hi})
	}
	return found.list
}

// cover returns the first of the earlier rules that matches everything that r
// matches and either has the other action or matches the whole family; -1 if there
// is none.
func cover(earlier map[netip.Prefix][]lengthRange, rules []PrefixRule, r *PrefixRule) int {
	lo, hi := r.lengths()
	for bits := 0; bits <= r.Prefix.Bits(); bits++ {
		p, _ := r.Prefix.Addr().Prefix(bits)
		for _, e := range earlier[p] {
			everything := bits == 0 && e.lo == 0 && e.hi == r.Prefix.Addr().BitLen()
			if e.lo <= lo && hi <= e.hi && (everything || rules[e.rule].Permit != r.Permit) {
				return e.rule
			}
		}
	}
	return -1
}

// afterAll reports the rules after the first one that matches every route.
func afterAll[R interface{ String() string }](kind Kind, name string, list []R, seq func(*R) *int, all func(R) bool) []Unreached {
	rules, places, _ := ordered(kind, name, list, seq)
	at := slices.IndexFunc(rules, all)
	if at < 0 {
		return nil
	}
	found := finds{kind: kind, name: name, places: places}
	for i := at + 1; i < len(rules); i++ {
		found.add(i, at, rules[at].String())
	}
	return found.list
}

// unreachedClauses follows every way through the route-map. A clause without
// conditions always matches, so that the next one is reached only if it goes on.
func unreachedClauses(name string, m RouteMap) []Unreached {
	clauses, places, _ := ordered(KindRouteMap, name, m, clauseSeq)
	found := finds{kind: KindRouteMap, name: name, places: places}
	reached := make([]bool, len(clauses)+1)
	reached[0] = true
	last := 0 // the last clause reached that matches every route
	for i := range clauses {
		c := &clauses[i]
		if !reached[i] {
			found.add(i, last, action(clauses[last].Permit)+" "+strconv.Itoa(clauses[last].Seq))
			continue
		}
		if c.Match == (Match{}) {
			last = i
		} else {
			reached[i+1] = true
		}
		if next, err := following(i, clauses); err == nil {
			reached[next] = true // len(clauses) is the end
		}
	}
	return found.list
}

// finds collects the results for one object, one for each rule that is a cause.
type finds struct {
	kind   Kind
	name   string
	places []position
	list   []Unreached
	causes []int
}

func (f *finds) add(rule, cause int, by string) {
	if i := slices.Index(f.causes, cause); i >= 0 {
		f.list[i].Count++
		return
	}
	at := f.places[rule]
	f.causes = append(f.causes, cause)
	f.list = append(f.list, Unreached{f.kind, f.name, at.index, at.seq, 1, by})
}

// all reports whether the rule matches every path.
func (r ASPathRule) all() bool { return matchesAll(r.Regexp) }

// all reports whether the rule matches every route.
func (r CommunityRule) all() bool {
	if r.Regexp != "" {
		return matchesAll(r.Regexp)
	}
	return slices.Contains(r.Values, internet)
}

// matchesAll reports whether an expression matches every text of printable ASCII
// characters; false if it is invalid or has no automaton to find that out with.
func matchesAll(expr string) bool {
	p, err := compilePattern(expr)
	if err != nil || p.dfa == nil {
		return false
	}
	d := p.dfa
	seen := make([]bool, len(d.result))
	states := []uint16{d.start}
	for len(states) > 0 {
		s := states[len(states)-1]
		states = states[:len(states)-1]
		if seen[s] {
			continue
		}
		seen[s] = true
		if d.result[s] < 0 {
			return false
		}
		for c := ' '; c <= '~'; c++ {
			states = append(states, d.next[int(s)*d.width+int(d.class[c])]&^stopped)
		}
	}
	return true
}
