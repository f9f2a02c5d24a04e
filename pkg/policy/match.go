package policy

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/nvad/nvad/pkg/route"
)

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
