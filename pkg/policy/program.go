package policy

import (
	"net/netip"
	"reflect"
	"slices"
	"sort"

	"github.com/nvad/nvad/pkg/route"
)

// Program is a compiled [Chain]. It is immutable but for what it remembers of
// attribute sets it has met, so it must be used by one goroutine at a time, and
// every Input.Attrs must stay unchanged for ever, as an interned set does. It
// keeps a bounded number of sets alive.
type Program struct {
	src    source
	stages []stage

	names   []ruleRange
	hits    []uint64 // by number: how often the rule decided
	changes int      // numbers given out to changes of attributes
	memo    memo
	text    []byte // scratch
	eval    eval
}

// stage is one part of a chain. It returns the rule that decided.
type stage interface {
	run(e *eval) (permit bool, by Rule)
}

// ruleRange is a source of rules whose rule i is number base+i.
type ruleRange struct {
	base Rule
	src  ruleSource
}

// source is what a Program was compiled from, as far as its behaviour depends
// on it.
type source struct {
	chain   Chain
	session Session // only the fields that are looked at
	lists   map[string]any
}

// eval is the state of one evaluation.
type eval struct {
	p     *Program
	in    Input
	attrs *route.Attrs // as changed so far
	slot  *slot        // of attrs, once looked up
	out   Output
	trace *tracer // nil unless somebody listens
}

// Run evaluates the route. It allocates nothing for a route that is not
// changed, and nothing for one whose attribute set was met before. Prefix must
// have no host bits set and Attrs must not be nil.
func (p *Program) Run(in *Input) Output {
	return p.evaluate(in, nil)
}

func (p *Program) evaluate(in *Input, t *tracer) Output {
	e := &p.eval
	*e = eval{p: p, in: *in, attrs: in.Attrs, trace: t}
	e.out = Output{Weight: in.Weight, Tag: in.Tag, Rule: ruleAccept}
	for _, s := range p.stages {
		permit, by := s.run(e)
		if !permit {
			return Output{Attrs: in.Attrs, Weight: in.Weight, Tag: in.Tag, Rule: by}
		}
		if by != 0 {
			e.out.Rule = by
		}
	}
	e.out.Accept = true
	e.out.Attrs = e.attrs
	return e.out
}

// Forget drops what the Program remembers of attribute sets, so that those which
// nothing else refers to can be freed.
func (p *Program) Forget() {
	p.eval = eval{}
	p.memo.forget()
}

// ask returns the verdict of the list whose place in the memo is given.
func (e *eval) ask(l attrList, place int) verdict {
	if e.slot == nil {
		e.slot = e.p.memo.of(e.attrs)
	}
	v := e.slot.verdicts[place]
	if v == 0 {
		v = l.decide(e.attrs, &e.p.text)
		e.slot.verdicts[place] = v
	}
	return v
}

// derive applies change to the attributes, or finds what it made of them before.
func (e *eval) derive(c *change) {
	if e.slot == nil {
		e.slot = e.p.memo.of(e.attrs)
	}
	for _, d := range e.slot.derived {
		if d.change == c.number {
			e.setAttrs(d.attrs)
			return
		}
	}
	to := c.apply(e.attrs)
	e.p.memo.derive(e.slot, c.number, to)
	e.setAttrs(to)
}

func (e *eval) setAttrs(a *route.Attrs) {
	if a != e.attrs {
		e.attrs, e.slot = a, nil
	}
}

// RuleText names the rule as the user wrote it, with the object it belongs to:
// "prefix-list rs-hub00 seq 5 deny 10.0.0.0/16". It is empty for 0 and for a
// rule of another Program that this one has no number for.
func (p *Program) RuleText(r Rule) string {
	id := Rule(uint32(r))
	i := sort.Search(len(p.names), func(i int) bool { return p.names[i].base > id }) - 1
	if i < 0 {
		return ""
	}
	return p.names[i].src.ruleText(int(id-p.names[i].base), uint32(r>>32))
}

// Equal reports whether both Programs were compiled from the same rules, so
// that no route fares differently. Settings of the session that the rules do
// not look at make no difference.
func (p *Program) Equal(q *Program) bool {
	return p == q || p != nil && q != nil && reflect.DeepEqual(p.src, q.src)
}

// chainRules are the rules of a chain that come from no list.
type chainRules struct{}

const (
	ruleAccept   Rule = 1
	ruleNoPolicy Rule = 2
)

func (chainRules) ruleText(i int, _ uint32) string {
	switch Rule(i) {
	case ruleAccept:
		return "accept"
	case ruleNoPolicy:
		return "no policy (RFC 8212)"
	}
	return ""
}

// constStage gives one verdict to every route.
type constStage struct {
	permit bool
	rule   Rule
}

func (s constStage) run(e *eval) (bool, Rule) {
	e.hit(s.rule)
	if e.trace != nil {
		e.trace.verdict(Step{Object: e.p.RuleText(s.rule)}, s.permit)
	}
	return s.permit, s.rule
}

// denyStage denies what a list of ASNs matches.
type denyStage struct {
	list  bogonList
	place int
	base  Rule
}

func (s *denyStage) run(e *eval) (bool, Rule) {
	v := e.ask(s.list, s.place)
	if e.trace != nil {
		e.trace.verdict(Step{Object: "deny-asns " + Bogons(s.list).String(), Rule: s.list.hit(v), Value: s.list.looked(e.attrs)}, !v.permit())
	}
	if v.permit() {
		by := numbered(s.base, v)
		e.hit(by)
		return false, by
	}
	return true, 0
}

// prefixStage and pathStage apply a list as a filter.
type prefixStage struct {
	list *prefixList
	base Rule
}

func (s *prefixStage) run(e *eval) (bool, Rule) {
	v := s.list.lookup(e.in.Prefix)
	if e.trace != nil {
		e.trace.verdict(Step{Object: s.list.label(), Rule: s.list.written(v.index()), Value: e.in.Prefix.String()}, v.permit())
	}
	by := numbered(s.base, v)
	e.hit(by)
	return v.permit(), by
}

type pathStage struct {
	list  *pathList
	place int
	base  Rule
}

func (s *pathStage) run(e *eval) (bool, Rule) {
	v := e.ask(s.list, s.place)
	if e.trace != nil {
		e.trace.verdict(Step{Object: s.list.label(), Rule: s.list.written(v.index()), Value: s.list.looked(e.attrs)}, v.permit())
	}
	by := numbered(s.base, v)
	e.hit(by)
	return v.permit(), by
}

func numbered(base Rule, v verdict) Rule {
	return base + Rule(v.index()) | Rule(v.asn())<<32
}

// hostPrefix is the prefix that holds only ip, and false if ip is not valid.
func hostPrefix(ip netip.Addr) (netip.Prefix, bool) {
	if !ip.IsValid() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(ip, ip.BitLen()), true
}

// verdict is what a list said of a route: the index of the rule that matched
// (one past the last for the implicit deny), whether it permits, and for a set
// of ASNs the one that hit. Zero means that the list was not asked yet.
type verdict uint64

func listVerdict(index int, permit bool) verdict {
	v := verdict(index+1) << 1
	if permit {
		v |= 1
	}
	return v
}

func (v verdict) withASN(asn uint32) verdict { return v | verdict(asn)<<32 }
func (v verdict) permit() bool               { return v&1 != 0 }
func (v verdict) index() int                 { return int(uint32(v)>>1) - 1 }
func (v verdict) asn() uint32                { return uint32(v >> 32) }

// ruleSource can name its own rules. Index len(rules) is the implicit deny.
type ruleSource interface {
	// ruleText is the rule with the object it belongs to.
	ruleText(index int, asn uint32) string
}

// attrList is a list that looks at path attributes only, so that its verdict
// holds for every route with the same set of them.
type attrList interface {
	// decide asks the list. buf is scratch space for a text form.
	decide(a *route.Attrs, buf *[]byte) verdict
	// label is the kind and name of the list.
	label() string
	// written is the rule alone, as the user wrote it.
	written(index int) string
	// looked is the text of what decide looks at.
	looked(a *route.Attrs) string
}

// RuleHits is how often a rule decided.
type RuleHits struct {
	Rule string // as RuleText names it
	Hits uint64
}

// hit counts a decision of rule r. What is only told, not done, is not counted. It is
// one addition for each rule that decides, whether its list was asked or its verdict
// remembered.
func (e *eval) hit(r Rule) {
	if e.trace == nil {
		e.p.hits[uint32(r)]++
	}
}

// Counts returns a copy of the counts, for Hits.
func (p *Program) Counts() []uint64 { return slices.Clone(p.hits) }

// Hits names the rules of the Program with counts, which are its own, in the order in
// which they were compiled: those of a list behind each other, the last of them being
// what happens to a route that none of them matches. A list that a policy uses in
// several places is there once. It may be called while another goroutine runs the
// Program.
func (p *Program) Hits(counts []uint64) []RuleHits {
	var out []RuleHits
	at := map[string]int{}
	for i, r := range p.names {
		end := len(counts)
		if i+1 < len(p.names) {
			end = int(p.names[i+1].base)
		}
		for n := int(r.base); n < end; n++ {
			text := r.src.ruleText(n-int(r.base), 0)
			if l, ok := r.src.(bogonList); ok {
				text = l.part(n - int(r.base))
			}
			if _, chain := r.src.(chainRules); text == "" || chain && counts[n] == 0 {
				continue
			}
			if k, ok := at[text]; ok {
				out[k].Hits += counts[n]
				continue
			}
			at[text] = len(out)
			out = append(out, RuleHits{text, counts[n]})
		}
	}
	return out
}

// part names rule i of the list without an ASN; empty: it is not used.
func (l bogonList) part(i int) string {
	set := []Bogons{Reserved, Private}[i]
	if Bogons(l)&set == 0 {
		return ""
	}
	return "deny-asns " + set.String()
}
