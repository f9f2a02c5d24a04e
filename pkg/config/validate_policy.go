package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

// policies reports what the policy compiler finds in the library and in each
// neighbor's chains, beyond what the references have shown.
func (v *checker) policies() {
	for _, e := range policy.CheckLibrary(&v.cfg.Policies) {
		v.policyError(e)
	}
	compiler := policy.NewCompiler(&v.cfg.Policies)
	for i := range v.cfg.Neighbors {
		n := &v.cfg.Neighbors[i]
		own, group := v.src.elem("neighbor", i, n.Address), "peer-group."+n.PeerGroup
		_, err := compiler.Compile(n.Import, v.cfg.Session(n, false))
		v.policyErrors(err, own+".import", group+".import")
		_, err = compiler.Compile(n.Export, v.cfg.Session(n, true))
		v.policyErrors(err, own+".export", group+".export")
		_, err = compiler.Compile(n.DefaultChain(), v.cfg.Session(n, true))
		v.policyErrors(err, own+".default-originate-map", group+".default-originate-map")
	}
	v.origins(compiler)
}

// origins compiles the route-maps of what is originated.
func (v *checker) origins(compiler *policy.Compiler) {
	c := v.cfg
	check := func(key, routeMap string) {
		_, err := compiler.Compile(OriginChain(routeMap), c.OriginSession())
		v.policyErrors(err, key+".route-map")
	}
	for i, n := range c.Networks {
		check(v.src.elem("network", i, n.Prefix), n.RouteMap)
	}
	for i, a := range c.Aggregates {
		check(v.src.elem("aggregate", i, a.Prefix), a.RouteMap)
	}
	for i, r := range c.Redistributes {
		check(v.src.elem("redistribute", i, r.Source), r.RouteMap)
	}
}

// OriginChain is what a route passes where it is originated; routeMap may be
// empty.
func OriginChain(routeMap string) policy.Chain {
	return policy.Chain{Accept: true, RouteMap: routeMap}
}

// OriginSession is what the policy compiler needs to know for an OriginChain:
// there is no neighbor.
func (c *Config) OriginSession() policy.Session { return policy.Session{LocalASN: c.ASN} }

// DefaultChain is what the default route passes that n is sent; the zero Chain
// if none is.
func (s *Settings) DefaultChain() policy.Chain {
	if !s.DefaultOriginate {
		return policy.Chain{}
	}
	return OriginChain(s.DefaultOriginateMap)
}

// Session is what the policy compiler needs to know of the session with n, in
// one direction.
func (c *Config) Session(n *Neighbor, export bool) policy.Session {
	return policy.Session{
		LocalASN:     n.OwnASN(c),
		PeerASN:      n.RemoteASN,
		Neighbor:     n.Address,
		LocalAddress: n.LocalAddress,
		PeerGroup:    n.PeerGroup,
		Role:         n.Role,
		Export:       export,
	}
}

// policyErrors reports the errors of a chain, which the neighbor or its group
// gives.
func (v *checker) policyErrors(err error, chains ...string) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return
	}
	for _, err := range joined.Unwrap() {
		var e *policy.Error
		if errors.As(err, &e) {
			v.policyError(e, chains...)
		}
	}
}

// policyError reports e at its key. One at a key that has its error already,
// or an element that has, is left out: it is the same in other words.
func (v *checker) policyError(e *policy.Error, chains ...string) {
	key := v.src.given(v.policyKeys(e, chains))
	for _, other := range v.errors {
		if other.Key == key || strings.HasPrefix(other.Key, key+"[") {
			return
		}
	}
	v.fail(key, "%v", e.Err)
}

// policyKeys is the keys that e may be about.
func (v *checker) policyKeys(e *policy.Error, chains []string) string {
	if e.Kind == policy.KindChain {
		keys := ""
		for _, chain := range chains {
			keys += chain + "." + e.Field + " " + chain + " "
		}
		return keys
	}
	object := fmt.Sprintf("%s.%s", e.Kind, e.Name)
	if e.Index < 0 {
		return object
	}
	key := v.src.elem(object, e.Index, e.Seq)
	switch {
	case e.Kind != policy.KindRouteMap || e.Field == "":
		return key
	case e.Field == "next":
		return key + ".on-match " + key + ".continue"
	case e.Field == "set.aggregator":
		return key + ".set.aggregator-asn " + key + ".set.aggregator-address"
	}
	return key + "." + e.Field
}
