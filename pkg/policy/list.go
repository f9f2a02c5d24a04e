package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// ruleList is the part that every compiled list has.
type ruleList[R fmt.Stringer] struct {
	kind  Kind
	name  string
	rules []R // as the user wrote them, by ascending number
}

// newRuleList puts the rules of src in order and runs check on each. The errors
// carry the rule's place in src.
func newRuleList[R fmt.Stringer](kind Kind, name string, src []R, seq func(*R) *int, check func(*R) error) (ruleList[R], []*Error) {
	rules, places, errs := ordered(kind, name, src, seq)
	for i := range rules {
		if err := check(&rules[i]); err != nil {
			errs = append(errs, &Error{kind, name, places[i].index, places[i].seq, "", err})
		}
	}
	return ruleList[R]{kind, name, rules}, errs
}

// implicitDeny is printed as the rule when a list or route-map ends without a match.
const implicitDeny = "implicit deny"

func (l *ruleList[R]) label() string { return string(l.kind) + " " + l.name }

func (l *ruleList[R]) written(i int) string {
	if i >= len(l.rules) {
		return implicitDeny
	}
	return l.rules[i].String()
}

func (l *ruleList[R]) ruleText(i int, _ uint32) string {
	if i >= len(l.rules) {
		return l.label() + ": no rule matched (" + implicitDeny + ")"
	}
	return l.label() + " " + l.written(i)
}

func (l *ruleList[R]) noMatch() verdict { return listVerdict(len(l.rules), false) }

// size counts the verdicts that a list can give: its rules and the implicit deny.
func (l *ruleList[R]) size() int { return len(l.rules) + 1 }

func (l *ruleList[R]) source() any { return l.rules }

// verdict packs a list's answer for a route: the index of the rule that matched
// (one past the last for the implicit deny), whether it permits, and for a set of
// ASNs the one that was found. Zero means that the list has not been asked.
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

// attrList is a list that looks only at path attributes, so that its verdict
// holds for every route with the same attribute set.
type attrList interface {
	// decide asks the list. buf is scratch space for a text form.
	decide(a *route.Attrs, buf *[]byte) verdict
	// label returns the kind and name of the list.
	label() string
	// written returns one rule as the user wrote it, without the list's name.
	written(index int) string
	// looked returns the value that decide looks at, as text.
	looked(a *route.Attrs) string
}

// question is a list and the value that one stage or condition asks it about.
type question interface {
	ask(e *eval) verdict
	label() string
	written(index int) string
	// looked returns the value, as text.
	looked(e *eval) string
}

// prefixQuestion asks about the route's prefix.
type prefixQuestion struct{ *prefixList }

func (q prefixQuestion) ask(e *eval) verdict   { return q.lookup(e.in.Prefix) }
func (q prefixQuestion) looked(e *eval) string { return e.in.Prefix.String() }

// attrQuestion asks about the attributes. The memo keeps the verdict at place.
type attrQuestion struct {
	attrList
	place int
}

func (q *attrQuestion) ask(e *eval) verdict   { return e.ask(q.attrList, q.place) }
func (q *attrQuestion) looked(e *eval) string { return q.attrList.looked(e.attrs) }

// listUse is a question as a stage of a chain or as a condition of a clause.
type listUse struct {
	question
	base Rule // number of the list's first rule; 0: its decisions are not counted
}

// run implements stage.
func (u *listUse) run(e *eval) (bool, Rule) {
	v := u.ask(e)
	if e.trace != nil {
		e.trace.verdict(Step{Object: u.label(), Rule: u.written(v.index()), Value: u.looked(e)}, v.permit())
	}
	by := numbered(u.base, v)
	e.hit(by)
	return v.permit(), by
}

// match implements condition.
func (u *listUse) match(e *eval) bool {
	v := u.ask(e)
	if u.base != 0 {
		e.hit(numbered(u.base, v))
	}
	return v.permit()
}

// explain implements condition.
func (u *listUse) explain(e *eval) Step {
	v := u.ask(e)
	return Step{Object: "match " + u.label(), Rule: u.written(v.index()), Value: u.looked(e)}
}

func numbered(base Rule, v verdict) Rule {
	return base + Rule(v.index()) | Rule(v.asn())<<32
}

// seqStep is the distance between rules that the user has not numbered.
const seqStep = 5

var errSeqRange = errors.New("sequence number must be between 1 and 4294967295")

// position is the index of a rule or clause as written, and its number.
type position struct{ index, seq int }

// ordered returns numbered copies of the rules by ascending number, their
// positions, and the errors in their numbers.
func ordered[T any](kind Kind, name string, rules []T, seq func(*T) *int) (out []T, places []position, errs []*Error) {
	fail := func(at position, err error) { errs = append(errs, &Error{kind, name, at.index, at.seq, "seq", err}) }
	seen := make(map[int]bool, len(rules))
	highest := 0
	for i, r := range rules {
		at := position{i, *seq(&r)}
		if at.seq == 0 {
			at.seq = highest/seqStep*seqStep + seqStep
		}
		if seen[at.seq] {
			fail(at, fmt.Errorf("sequence number %d is given twice", at.seq))
		}
		if at.seq < 0 || int64(at.seq) > 1<<32-1 {
			fail(at, errSeqRange)
		}
		highest = max(highest, at.seq)
		seen[at.seq] = true
		places = append(places, at)
	}
	slices.SortStableFunc(places, func(a, b position) int { return cmp.Compare(a.seq, b.seq) })
	for _, at := range places {
		out = append(out, rules[at.index])
		*seq(&out[len(out)-1]) = at.seq
	}
	return out, places, errs
}

func prefixSeq(r *PrefixRule) *int       { return &r.Seq }
func pathSeq(r *ASPathRule) *int         { return &r.Seq }
func communitySeq(r *CommunityRule) *int { return &r.Seq }
func clauseSeq(c *Clause) *int           { return &c.Seq }
