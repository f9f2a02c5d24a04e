package config

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

var origins = []string{"igp", "egp", "incomplete"}

// sources is the words for route.Source, in its order.
func sources() []string {
	var out []string
	for s := route.SourceBGP; s.String() != "unknown"; s++ {
		out = append(out, s.String())
	}
	return out
}

func checkSetNextHop(s string) error {
	switch s {
	case "self", "unchanged", "peer":
		return nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return fmt.Errorf(`want an IP address, "self", "unchanged" or "peer", got %s`, show(s))
	}
	return unicast(a)
}

// action is permit or deny.
type action struct{ permit *bool }

func (v action) set(c cell) {
	word := ""
	oneOf(&word, "permit", "deny").set(c)
	*v.permit = word == "permit"
}

func (action) kind() string { return "word" }

func (v action) toml() string {
	if *v.permit {
		return `"permit"`
	}
	return `"deny"`
}

// inlineTable is a table of its own fields; printed on one line.
type inlineTable[T any] struct {
	p      *T
	fields []field[T]
}

func (v inlineTable[T]) set(c cell) {
	if t, ok := c.table(); ok {
		readFields(t, v.p, v.fields)
		t.done()
	}
}

func (inlineTable[T]) kind() string { return "table" }

func (v inlineTable[T]) toml() string { return inline(v.p, v.fields) }

// onMatch is "next" or the number of a later clause.
type onMatch struct{ clause *policy.Clause }

func (v onMatch) set(c cell) {
	n, isNumber := c.val.(int64)
	switch {
	case c.val == "next":
		v.clause.Next = policy.NextClause
	case isNumber && n > 0 && n <= maxUint16:
		v.clause.Next, v.clause.Target = policy.NextGoto, int(n)
	default:
		c.want(`"next" or the number of a later clause`)
	}
}

func (onMatch) kind() string { return "word or number" }

func (v onMatch) toml() string {
	switch v.clause.Next {
	case policy.NextClause:
		return `"next"`
	case policy.NextGoto:
		return strconv.Itoa(v.clause.Target)
	}
	return ""
}

// cont is true or the number of a later clause.
type cont struct{ clause *policy.Clause }

func (v cont) set(c cell) {
	n, isNumber := c.val.(int64)
	switch {
	case v.clause.Next != policy.NextStop:
		c.fail("on-match and continue exclude each other")
	case c.val == true:
		v.clause.Next = policy.NextContinue
	case isNumber && n > 0 && n <= maxUint16:
		v.clause.Next, v.clause.Target = policy.NextContinue, int(n)
	default:
		c.want("true or the number of a later clause")
	}
}

func (cont) kind() string { return "true or number" }

func (v cont) toml() string {
	switch {
	case v.clause.Next != policy.NextContinue:
		return ""
	case v.clause.Target == 0:
		return "true"
	}
	return strconv.Itoa(v.clause.Target)
}

// comparison is a number, alone or after an operator.
type comparison struct{ p *policy.Cmp }

func (v comparison) set(c cell) {
	if s, ok := numberText(c.val); ok {
		if cmp, err := policy.ParseCmp(s); err == nil {
			*v.p = cmp
			return
		}
	}
	c.want(`a number, or one after "=", "<", "<=", ">" or ">="`)
}

func (comparison) kind() string { return "number or comparison" }

func (v comparison) toml() string {
	if v.p.Op == "=" {
		return strconv.FormatUint(uint64(v.p.Value), 10)
	}
	return quote(v.p.String())
}

// change is a number, or a change by one ("+10").
type change struct{ p **policy.Number }

func (v change) set(c cell) {
	if s, ok := numberText(c.val); ok {
		if n, err := policy.ParseNumber(s); err == nil {
			*v.p = &n
			return
		}
	}
	c.want(`a number, or a change ("+10", "-10")`)
}

func (change) kind() string { return "number or change" }

func (v change) toml() string {
	switch n := *v.p; {
	case n == nil:
		return ""
	case n.Op == 0:
		return n.String()
	default:
		return quote(n.String())
	}
}

// numberText is an integer or a string as text.
func numberText(v any) (string, bool) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), v >= 0
	case string:
		return v, true
	}
	return "", false
}
