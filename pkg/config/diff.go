package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
)

// Change is one difference between two configurations and what applying it costs.
type Change = tomlfile.Change

// Impact says what it costs to apply a change. Each key declares its own.
type Impact = tomlfile.Impact

// Impacts, from the lightest to the heaviest.
const (
	Live            = tomlfile.Live
	SoftRefresh     = tomlfile.SoftRefresh
	SessionReset    = tomlfile.SessionReset
	DeviceRecreated = tomlfile.DeviceRecreated
	Restart         = tomlfile.Restart
)

// Diff returns the differences from old to new in the order of the normalised
// form; nil if there are none. A changed peer-group or list is reported for each
// neighbor that it affects. Passwords are not shown.
func Diff(old, new *Config) []Change {
	var out []Change
	for _, t := range tables {
		out = append(out, t.Diff(old, new)...)
	}
	out = append(out, tomlfile.DiffEach("neighbor", old.Neighbors, new.Neighbors, SessionReset,
		func(n *Neighbor) string { return n.Address.String() }, diffNeighbor)...)
	out = append(out, tomlfile.DiffEach("listen-range", old.Ranges, new.Ranges, SessionReset,
		func(r *Range) string { return r.Prefix.String() }, diffRange)...)
	return append(out, diffPolicies(old, new)...)
}

// ByImpact returns changes with the costliest first, otherwise in their order.
func ByImpact(changes []Change) []Change { return tomlfile.ByImpact(changes) }

func diffNeighbor(object string, a, b *Neighbor) []Change {
	fields := func(n *Neighbor) []tomlfile.Field { return append(neighborFields(n), settingsFields(&n.Settings)...) }
	return tomlfile.DiffFields(object, fields(a), fields(b))
}

func diffPolicies(old, new *Config) []Change {
	d := policyDiff{old.users(), new.users()}
	var out []Change
	for _, k := range listKinds {
		out = append(out, k.diff(d, &old.Policies, &new.Policies)...)
	}
	return append(out, diffObjects(d, policy.KindRouteMap, old.Policies.RouteMaps, new.Policies.RouteMaps)...)
}

// policyDiff has the users of each object before and after a change, by kind and name.
type policyDiff struct{ old, new map[string][]string }

func diffObjects[L any](d policyDiff, kind policy.Kind, old, new map[string]L) []Change {
	all := maps.Clone(old)
	if all == nil {
		all = map[string]L{}
	}
	maps.Copy(all, new)
	var out []Change
	for _, name := range tomlfile.SortedKeys(all) {
		a, was := old[name]
		b, is := new[name]
		what := "changed"
		switch {
		case !was:
			what = "added"
		case !is:
			what = "removed"
		case reflect.DeepEqual(a, b):
			continue
		}
		out = append(out, d.change(string(kind)+" "+name, what))
	}
	return out
}

// change costs a soft refresh of those who use the object before or after it.
func (d policyDiff) change(object, what string) Change {
	var users []string
	for _, u := range slices.Concat(d.old[object], d.new[object]) {
		if !slices.Contains(users, u) {
			users = append(users, u)
		}
	}
	if len(users) == 0 {
		return Change{Object: object, What: what + ", not in use", Impact: Live}
	}
	return Change{Object: object, What: what + ", used by " + strings.Join(users, ", "), Impact: SoftRefresh}
}

// users returns the users of each list and route-map, direct ones and those through a
// route-map: "import from 10.0.210.4", "default to 10.0.210.4", "network 10.0.0.0/16".
// The keys are kind and name: "prefix-list rs-hub00".
func (c *Config) users() map[string][]string {
	u := uses{cfg: c, by: map[string][]string{}}
	of := func(n *Neighbor, name string) {
		u.chain(n.Import, "import from "+name)
		u.chain(n.Export, "export to "+name)
		u.routeMap(n.DefaultOriginateMap, "default to "+name)
	}
	for i := range c.Neighbors {
		of(&c.Neighbors[i], c.Neighbors[i].Address.String())
	}
	for i := range c.Ranges {
		of(&c.Ranges[i].Neighbor, c.Ranges[i].Prefix.String())
	}
	for _, o := range c.origins() {
		u.routeMap(o.routeMap, o.name)
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

// follow records user for the objects that refs name, and for those that their
// route-maps name.
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
