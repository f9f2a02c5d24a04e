package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/nvad/nvad/pkg/route"
)

// clauses compiles the clauses of m.
func (b *builder) clauses(m *routeMap, src RouteMap) {
	ordered, places, errs := ordered(KindRouteMap, m.name, src, func(c *Clause) *int { return &c.Seq })
	b.errs = append(b.errs, errs...)
	b.p.src.lists[m.label()] = ordered
	m.base = b.name(m, len(ordered)+1)
	m.clauses = make([]clause, len(ordered))
	for i := range ordered {
		b.at = Error{Kind: KindRouteMap, Name: m.name, Index: places[i].index, Seq: ordered[i].Seq}
		b.clause(&m.clauses[i], &ordered[i])
		m.clauses[i].next = b.next(i, ordered)
	}
}

func (b *builder) clause(c *clause, src *Clause) {
	c.seq, c.permit = src.Seq, src.Permit
	// What costs least comes first: prefix-lists can't be remembered.
	b.matchRoute(c, &src.Match)
	b.matchSession(c, &src.Match)
	b.matchLists(c, &src.Match)
	b.matchPrefix(c, &src.Match)
	b.set(&c.set, &src.Set)
	if src.Call != "" {
		c.call = b.routeMap("call", src.Call)
	}
}

// next is [following], with its fault reported.
func (b *builder) next(i int, clauses []Clause) int {
	next, err := following(i, clauses)
	b.check("next", err)
	return next
}

// following returns the index of the clause that follows a match of clause i;
// len(clauses) if none does.
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

// whenValid adds a condition that may be no valid one.
func (b *builder) whenValid(c *clause, field string, cond *valueCondition, err error) {
	if err != nil {
		b.fail(field, err)
		return
	}
	c.when(cond)
}

func (b *builder) whenList(c *clause, l attrList) {
	b.whenNamed(c, l, 0)
}

// whenNamed is whenList for a list whose rules have numbers from base on.
func (b *builder) whenNamed(c *clause, l attrList, base Rule) {
	c.when(&listCondition{list: l, place: b.place(), base: base})
}

func (b *builder) matchLists(c *clause, m *Match) {
	if l := b.pathList("match.as-path-list", m.ASPathList); l != nil {
		b.whenNamed(c, l, b.name(l, len(l.rules)+1))
	}
	if m.Bogons != "" {
		set, err := ParseBogons(m.Bogons)
		b.check("match.bogons", err)
		b.whenList(c, bogonList(set))
	}
	if l := b.c.standard.list(b, "match.community-list", m.CommunityList); l != nil {
		b.whenNamed(c, communityMatch[route.Community]{l, modeOf(m.CommunityExact, m.CommunityAny)}, b.name(l, len(l.src)+1))
	}
	if l := b.c.large.list(b, "match.large-community-list", m.LargeCommunityList); l != nil {
		b.whenNamed(c, communityMatch[route.LargeCommunity]{l, modeOf(m.LargeExact, m.LargeAny)}, b.name(l, len(l.src)+1))
	}
	if l := b.c.ext.list(b, "match.ext-community-list", m.ExtCommunityList); l != nil {
		b.whenNamed(c, communityMatch[route.ExtCommunity]{l, modeOf(m.ExtExact, m.ExtAny)}, b.name(l, len(l.src)+1))
	}
	if l := b.prefixList("match.next-hop-prefix-list", m.NextHopPrefixList); l != nil {
		b.whenList(c, nextHopList{l})
	}
}

func (b *builder) matchPrefix(c *clause, m *Match) {
	if l := b.prefixList("match.prefix-list", m.PrefixList); l != nil {
		c.when(&prefixCondition{l, b.name(l, len(l.rules)+1)})
	}
}

func (b *builder) matchRoute(c *clause, m *Match) {
	if m.NextHop.IsValid() {
		c.when(addrCondition("next-hop", m.NextHop, func(e *eval) netip.Addr { return e.attrs.NextHop }))
	}
	if m.Neighbor.IsValid() {
		c.when(addrCondition("neighbor", m.Neighbor, func(e *eval) netip.Addr { return e.in.From }))
	}
	if m.PeerGroup != "" {
		c.when(wordCondition("peer-group", m.PeerGroup, func(e *eval) string { return e.in.FromGroup }))
	}
	if m.Source != "" {
		cond, err := sourceCondition(m.Source)
		b.whenValid(c, "match.source", cond, err)
	}
	if m.Origin != "" {
		cond, err := originCondition(m.Origin)
		b.whenValid(c, "match.origin", cond, err)
	}
	if m.PathLength.Op != "" {
		cond, err := lengthCondition(m.PathLength)
		b.whenValid(c, "match.path-length", cond, err)
	}
	if m.MED != nil {
		c.when(numberCondition("med", *m.MED, func(e *eval) uint32 { return e.attrs.MED.Or(0) }))
	}
	if m.LocalPref != nil {
		c.when(numberCondition("local-pref", *m.LocalPref, func(e *eval) uint32 { return e.attrs.LocalPref.Or(0) }))
	}
	if m.Tag != nil {
		c.when(numberCondition("tag", *m.Tag, func(e *eval) uint32 { return e.out.Tag }))
	}
}

// roles are the values of Session.Role (RFC 9234 4.1).
var roles = []string{"provider", "customer", "peer", "rs-server", "rs-client"}

func (b *builder) matchSession(c *clause, m *Match) {
	if m.Peer.IsValid() {
		b.p.src.session.Neighbor = b.session.Neighbor
		neighbor := b.session.Neighbor
		c.when(addrCondition("peer", m.Peer, func(*eval) netip.Addr { return neighbor }))
	}
	if m.Role != "" {
		if !slices.Contains(roles, m.Role) {
			b.fail("match.role", fmt.Errorf("%q is not a role (want provider, customer, peer, rs-server or rs-client)", m.Role))
		}
		b.p.src.session.Role = b.session.Role
		role := b.session.Role
		c.when(wordCondition("role", m.Role, func(*eval) string { return role }))
	}
}

// prefixCondition asks a prefix-list about the route's prefix.
type prefixCondition struct {
	list *prefixList
	base Rule
}

func (c *prefixCondition) match(e *eval) bool {
	v := c.list.lookup(e.in.Prefix)
	e.hit(numbered(c.base, v))
	return v.permit()
}

func (c *prefixCondition) explain(e *eval) Step {
	v := c.list.lookup(e.in.Prefix)
	return Step{Object: "match " + c.list.label(), Rule: c.list.written(v.index()), Value: e.in.Prefix.String()}
}

// listCondition asks a list about the attributes.
type listCondition struct {
	list  attrList
	place int
	base  Rule // of the list's rules; 0: they have no numbers
}

func (c *listCondition) match(e *eval) bool {
	v := e.ask(c.list, c.place)
	if c.base != 0 {
		e.hit(numbered(c.base, v))
	}
	return v.permit()
}

func (c *listCondition) explain(e *eval) Step {
	v := e.ask(c.list, c.place)
	return Step{Object: "match " + c.list.label(), Rule: c.list.written(v.index()), Value: c.list.looked(e.attrs)}
}

// valueCondition compares one value.
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

// nextHopList asks a prefix-list about the next hop as a host prefix.
type nextHopList struct{ *prefixList }

func (l nextHopList) decide(a *route.Attrs, _ *[]byte) verdict {
	p, ok := hostPrefix(a.NextHop)
	if !ok {
		return listVerdict(len(l.rules), false)
	}
	return l.lookup(p)
}

func (l nextHopList) looked(a *route.Attrs) string { return "next hop " + addrText(a.NextHop) }

// compare returns the condition that op asks of a number.
func (c Cmp) compare() (func(uint32) bool, error) {
	w := c.Value
	switch c.Op {
	case "=":
		return func(v uint32) bool { return v == w }, nil
	case "<":
		return func(v uint32) bool { return v < w }, nil
	case "<=":
		return func(v uint32) bool { return v <= w }, nil
	case ">":
		return func(v uint32) bool { return v > w }, nil
	case ">=":
		return func(v uint32) bool { return v >= w }, nil
	}
	return nil, fmt.Errorf("%q is not a comparison (want =, <, <=, > or >=)", c.Op)
}

func numberCondition(key string, want uint32, get func(*eval) uint32) *valueCondition {
	return &valueCondition{
		key:   key,
		want:  strconv.FormatUint(uint64(want), 10),
		holds: func(e *eval) bool { return get(e) == want },
		value: func(e *eval) string { return strconv.FormatUint(uint64(get(e)), 10) },
	}
}

func addrCondition(key string, want netip.Addr, get func(*eval) netip.Addr) *valueCondition {
	return &valueCondition{
		key:   key,
		want:  want.String(),
		holds: func(e *eval) bool { return get(e) == want },
		value: func(e *eval) string { return addrText(get(e)) },
	}
}

func wordCondition(key, want string, get func(*eval) string) *valueCondition {
	return &valueCondition{
		key:   key,
		want:  want,
		holds: func(e *eval) bool { return get(e) == want },
		value: get,
	}
}

func lengthCondition(c Cmp) (*valueCondition, error) {
	holds, err := c.compare()
	if err != nil {
		return nil, err
	}
	return &valueCondition{
		key:   "path-length",
		want:  c.String(),
		holds: func(e *eval) bool { return holds(uint32(e.attrs.ASPath.Len())) },
		value: func(e *eval) string { return strconv.Itoa(e.attrs.ASPath.Len()) },
	}, nil
}

func originCondition(s string) (*valueCondition, error) {
	want, err := parseOrigin(s)
	if err != nil {
		return nil, err
	}
	return &valueCondition{
		key:   "origin",
		want:  s,
		holds: func(e *eval) bool { return e.attrs.Origin == want },
		value: func(e *eval) string { return e.attrs.Origin.String() },
	}, nil
}

func parseOrigin(s string) (route.Origin, error) {
	for _, o := range []route.Origin{route.OriginIGP, route.OriginEGP, route.OriginIncomplete} {
		if o.String() == s {
			return o, nil
		}
	}
	return 0, fmt.Errorf("%q is not an origin (want igp, egp or incomplete)", s)
}

func sourceCondition(s string) (*valueCondition, error) {
	want, ok := route.ParseSource(s)
	if !ok {
		return nil, fmt.Errorf("%q is not a source of routes", s)
	}
	return &valueCondition{
		key:   "source",
		want:  s,
		holds: func(e *eval) bool { return e.in.Source == want },
		value: func(e *eval) string { return e.in.Source.String() },
	}, nil
}
