package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// set compiles the set part of a clause.
func (b *builder) set(out *setter, s *Set) {
	var steps []func(*route.Attrs)
	steps = append(steps, b.setPath(s)...)
	steps = append(steps, b.setValues(s)...)
	steps = append(steps, editCommunities(b, standardKind, b.c.standard, "community", "communities", s.Communities, s.CommunityDelete, s.CommunitiesAdd)...)
	steps = append(steps, editCommunities(b, largeKind, b.c.large, "large-community", "large-communities", s.LargeCommunities, s.LargeCommunityDelete, s.LargeCommunitiesAdd)...)
	steps = append(steps, editCommunities(b, extKind, b.c.ext, "ext-community", "ext-communities", s.ExtCommunities, s.ExtCommunityDelete, s.ExtCommunitiesAdd)...)
	b.setLocal(out, s)
	v4, v6 := b.setNextHop(out, s)
	out.ipv4 = b.change(steps, v4)
	out.ipv6 = out.ipv4
	if v4 != v6 {
		out.ipv6 = b.change(steps, v6)
	}
}

// change returns the change that makes all steps and sets the next hop, unless that
// is invalid; nil if there is nothing to do.
func (b *builder) change(steps []func(*route.Attrs), nextHop netip.Addr) *change {
	c := &change{number: b.p.changes, steps: slices.Clone(steps)}
	if nextHop.IsValid() {
		c.nextHop = true
		c.steps = append(c.steps, func(a *route.Attrs) { a.NextHop = nextHop })
	}
	if len(c.steps) == 0 {
		return nil
	}
	b.p.changes++
	return c
}

// setPath returns the changes of the AS_PATH in the order that [Set] documents.
func (b *builder) setPath(s *Set) (out []func(*route.Attrs)) {
	edit := func(f func(route.ASPath) route.ASPath) {
		out = append(out, func(a *route.Attrs) { a.ASPath = f(a.ASPath) })
	}
	if s.ASPathReplace != "" {
		any, asns, err := ParseASPathReplace(s.ASPathReplace)
		b.check("set.as-path-replace", err)
		local := b.session.LocalASN
		b.p.src.session.LocalASN = local
		edit(func(p route.ASPath) route.ASPath { return replaceASNs(p, any, asns, local) })
	}
	if s.ASPathExcludeAll {
		edit(func(route.ASPath) route.ASPath { return nil })
	}
	if len(s.ASPathExclude) > 0 {
		edit(func(p route.ASPath) route.ASPath { return excludeASNs(p, s.ASPathExclude) })
	}
	if len(s.ASPathPrepend) > 0 {
		if slices.Contains(s.ASPathPrepend, 0) {
			b.fail("set.as-path-prepend", errors.New("AS 0 must not be in a path (RFC 7607)"))
		}
		edit(func(p route.ASPath) route.ASPath { return prependASNs(p, s.ASPathPrepend) })
	}
	if n := s.ASPathPrependLast; n != 0 {
		if n < 1 || n > 10 {
			b.fail("set.as-path-prepend-last", fmt.Errorf("%d is not between 1 and 10", n))
		}
		edit(func(p route.ASPath) route.ASPath { return repeatFirst(p, n) })
	}
	return out
}

func (b *builder) setValues(s *Set) (out []func(*route.Attrs)) {
	if n := s.LocalPref; n != nil {
		b.check("set.local-pref", n.valid())
		out = append(out, func(a *route.Attrs) { a.LocalPref = route.Some(n.adjust(a.LocalPref.Or(0))) })
	}
	if n := s.MED; n != nil {
		b.check("set.med", n.valid())
		out = append(out, func(a *route.Attrs) { a.MED = route.Some(n.adjust(a.MED.Or(0))) })
	}
	if s.Origin != "" {
		o, err := route.ParseOrigin(s.Origin)
		b.check("set.origin", err)
		out = append(out, func(a *route.Attrs) { a.Origin = o })
	}
	if s.AtomicAggregate {
		out = append(out, func(a *route.Attrs) { a.AtomicAggregate = true })
	}
	if s.AggregatorASN != 0 || s.AggregatorAddress.IsValid() {
		agg := route.Aggregator{ASN: s.AggregatorASN, Address: s.AggregatorAddress}
		if agg.ASN == 0 || !agg.Address.Is4() {
			b.fail("set.aggregator", errors.New("an aggregator is an ASN and an IPv4 address"))
		}
		out = append(out, func(a *route.Attrs) { a.Aggregator = agg })
	}
	return out
}

func editCommunities[T comparable](b *builder, kind *communityKind[T], lists *catalog[CommunityList, *communityList[T]], one, many string,
	replace []string, remove string, add []string) []func(*route.Attrs) {
	c := &communityEdit[T]{kind: kind, replace: len(replace) > 0}
	var err error
	if !slices.Equal(replace, []string{noCommunities}) {
		c.values, err = kind.parseAll(replace)
		b.check("set."+many, err)
	}
	c.add, err = kind.parseAll(add)
	b.check("set."+many+"-add", err)
	c.remove = lists.list(b, "set."+one+"-delete", remove)
	if !c.replace && c.remove == nil && len(c.add) == 0 {
		return nil
	}
	return []func(*route.Attrs){c.apply}
}

func (b *builder) setLocal(out *setter, s *Set) {
	if s.Weight != nil {
		w := *s.Weight
		out.local = append(out.local, func(o *Output) { o.Weight = w })
	}
	if s.Tag != nil {
		t := *s.Tag
		out.local = append(out.local, func(o *Output) { o.Tag = t })
	}
	if s.PreferredSource.IsValid() {
		ip := s.PreferredSource
		out.local = append(out.local, func(o *Output) { o.PreferredSource = ip })
	}
}

// setNextHop returns the next hop for routes of each family; it adds the values that
// are no address to out.
func (b *builder) setNextHop(out *setter, s *Set) (v4, v6 netip.Addr) {
	kinds := map[string]NextHop{"self": NextHopSelf, "unchanged": NextHopUnchanged, "peer": NextHopPeer}
	kind := kinds[s.NextHop]
	switch {
	case s.NextHop == "":
	case kind == NextHopSelf && !b.session.Export:
		b.fail("set.next-hop", errors.New("self has no meaning for routes received"))
	case kind == NextHopPeer && !b.session.Export:
		b.p.src.session.Neighbor = b.session.Neighbor
		if b.session.Neighbor.Is6() {
			return v4, b.session.Neighbor
		}
		return b.session.Neighbor, v6
	case kind != NextHopDefault:
		out.local = append(out.local, func(o *Output) { o.NextHop = kind })
	default:
		ip, err := netip.ParseAddr(s.NextHop)
		switch {
		case err != nil || ip.Zone() != "" || ip.Is4In6() || ip.IsUnspecified():
			b.fail("set.next-hop", fmt.Errorf("%q is not an address, self, unchanged or peer", s.NextHop))
		case ip.Is4():
			v4 = ip
		default:
			v6 = ip
		}
	}
	if s.NextHopIPv6.IsValid() {
		if v6.IsValid() || !s.NextHopIPv6.Is6() || s.NextHopIPv6.Is4In6() {
			b.fail("set.next-hop-ipv6", errors.New("want one IPv6 address, beside an IPv4 next hop"))
		}
		v6 = s.NextHopIPv6
	}
	return v4, v6
}

// valid returns an error for a number that [ParseNumber] would not return.
func (n Number) valid() error {
	if n.Op != 0 && n.Op != '+' && n.Op != '-' {
		return fmt.Errorf("%q is not + or -", n.Op)
	}
	return nil
}

// setter applies the set part of one clause.
type setter struct {
	ipv4, ipv6 *change         // changes of the attributes, by family of the route; nil: none
	local      []func(*Output) // changes of values that are no attributes
}

func (s *setter) apply(e *eval) {
	c := s.ipv4
	if e.in.Prefix.Addr().Is6() {
		c = s.ipv6
	}
	if c != nil {
		e.derive(c)
		if c.nextHop {
			e.out.NextHop = NextHopSet
		}
	}
	for _, f := range s.local {
		f(&e.out)
	}
}

// change is a change of path attributes whose result depends on them alone, so that
// the memo can keep it.
type change struct {
	number  int // within the Program, for the memo
	steps   []func(*route.Attrs)
	nextHop bool // one step sets the next hop
}

// apply returns the changed attributes, or a itself if the steps change nothing.
func (c *change) apply(a *route.Attrs) *route.Attrs {
	to := *a
	for _, f := range c.steps {
		f(&to)
	}
	if to.Equal(a) {
		return a
	}
	return &to
}

// adjust applies n to v, without wrapping around.
func (n Number) adjust(v uint32) uint32 {
	switch n.Op {
	case '+':
		return uint32(min(uint64(v)+uint64(n.Value), 1<<32-1))
	case '-':
		return v - min(v, n.Value)
	}
	return n.Value
}

// noCommunities as the only value removes all communities.
const noCommunities = "none"

// communityEdit changes the communities of one kind.
type communityEdit[T comparable] struct {
	kind    *communityKind[T]
	replace bool // with values
	values  []T
	remove  *communityList[T] // nil: nothing
	add     []T
}

func (c *communityEdit[T]) apply(a *route.Attrs) {
	out := slices.Clone(c.kind.of(a))
	if c.replace {
		out = slices.Clone(c.values)
	}
	if c.remove != nil {
		out = slices.DeleteFunc(out, c.remove.deletes)
	}
	out = append(out, c.add...)
	c.kind.put(a, c.kind.sort(out))
}

// replaceASNs returns the path with every ASN, or those given, replaced by
// local. Segments keep their types and lengths.
func replaceASNs(p route.ASPath, any bool, asns []uint32, local uint32) route.ASPath {
	out := make(route.ASPath, len(p))
	for i, s := range p {
		out[i] = route.Segment{Type: s.Type, ASNs: slices.Clone(s.ASNs)}
		for j, asn := range s.ASNs {
			if any || slices.Contains(asns, asn) {
				out[i].ASNs[j] = local
			}
		}
	}
	return out
}

// excludeASNs returns the path without the ASNs and without the segments that
// become empty; the sequences on both sides of such a segment are joined.
func excludeASNs(p route.ASPath, asns []uint32) route.ASPath {
	var out route.ASPath
	for _, s := range p {
		var left []uint32
		for _, asn := range s.ASNs {
			if !slices.Contains(asns, asn) {
				left = append(left, asn)
			}
		}
		if len(left) > 0 {
			out = appendSegment(out, route.Segment{Type: s.Type, ASNs: left})
		}
	}
	return out
}

// mostASNs is the largest number of ASNs in a segment (RFC 4271 4.3).
const mostASNs = 255

// appendSegment appends s to p, or its ASNs to the last segment of p if both are
// sequences. Nobody else may use the ASNs of s.
func appendSegment(p route.ASPath, s route.Segment) route.ASPath {
	if n := len(p); n > 0 && s.Type == route.ASSequence && p[n-1].Type == s.Type && len(p[n-1].ASNs)+len(s.ASNs) <= mostASNs {
		p[n-1].ASNs = append(p[n-1].ASNs, s.ASNs...)
		return p
	}
	return append(p, s)
}

// prependASNs puts asns before the path, the first of them leftmost. They replace
// leading confederation segments, which must not follow other segments (RFC 5065
// 5.3).
func prependASNs(p route.ASPath, asns []uint32) route.ASPath {
	for len(p) > 0 && (p[0].Type == route.ASConfedSequence || p[0].Type == route.ASConfedSet) {
		p = p[1:]
	}
	for _, asn := range slices.Backward(asns) {
		p = p.Prepend(asn, 1)
	}
	return p
}

// repeatFirst prepends the leftmost ASN n times, if the path begins with a
// sequence.
func repeatFirst(p route.ASPath, n int) route.ASPath {
	if len(p) == 0 || p[0].Type != route.ASSequence || len(p[0].ASNs) == 0 {
		return p
	}
	return p.Prepend(p[0].ASNs[0], n)
}
