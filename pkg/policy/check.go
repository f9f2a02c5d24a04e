package policy

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
)

// CheckLibrary returns every problem of every object of lib, whether or not
// something refers to it, in the order of kind, name and rule. Problems that
// depend on a session, such as a next hop that only makes sense in one
// direction, are for [Compile] to find.
func CheckLibrary(lib *Library) []*Error {
	b := newBuilder(NewCompiler(lib), Session{Export: true})
	for name := range lib.PrefixLists {
		b.prefixList("", name)
	}
	for name := range lib.ASPathLists {
		b.pathList("", name)
	}
	for name := range lib.CommunityLists {
		b.c.standard.list(b, "", name)
	}
	for name := range lib.LargeCommunityLists {
		b.c.large.list(b, "", name)
	}
	for name := range lib.ExtCommunityLists {
		b.c.ext.list(b, "", name)
	}
	// The order decides which route-map of a loop is told.
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

// Unreached is rules of a list, or clauses of a route-map, that no route ever
// gets to, because an earlier one has decided.
type Unreached struct {
	Kind  Kind
	Name  string
	Index int    // of the first such rule, as written, from 0
	Seq   int    // its number
	Count int    // how many rules By keeps from being reached
	By    string // the earlier rule: "seq 5 permit any", "permit 10"
}

// FindUnreached returns the rules of lib that are never reached, by kind and name.
// In a prefix-list, a rule that an earlier one covers counts only if both differ in
// their action, or if the earlier one takes every prefix of its family: what
// merely repeats an exception does no harm. A rule that only several others cover
// together is not found.
func FindUnreached(lib *Library) []Unreached {
	var out []Unreached
	each(lib.PrefixLists, func(name string, l PrefixList) { out = append(out, unreachedPrefixes(name, l)...) })
	each(lib.ASPathLists, func(name string, l ASPathList) {
		out = append(out, afterAll(KindASPathList, name, l, func(r *ASPathRule) *int { return &r.Seq }, ASPathRule.all)...)
	})
	for _, k := range []struct {
		kind  Kind
		lists map[string]CommunityList
	}{{KindCommunityList, lib.CommunityLists}, {KindLargeCommunityList, lib.LargeCommunityLists}, {KindExtCommunityList, lib.ExtCommunityLists}} {
		each(k.lists, func(name string, l CommunityList) {
			out = append(out, afterAll(k.kind, name, l, func(r *CommunityRule) *int { return &r.Seq }, CommunityRule.all)...)
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

// lengthRange is a rule with the lengths that it matches.
type lengthRange struct{ rule, lo, hi int }

// unreachedPrefixes looks each rule up among the earlier rules for the prefixes
// that cover its own, so that long lists cost no more than a few look-ups a rule.
func unreachedPrefixes(name string, list PrefixList) (out []Unreached) {
	rules, places, _ := ordered(KindPrefixList, name, list, func(r *PrefixRule) *int { return &r.Seq })
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

// cover is the first rule of earlier that decides whatever r matches, in another
// way or for all prefixes of the family; -1 if there is none.
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

// afterAll finds what stands behind the first rule that matches every route.
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

// unreachedClauses follows every way through the route-map: a clause without
// conditions matches always, so that the next one is reached only if it says so.
func unreachedClauses(name string, m RouteMap) []Unreached {
	clauses, places, _ := ordered(KindRouteMap, name, m, func(c *Clause) *int { return &c.Seq })
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

// finds collects what one object has, one entry for each rule that is the cause.
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

// matchesAll reports whether an expression matches every text of printable
// characters; false if it is not valid or too large to know.
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
