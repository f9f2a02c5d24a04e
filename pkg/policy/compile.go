package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// Compiler turns the chains of one configuration into Programs. Lists are
// compiled once, when they are first needed, and shared by the Programs. It
// must be used by one goroutine at a time; the Programs do not depend on it.
type Compiler struct {
	lib      *Library
	prefixes map[string]built[*prefixList]
	paths    map[string]built[*pathList]
	standard *communityLists[route.Community]
	large    *communityLists[route.LargeCommunity]
	ext      *communityLists[route.ExtCommunity]
}

// built is a compiled object, or what is wrong with it.
type built[T any] struct {
	value T
	errs  []*Error
}

// NewCompiler returns a Compiler for lib, which must not change afterwards.
func NewCompiler(lib *Library) *Compiler {
	return &Compiler{
		lib:      lib,
		prefixes: make(map[string]built[*prefixList]),
		paths:    make(map[string]built[*pathList]),
		standard: newCommunityLists(standardKind, lib.CommunityLists),
		large:    newCommunityLists(largeKind, lib.LargeCommunityLists),
		ext:      newCommunityLists(extKind, lib.ExtCommunityLists),
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
	if len(b.errs) > 0 {
		return nil, joined(b.errs)
	}
	return b.p, nil
}

func joined(errs []*Error) error {
	out := make([]error, len(errs))
	for i, e := range errs {
		out[i] = e
	}
	return errors.Join(out...)
}

// builder compiles one Program.
type builder struct {
	c       *Compiler
	session Session
	p       *Program
	rules   Rule // numbers given out
	places  int  // verdicts that a slot of the memo holds
	maps    map[string]*routeMap
	calls   []string // route-maps being compiled, outermost first
	errs    []*Error
	faulty  map[string]bool // objects whose errors are in errs already
	at      Error           // where the builder is
}

func newBuilder(c *Compiler, s Session) *builder {
	b := &builder{c: c, session: s, p: new(Program), maps: make(map[string]*routeMap), faulty: make(map[string]bool)}
	b.p.src.session.Export = s.Export
	b.p.src.lists = make(map[string]any)
	b.at = Error{Kind: KindChain, Index: -1}
	b.name(chainRules{}, int(ruleNoPolicy)+1)
	return b
}

// name gives numbers to n rules of src and returns the first.
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

// fail records a problem with a field of the object the builder is at.
func (b *builder) fail(field string, err error) {
	e := b.at
	e.Field, e.Err = field, err
	b.errs = append(b.errs, &e)
}

// check is fail if there is a problem.
func (b *builder) check(field string, err error) {
	if err != nil {
		b.fail(field, err)
	}
}

// adopt takes over the errors of an object that field refers to, once. key is
// the kind and name of the object.
func (b *builder) adopt(key string, errs []*Error) {
	if !b.faulty[key] {
		b.faulty[key] = true
		b.errs = append(b.errs, errs...)
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
	if l := b.prefixList("prefix-list", c.PrefixList); l != nil {
		b.stage(&prefixStage{list: l, base: b.name(l, len(l.rules)+1)})
	}
	if l := b.pathList("as-path-list", c.ASPathList); l != nil {
		b.stage(&pathStage{list: l, place: b.place(), base: b.name(l, len(l.rules)+1)})
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

// object returns the compiled list that field names, nil if no name is given.
// If there is no such list, or something is wrong with it, that is recorded.
func object[S any, T any](b *builder, kind Kind, field, name string, from map[string]S, done map[string]built[T], build func(string, S) (T, []*Error)) (out T) {
	if name == "" {
		return out
	}
	src, ok := from[name]
	if !ok {
		b.fail(field, fmt.Errorf("there is no %s %q", kind, name))
		return out
	}
	d, ok := done[name]
	if !ok {
		d.value, d.errs = build(name, src)
		done[name] = d
	}
	b.adopt(string(kind)+" "+name, d.errs)
	return d.value
}

func (b *builder) prefixList(field, name string) *prefixList {
	l := object(b, KindPrefixList, field, name, b.c.lib.PrefixLists, b.c.prefixes, buildPrefixList)
	if l != nil {
		b.p.src.lists[l.label()] = l.rules
	}
	return l
}

func (b *builder) pathList(field, name string) *pathList {
	l := object(b, KindASPathList, field, name, b.c.lib.ASPathLists, b.c.paths, buildPathList)
	if l != nil {
		b.p.src.lists[l.label()] = l.rules
	}
	return l
}

// communityLists are the lists of one kind.
type communityLists[T comparable] struct {
	kind *communityKind[T]
	from map[string]CommunityList
	done map[string]built[*communityList[T]]
}

func newCommunityLists[T comparable](k *communityKind[T], from map[string]CommunityList) *communityLists[T] {
	return &communityLists[T]{k, from, make(map[string]built[*communityList[T]])}
}

func (c *communityLists[T]) list(b *builder, field, name string) *communityList[T] {
	l := object(b, c.kind.kind, field, name, c.from, c.done, func(name string, src CommunityList) (*communityList[T], []*Error) {
		return buildCommunityList(c.kind, name, src)
	})
	if l != nil {
		b.p.src.lists[l.label()] = l.src
	}
	return l
}

// routeMap returns the compiled route-map, nil if there is none.
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

// seqStep is the distance between rules that are not numbered by the user.
const seqStep = 5

var errSeqRange = errors.New("sequence number must be between 1 and 4294967295")

// position is where a rule or clause stands as written, and its number.
type position struct{ index, seq int }

// number gives every rule its number in the order of writing and returns the
// positions by ascending number. A number given twice is an error.
func number[T any](rules []T, seq func(T) int) ([]position, []position) {
	out := make([]position, 0, len(rules))
	seen := make(map[int]bool, len(rules))
	var twice []position
	highest := 0
	for i, r := range rules {
		at := position{i, seq(r)}
		if at.seq == 0 {
			at.seq = highest/seqStep*seqStep + seqStep
		}
		highest = max(highest, at.seq)
		if seen[at.seq] {
			twice = append(twice, at)
		}
		seen[at.seq] = true
		out = append(out, at)
	}
	slices.SortStableFunc(out, func(a, b position) int { return cmp.Compare(a.seq, b.seq) })
	return out, twice
}

// ordered returns copies of rules by ascending number, each with the number it
// goes by, their positions, and the errors of the numbering.
func ordered[T any](kind Kind, name string, rules []T, seq func(*T) *int) ([]T, []position, []*Error) {
	places, twice := number(rules, func(r T) int { return *seq(&r) })
	var errs []*Error
	for _, at := range twice {
		errs = append(errs, &Error{kind, name, at.index, at.seq, "seq", fmt.Errorf("sequence number %d is given twice", at.seq)})
	}
	out := make([]T, len(rules))
	for i, at := range places {
		out[i] = rules[at.index]
		*seq(&out[i]) = at.seq
		if at.seq < 0 || int64(at.seq) > 1<<32-1 {
			errs = append(errs, &Error{kind, name, at.index, at.seq, "seq", errSeqRange})
		}
	}
	return out, places, errs
}
