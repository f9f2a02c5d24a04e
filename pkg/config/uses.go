package config

import (
	"slices"

	"github.com/nvad/nvad/pkg/policy"
)

// users is who comes to use each list and route-map, directly or through a
// route-map: "import from 10.0.210.4", "default to 10.0.210.4", "network
// 10.0.0.0/16". Keys are kind and name, "prefix-list rs-hub00".
func (c *Config) users() map[string][]string {
	u := uses{cfg: c, by: map[string][]string{}}
	for i := range c.Neighbors {
		n := &c.Neighbors[i]
		u.chain(n.Import, "import from "+n.Address.String())
		u.chain(n.Export, "export to "+n.Address.String())
		u.routeMap(n.DefaultOriginateMap, "default to "+n.Address.String())
	}
	for _, n := range c.Networks {
		u.routeMap(n.RouteMap, "network "+n.Prefix.String())
	}
	for _, a := range c.Aggregates {
		u.routeMap(a.RouteMap, "aggregate "+a.Prefix.String())
	}
	for _, r := range c.Redistributes {
		u.routeMap(r.RouteMap, "redistribute "+r.Source)
	}
	return u.by
}

type uses struct {
	cfg *Config
	by  map[string][]string
}

func (u *uses) chain(c policy.Chain, user string) { u.follow(chainRefs("", c), user) }

func (u *uses) routeMap(name, user string) {
	u.follow([]ref{{kind: string(policy.KindRouteMap), name: name}}, user)
}

// follow notes user at what refs name and at what those route-maps name.
func (u *uses) follow(refs []ref, user string) {
	for _, r := range named(refs) {
		object := r.kind + " " + r.name
		if slices.Contains(u.by[object], user) {
			continue
		}
		u.by[object] = append(u.by[object], user)
		if r.kind != string(policy.KindRouteMap) {
			continue
		}
		for _, clause := range u.cfg.Policies.RouteMaps[r.name] {
			u.follow(clauseRefs("", clause), user)
		}
	}
}
