package policy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// Compiler turns the chains of one configuration into Programs. It compiles each
// list once, when a chain first needs it, and the Programs share the result. One
// goroutine at a time may use it; the Programs do not depend on it.
type Compiler struct {
	lib      *Library
	prefixes *catalog[PrefixList, *prefixList]
	paths    *catalog[ASPathList, *pathList]
	standard *catalog[CommunityList, *communityList[route.Community]]
	large    *catalog[CommunityList, *communityList[route.LargeCommunity]]
	ext      *catalog[CommunityList, *communityList[route.ExtCommunity]]
}

// NewCompiler returns a Compiler for lib, which must not change afterwards.
func NewCompiler(lib *Library) *Compiler {
	return &Compiler{
		lib:      lib,
		prefixes: newCatalog(KindPrefixList, lib.PrefixLists, buildPrefixList),
		paths:    newCatalog(KindASPathList, lib.ASPathLists, buildPathList),
		standard: newCatalog(KindCommunityList, lib.CommunityLists, standardKind.build),
		large:    newCatalog(KindLargeCommunityList, lib.LargeCommunityLists, largeKind.build),
		ext:      newCatalog(KindExtCommunityList, lib.ExtCommunityLists, extKind.build),
	}
}

// Compile compiles one chain; see [Compiler.Compile].
func Compile(lib *Library, chain Chain, s Session) (*Program, error) {
	return NewCompiler(lib).Compile(chain, s)
}

// Compile returns the Program for one direction of a session. The error joins
// an [*Error] for each problem of the chain and of every object that it names,
// directly or not. The zero Chain compiles to a Program that denies everything
// (RFC 8212).
func (c *Compiler) Compile(chain Chain, s Session) (*Program, error) {
	b := newBuilder(c, s)
	b.p.src.chain = chain
	b.chain(chain)
	b.p.memo = newMemo(b.places)
	b.p.hits = make([]uint64, b.rules)
	if len(b.errs) == 0 {
		return b.p, nil
	}
	errs := make([]error, len(b.errs))
	for i, e := range b.errs {
		errs[i] = e
	}
	return nil, errors.Join(errs...)
}

// catalog holds the lists of one kind: as written, and compiled once they are needed.
type catalog[S any, L compiledList] struct {
	kind  Kind
	from  map[string]S
	build func(name string, src S) (L, []*Error)
	done  map[string]built[L]
}

type compiledList interface {
	label() string
	source() any // the rules, for comparing two Programs
}

// built is a compiled list and its errors, which make it unusable.
type built[L any] struct {
	list L
	errs []*Error
}

func newCatalog[S any, L compiledList](kind Kind, from map[string]S, build func(string, S) (L, []*Error)) *catalog[S, L] {
	return &catalog[S, L]{kind, from, build, make(map[string]built[L])}
}

// list returns the compiled list that field names, nil if no name is given. A
// list that does not exist, and the errors of one that does, are reported to b.
func (c *catalog[S, L]) list(b *builder, field, name string) (none L) {
	if name == "" {
		return none
	}
	src, ok := c.from[name]
	if !ok {
		b.fail(field, fmt.Errorf("there is no %s %q", c.kind, name))
		return none
	}
	d, ok := c.done[name]
	if !ok {
		d.list, d.errs = c.build(name, src)
		c.done[name] = d
	}
	key := d.list.label()
	b.p.src.lists[key] = d.list.source()
	if !b.faulty[key] {
		b.faulty[key] = true
		b.errs = append(b.errs, d.errs...)
	}
	return d.list
}

// check compiles every list for its errors.
func (c *catalog[S, L]) check(b *builder) {
	for name := range c.from {
		c.list(b, "", name)
	}
}

// builder compiles one Program.
type builder struct {
	c       *Compiler
	session Session
	p       *Program
	rules   Rule // next number to give out
	places  int  // verdicts that a slot of the memo has room for
	maps    map[string]*routeMap
	calls   []string // route-maps that are being compiled, outermost first
	errs    []*Error
	faulty  map[string]bool // lists whose errors are in errs already
	at      Error           // the object and rule that errors belong to
}

func newBuilder(c *Compiler, s Session) *builder {
	b := &builder{c: c, session: s, p: new(Program), maps: make(map[string]*routeMap), faulty: make(map[string]bool)}
	b.p.src.session.Export = s.Export
	b.p.src.lists = make(map[string]any)
	b.at = Error{Kind: KindChain, Index: -1}
	b.name(chainRules{}, int(ruleNoPolicy)+1)
	return b
}

// name gives numbers to the n rules of src and returns the first.
func (b *builder) name(src ruleSource, n int) Rule {
	base := b.rules
	b.p.names = append(b.p.names, ruleRange{base, src})
	b.rules += Rule(n)
	return base
}

// place reserves room for a verdict in the memo.
func (b *builder) place() int {
	b.places++
	return b.places - 1
}

// numberedList is a list whose rules have numbers, by which RuleText names them.
type numberedList interface {
	ruleSource
	size() int
}

// aboutPrefix returns a question to l about the route's prefix.
func (b *builder) aboutPrefix(l *prefixList) *listUse {
	return &listUse{prefixQuestion{l}, b.name(l, l.size())}
}

// aboutAttrs returns a question to l about the attributes; its rules are those of src.
func (b *builder) aboutAttrs(l attrList, src numberedList) *listUse {
	return &listUse{&attrQuestion{l, b.place()}, b.name(src, src.size())}
}

// fail records a problem in a field of the object that the builder is at.
func (b *builder) fail(field string, err error) {
	e := b.at
	e.Field, e.Err = field, err
	b.errs = append(b.errs, &e)
}

// check calls fail unless err is nil.
func (b *builder) check(field string, err error) {
	if err != nil {
		b.fail(field, err)
	}
}

func (b *builder) chain(c Chain) {
	if c == (Chain{}) {
		b.stage(constStage{false, ruleNoPolicy})
		return
	}
	if c.DenyASNs != 0 {
		l := bogonList(c.DenyASNs)
		b.stage(&denyStage{list: l, place: b.place(), base: b.name(l, 2)})
	}
	if l := b.c.prefixes.list(b, "prefix-list", c.PrefixList); l != nil {
		b.stage(b.aboutPrefix(l))
	}
	if l := b.c.paths.list(b, "as-path-list", c.ASPathList); l != nil {
		b.stage(b.aboutAttrs(l, l))
	}
	if c.RouteMap != "" {
		if m := b.routeMap("route-map", c.RouteMap); m != nil {
			b.stage(m)
		}
	}
	if len(b.p.stages) == 0 {
		b.stage(constStage{true, ruleAccept})
	}
}

func (b *builder) stage(s stage) { b.p.stages = append(b.p.stages, s) }

// routeMap returns the compiled route-map. It reports to b, and returns nil, if
// there is none of this name, or if it would call itself.
func (b *builder) routeMap(field, name string) *routeMap {
	src, ok := b.c.lib.RouteMaps[name]
	if !ok {
		b.fail(field, fmt.Errorf("there is no %s %q", KindRouteMap, name))
		return nil
	}
	if slices.Contains(b.calls, name) {
		b.fail(field, fmt.Errorf("%s %q would call itself", KindRouteMap, name))
		return nil
	}
	if m := b.maps[name]; m != nil {
		return m
	}
	m := &routeMap{name: name}
	b.maps[name] = m
	outer := b.at
	b.calls = append(b.calls, name)
	b.clauses(m, src)
	b.calls = b.calls[:len(b.calls)-1]
	b.at = outer
	return m
}
