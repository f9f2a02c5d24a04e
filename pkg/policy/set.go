package policy

import (
	"github.com/nvad/nvad/pkg/route"
)

// setter makes the changes of one clause.
type setter struct {
	ipv4, ipv6 *change         // of the attributes, by family of the route; nil: none
	local      []func(*Output) // of what is no attribute
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

// change is a change of path attributes that depends on nothing else.
type change struct {
	number  int // within the Program
	steps   []func(*route.Attrs)
	nextHop bool // an address is among them
}

// apply returns a itself if the steps leave everything as it is.
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

// adjust returns what n makes of v, without wrapping around.
func (n Number) adjust(v uint32) uint32 {
	switch n.Op {
	case '+':
		return uint32(min(uint64(v)+uint64(n.Value), 1<<32-1))
	case '-':
		return v - min(v, n.Value)
	}
	return n.Value
}
