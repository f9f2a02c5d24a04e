package config

import (
	"fmt"
	"net/netip"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Network originates a prefix.
type Network struct {
	Prefix      netip.Prefix
	RouteMap    string
	ImportCheck bool // only while this NVA has a route of its own for exactly Prefix
}

// Aggregate originates a prefix while there is a route for a more specific one.
type Aggregate struct {
	Prefix      netip.Prefix
	SummaryOnly bool // do not advertise the more specific prefixes
	RouteMap    string
}

// Redistribute originates the routes of another source.
type Redistribute struct {
	Source   string // connected, static or kernel: a route.Source by name
	RouteMap string
}

var networkTable = tomlfile.Array[Config, Network]{
	Key: "network", ID: "prefix", Doc: "Prefixes that nvad originates, one table each.",
	Of:   func(c *Config) *[]Network { return &c.Networks },
	Name: func(n *Network) string { return n.Prefix.String() }, Fields: networkFields,
}

var aggregateTable = tomlfile.Array[Config, Aggregate]{
	Key: "aggregate", ID: "prefix", Doc: "Prefixes that nvad originates while it has a route to a part of them, one table each.",
	Of:   func(c *Config) *[]Aggregate { return &c.Aggregates },
	Name: func(a *Aggregate) string { return a.Prefix.String() }, Fields: aggregateFields,
}

var redistributeTable = tomlfile.Array[Config, Redistribute]{
	Key: "redistribute", ID: "source", Doc: "Routes of other sources that nvad originates, one table each.",
	Of:   func(c *Config) *[]Redistribute { return &c.Redistributes },
	Name: func(r *Redistribute) string { return r.Source }, Fields: redistributeFields,
}

func networkFields(n *Network) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "prefix", Value: tomlfile.Prefix(&n.Prefix), Example: `"10.20.0.0/16"`, Required: true, Shown: true,
			Doc: "Prefix to originate, whether or not the kernel has a route for it; see import-check."},
		{Key: "route-map", Value: tomlfile.Text(&n.RouteMap, checkName), Example: `"tag-own"`, Shown: true,
			Doc: "Route-map that sets the attributes of the route, or denies it."},
		{Key: "import-check", Value: tomlfile.Bool(&n.ImportCheck),
			Doc: "Originate the prefix only while this machine has a route for exactly it: a connected one, a static one of this " +
				"file, or one of another program. A route whose links are all down does not count, and a route learned by BGP never does."},
	}
}

func aggregateFields(a *Aggregate) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "prefix", Value: tomlfile.Prefix(&a.Prefix), Example: `"10.16.0.0/12"`, Required: true, Shown: true,
			Doc: "Prefix to originate while there is a valid route to a part of it."},
		{Key: "summary-only", Value: tomlfile.Bool(&a.SummaryOnly),
			Doc: "Advertise only the aggregate, not its parts."},
		{Key: "route-map", Value: tomlfile.Text(&a.RouteMap, checkName), Example: `"tag-own"`,
			Doc: "Route-map that sets the attributes of the route, or denies it."},
	}
}

// redistributable lists the sources whose routes can be originated.
var redistributable = []string{"connected", "static", "kernel"}

func redistributeFields(r *Redistribute) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "source", Value: tomlfile.OneOf(&r.Source, redistributable...), Example: `"static"`, Required: true, Shown: true,
			Doc: `"connected": subnets of this machine's interfaces. "static": active static routes of this file. "kernel": ` +
				"routes of other programs, including the default route. Link-local prefixes are never originated."},
		{Key: "route-map", Value: tomlfile.Text(&r.RouteMap, checkName), Example: `"tag-own"`, Shown: true,
			Doc: "Route-map that sets the attributes of the routes, or denies them. Their MED is the metric in the kernel or, for " +
				"static routes, the metric in this file."},
	}
}

func (v *checker) originated() {
	c := v.cfg
	for i, n := range c.Networks {
		v.distinct("network", "prefix", i, n.Prefix, func(j int) bool { return n.Prefix.IsValid() && c.Networks[j].Prefix == n.Prefix })
	}
	for i, a := range c.Aggregates {
		v.distinct("aggregate", "prefix", i, a.Prefix, func(j int) bool { return a.Prefix.IsValid() && c.Aggregates[j].Prefix == a.Prefix })
		if key := v.src.Elem("aggregate", i, a.Prefix) + ".prefix"; a.Prefix.IsValid() && a.Prefix.IsSingleIP() {
			v.fail(key, "%s has no more specific prefixes, so it can't be an aggregate; use a [[network]] table instead", a.Prefix)
		}
	}
	for i, r := range c.Redistributes {
		v.distinct("redistribute", "source", i, r.Source, func(j int) bool { return r.Source != "" && c.Redistributes[j].Source == r.Source })
	}
}

// origin is a source of originated routes.
type origin struct {
	key      string // of its table
	name     string // "network 10.0.0.0/16"
	routeMap string // may be empty
}

// origins returns all networks, aggregates and redistributions.
func (c *Config) origins() (list []origin) {
	add := func(array string, i int, id any, routeMap string) {
		list = append(list, origin{c.source.Elem(array, i, id), fmt.Sprintf("%s %v", array, id), routeMap})
	}
	for i, n := range c.Networks {
		add("network", i, n.Prefix, n.RouteMap)
	}
	for i, a := range c.Aggregates {
		add("aggregate", i, a.Prefix, a.RouteMap)
	}
	for i, r := range c.Redistributes {
		add("redistribute", i, r.Source, r.RouteMap)
	}
	return list
}
