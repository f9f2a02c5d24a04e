package policy

import "strconv"

// routeMap is a compiled [RouteMap] of one Program.
type routeMap struct {
	name    string
	base    Rule
	clauses []clause
}

// clause is a compiled [Clause].
type clause struct {
	seq    int
	permit bool
	match  []condition
	set    setter
	call   *routeMap
	next   int // index of the clause to evaluate after a match
}

// condition is one part of a clause's match; all parts must hold.
type condition interface {
	match(e *eval) bool
	// explain returns the value that match looked at, as a step of a trace.
	explain(e *eval) Step
}

func (m *routeMap) label() string { return string(KindRouteMap) + " " + m.name }

func (m *routeMap) written(i int) string {
	if i >= len(m.clauses) {
		return implicitDeny
	}
	c := &m.clauses[i]
	return action(c.permit) + " " + strconv.Itoa(c.seq)
}

func (m *routeMap) ruleText(i int, _ uint32) string {
	if i >= len(m.clauses) {
		return m.label() + ": no clause matched (" + implicitDeny + ")"
	}
	return m.label() + " " + m.written(i)
}

// run evaluates the clauses in order. A permit clause that matches makes its changes
// and accepts the route, unless something later denies it: a route-map that the
// clause calls, or, if the clause goes on, a deny clause that matches after it. A
// clause that goes on has not decided: as in FRR, the route is denied if clauses
// follow it and none of them matches.
func (m *routeMap) run(e *eval) (bool, Rule) {
	implicit := m.base + Rule(len(m.clauses))
	permit, by := false, implicit
	for i := 0; i < len(m.clauses); {
		c := &m.clauses[i]
		if !m.matches(i, e) {
			permit, by = false, implicit
			i++
			continue
		}
		by = m.base + Rule(i)
		e.hit(by)
		if !c.permit {
			e.trace.verdict(Step{Object: m.label(), Rule: m.written(i)}, false)
			return false, by
		}
		permit = true
		m.change(i, e)
		if c.call != nil {
			e.trace.nest(1)
			ok, inner := c.call.run(e)
			e.trace.nest(-1)
			if !ok {
				return false, inner
			}
		}
		i = c.next
	}
	if !permit {
		e.hit(implicit)
		e.trace.verdict(Step{Object: m.label(), Rule: implicitDeny}, false)
	}
	return permit, by
}

func (m *routeMap) matches(i int, e *eval) bool {
	c := &m.clauses[i]
	for _, cond := range c.match {
		ok := cond.match(e)
		if e.trace != nil {
			m.explain(cond, ok, e)
		}
		if !ok {
			if e.trace != nil {
				e.trace.add(Step{Object: m.label(), Rule: m.written(i), Verdict: NoMatch})
			}
			return false
		}
	}
	return true
}

func (m *routeMap) explain(cond condition, ok bool, e *eval) {
	s := cond.explain(e)
	if ok {
		s.Verdict = Matched
	}
	e.trace.nest(1)
	e.trace.add(s)
	e.trace.nest(-1)
}

// change applies the set part of clause i.
func (m *routeMap) change(i int, e *eval) {
	before := view{}
	if e.trace != nil {
		before = e.view()
	}
	m.clauses[i].set.apply(e)
	if e.trace != nil {
		e.trace.verdict(Step{Object: m.label(), Rule: m.written(i), Changes: before.changes(e.view())}, true)
	}
}
