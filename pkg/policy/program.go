package policy

import (
	"reflect"
	"slices"
	"sort"

	"github.com/nvad/nvad/pkg/route"
)

// Program is a compiled [Chain]. Only its counters and its memory of attribute sets
// change, so that one goroutine at a time may run it, and every Input.Attrs must
// stay unchanged for ever, as an interned set does. The memory keeps a bounded
// number of sets alive.
type Program struct {
	src    source
	stages []stage

	names   []ruleRange
	hits    []uint64 // decisions by the rule's number
	changes int      // next number to give to a change of attributes
	memo    memo
	text    []byte // scratch
	eval    eval
}

// stage is one part of a chain. It returns the rule that decided.
type stage interface {
	run(e *eval) (permit bool, by Rule)
}

// ruleRange gives number base+i to rule i of src.
type ruleRange struct {
	base Rule
	src  ruleSource
}

// source holds the inputs of the compilation on which a Program's behaviour
// depends; Equal compares it.
type source struct {
	chain   Chain
	session Session // only the fields that a rule looks at
	lists   map[string]any
}

// eval is the state of one evaluation.
type eval struct {
	p     *Program
	in    Input
	attrs *route.Attrs // as changed so far
	slot  *slot        // of attrs, once looked up
	out   Output
	trace *tracer // nil in Run
}

// Run evaluates the route. It allocates nothing unless it changes the route, and
// even then only for the first route of an attribute set. Prefix must have no host
// bits set and Attrs must not be nil.
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

// Forget drops the remembered attribute sets, so that those which nothing else
// refers to can be freed.
func (p *Program) Forget() {
	p.eval = eval{}
	p.memo.forget()
}

// ask returns the verdict of l about the attributes, from the given place of the
// memo if the set was there before.
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

// derive applies c to the attributes, or takes the result from the memo.
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

// RuleText returns the rule as the user wrote it, with the object it belongs to:
// "prefix-list rs-hub00 seq 5 deny 10.0.0.0/16". It is empty for 0 and for a
// number that this Program has not given out.
func (p *Program) RuleText(r Rule) string {
	id := Rule(uint32(r))
	i := sort.Search(len(p.names), func(i int) bool { return p.names[i].base > id }) - 1
	if i < 0 {
		return ""
	}
	return p.names[i].src.ruleText(int(id-p.names[i].base), uint32(r>>32))
}

// Equal reports whether both Programs were compiled from the same rules, and so
// treat every route alike. Settings of the session that no rule looks at do not
// count.
func (p *Program) Equal(q *Program) bool {
	return p == q || p != nil && q != nil && reflect.DeepEqual(p.src, q.src)
}

// chainRules names the verdicts of a chain that come from no list.
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

// denyStage denies paths with an ASN of the set (deny-asns).
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

// ruleSource prints its rules. Index len(rules) is the implicit deny.
type ruleSource interface {
	// ruleText returns a rule with the object it belongs to; asn is the one found.
	ruleText(index int, asn uint32) string
}

// RuleHits counts how often a rule decided.
type RuleHits struct {
	Rule string // as RuleText prints it
	Hits uint64
}

// hit counts a decision of rule r, also if its verdict came from the memo. A trace
// only explains and is not counted.
func (e *eval) hit(r Rule) {
	if e.trace == nil {
		e.p.hits[uint32(r)]++
	}
}

// Counts returns a copy of the counters, to pass to Hits.
func (p *Program) Counts() []uint64 { return slices.Clone(p.hits) }

// Hits returns the rules of the Program with counts, a result of its Counts. The rules
// of a list follow each other and end with the implicit deny. A list that a policy
// uses in several places appears once, with its hits added up. Hits may be called
// while another goroutine runs the Program.
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

// part returns rule i of the list without an ASN; empty if the set is not in use.
func (l bogonList) part(i int) string {
	set := []Bogons{Reserved, Private}[i]
	if Bogons(l)&set == 0 {
		return ""
	}
	return "deny-asns " + set.String()
}
