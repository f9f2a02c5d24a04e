package policy

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/nvad/nvad/pkg/route"
)

// clauses compiles the clauses of m.
func (b *builder) clauses(m *routeMap, src RouteMap) {
	ordered, places, errs := ordered(KindRouteMap, m.name, src, clauseSeq)
	b.errs = append(b.errs, errs...)
	b.p.src.lists[m.label()] = ordered
	m.base = b.name(m, len(ordered)+1)
	m.clauses = make([]clause, len(ordered))
	for i := range ordered {
		b.at = Error{Kind: KindRouteMap, Name: m.name, Index: places[i].index, Seq: ordered[i].Seq}
		b.clause(&m.clauses[i], &ordered[i])
		next, err := following(i, ordered)
		b.check("next", err)
		m.clauses[i].next = next
	}
}

func (b *builder) clause(c *clause, src *Clause) {
	c.seq, c.permit = src.Seq, src.Permit
	// Cheap conditions come first, and prefix-lists last: the memo can't remember
	// their verdicts.
	b.matchRoute(c, &src.Match)
	b.matchSession(c, &src.Match)
	b.matchLists(c, &src.Match)
	b.set(&c.set, &src.Set)
	if src.Call != "" {
		c.call = b.routeMap("call", src.Call)
	}
}

// following returns the index of the clause to evaluate after a match of clause
// i; len(clauses) if the route-map ends there.
func following(i int, clauses []Clause) (int, error) {
	c := &clauses[i]
	switch {
	case c.Next == NextStop:
		return len(clauses), nil
	case !c.Permit:
		return len(clauses), errors.New("a deny clause ends the route-map when it matches")
	case c.Next == NextClause || c.Next == NextContinue && c.Target == 0:
		return i + 1, nil
	case c.Target <= c.Seq:
		return len(clauses), fmt.Errorf("clause %d does not come after clause %d", c.Target, c.Seq)
	}
	at := slices.IndexFunc(clauses, func(o Clause) bool { return o.Seq >= c.Target })
	if at < 0 {
		return len(clauses), nil
	}
	return at, nil
}

func (c *clause) when(cond condition) { c.match = append(c.match, cond) }

func (b *builder) matchLists(c *clause, m *Match) {
	if l := b.c.paths.list(b, "match.as-path-list", m.ASPathList); l != nil {
		c.when(b.aboutAttrs(l, l))
	}
	if m.Bogons != 0 {
		c.when(&listUse{&attrQuestion{bogonList(m.Bogons), b.place()}, 0})
	}
	if l := b.c.standard.list(b, "match.community-list", m.CommunityList); l != nil {
		c.when(b.aboutAttrs(communityMatch[route.Community]{l, modeOf(m.CommunityExact, m.CommunityAny)}, l))
	}
	if l := b.c.large.list(b, "match.large-community-list", m.LargeCommunityList); l != nil {
		c.when(b.aboutAttrs(communityMatch[route.LargeCommunity]{l, modeOf(m.LargeExact, m.LargeAny)}, l))
	}
	if l := b.c.ext.list(b, "match.ext-community-list", m.ExtCommunityList); l != nil {
		c.when(b.aboutAttrs(communityMatch[route.ExtCommunity]{l, modeOf(m.ExtExact, m.ExtAny)}, l))
	}
	if l := b.c.prefixes.list(b, "match.next-hop-prefix-list", m.NextHopPrefixList); l != nil {
		c.when(&listUse{&attrQuestion{nextHopList{l}, b.place()}, 0})
	}
	if l := b.c.prefixes.list(b, "match.prefix-list", m.PrefixList); l != nil {
		c.when(b.aboutPrefix(l))
	}
}

func (b *builder) matchRoute(c *clause, m *Match) {
	if m.NextHop.IsValid() {
		c.when(equals("next-hop", m.NextHop, addrText, func(e *eval) netip.Addr { return e.attrs.NextHop }))
	}
	if m.Neighbor.IsValid() {
		c.when(equals("neighbor", m.Neighbor, addrText, func(e *eval) netip.Addr { return e.in.From }))
	}
	if m.PeerGroup != "" {
		c.when(equals("peer-group", m.PeerGroup, word, func(e *eval) string { return e.in.FromGroup }))
	}
	if m.Source != "" {
		want, ok := route.ParseSource(m.Source)
		if !ok {
			b.fail("match.source", fmt.Errorf("%q is not a source of routes", m.Source))
		}
		c.when(equals("source", want, route.Source.String, func(e *eval) route.Source { return e.in.Source }))
	}
	if m.Origin != "" {
		want, err := route.ParseOrigin(m.Origin)
		b.check("match.origin", err)
		c.when(equals("origin", want, route.Origin.String, func(e *eval) route.Origin { return e.attrs.Origin }))
	}
	if m.PathLength.Op != "" {
		holds, err := m.PathLength.compare()
		b.check("match.path-length", err)
		c.when(&valueCondition{
			key:   "path-length",
			want:  m.PathLength.String(),
			holds: func(e *eval) bool { return holds(uint32(e.attrs.ASPath.Len())) },
			value: func(e *eval) string { return strconv.Itoa(e.attrs.ASPath.Len()) },
		})
	}
	if m.MED != nil {
		c.when(equals("med", *m.MED, decimal, func(e *eval) uint32 { return e.attrs.MED.Or(0) }))
	}
	if m.LocalPref != nil {
		c.when(equals("local-pref", *m.LocalPref, decimal, func(e *eval) uint32 { return e.attrs.LocalPref.Or(0) }))
	}
	if m.Tag != nil {
		c.when(equals("tag", *m.Tag, decimal, func(e *eval) uint32 { return e.out.Tag }))
	}
}

// roles are the values of Session.Role (RFC 9234 4.1).
var roles = []string{"provider", "customer", "peer", "rs-server", "rs-client"}

func (b *builder) matchSession(c *clause, m *Match) {
	if m.Peer.IsValid() {
		b.p.src.session.Neighbor = b.session.Neighbor
		neighbor := b.session.Neighbor
		c.when(equals("peer", m.Peer, addrText, func(*eval) netip.Addr { return neighbor }))
	}
	if m.Role != "" {
		if !slices.Contains(roles, m.Role) {
			b.fail("match.role", fmt.Errorf("%q is not a role (want provider, customer, peer, rs-server or rs-client)", m.Role))
		}
		b.p.src.session.Role = b.session.Role
		role := b.session.Role
		c.when(equals("role", m.Role, word, func(*eval) string { return role }))
	}
}

// valueCondition compares one value of the route or the session.
type valueCondition struct {
	key   string
	want  string
	holds func(e *eval) bool
	value func(e *eval) string
}

func (c *valueCondition) match(e *eval) bool { return c.holds(e) }

func (c *valueCondition) explain(e *eval) Step {
	return Step{Object: "match " + c.key, Rule: c.want, Value: c.value(e)}
}

// equals returns the condition that get returns want. text prints both for a trace.
func equals[T comparable](key string, want T, text func(T) string, get func(*eval) T) *valueCondition {
	return &valueCondition{
		key:   key,
		want:  text(want),
		holds: func(e *eval) bool { return get(e) == want },
		value: func(e *eval) string { return text(get(e)) },
	}
}

func word(s string) string { return s }

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// nextHopList asks a prefix-list about the next hop as a host prefix.
type nextHopList struct{ *prefixList }

func (l nextHopList) decide(a *route.Attrs, _ *[]byte) verdict {
	if !a.NextHop.IsValid() {
		return l.noMatch()
	}
	return l.lookup(netip.PrefixFrom(a.NextHop, a.NextHop.BitLen()))
}

func (l nextHopList) looked(a *route.Attrs) string { return "next hop " + addrText(a.NextHop) }

// orders has the results of comparing a value with that of a [Cmp] for which each operator
// holds.
var orders = map[string][]int{"=": {0}, "<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {0, 1}}

// compare returns a function that compares its argument with c.Value as c.Op says.
func (c Cmp) compare() (func(uint32) bool, error) {
	results, ok := orders[c.Op]
	if !ok {
		return nil, fmt.Errorf("%q is not a comparison (want =, <, <=, > or >=)", c.Op)
	}
	return func(v uint32) bool { return slices.Contains(results, cmp.Compare(v, c.Value)) }, nil
}
