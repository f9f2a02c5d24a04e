package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

// Change is one difference between two configurations and what applying it
// costs.
type Change struct {
	Object string // "neighbor 10.0.210.4", "prefix-list rs-hub00", "kernel"
	What   string // "added", "removed", or the key and its values
	Impact Impact
}

// String is the change as reload --dry-run prints it.
func (c Change) String() string { return fmt.Sprintf("%s: %s (%s)", c.Object, c.What, c.Impact) }

// Diff is what differs from old to new, in the order of the normalised form.
// What a peer-group or a list changes is told of every neighbor it concerns. It
// shows no passwords. No difference is nil.
func Diff(old, new *Config) []Change {
	out := diffFields("global", old, new, configFields)
	out = append(out, diffFields("daemon", &old.Daemon, &new.Daemon, daemonFields)...)
	out = append(out, diffFields("kernel", &old.Kernel, &new.Kernel, kernelFields)...)
	out = append(out, diffFields("limits", &old.Limits, &new.Limits, limitsFields)...)
	out = append(out, diffFields("drain", &old.Drain, &new.Drain, drainFields)...)
	out = append(out, diffFields("health", &old.Health, &new.Health, healthFields)...)
	out = append(out, diffFields("azure", &old.Azure, &new.Azure, azureFields)...)
	out = append(out, diffFields("api", &old.API, &new.API, apiFields)...)
	out = append(out, diffFields("metrics", &old.Metrics, &new.Metrics, metricsFields)...)
	out = append(out, diffEach("tunnel", old.Tunnels, new.Tunnels, DeviceRecreated,
		func(t *Tunnel) string { return t.Name },
		func(object string, a, b *Tunnel) []Change { return diffFields(object, a, b, tunnelFields) })...)
	out = append(out, diffEach("nic", old.NICs, new.NICs, Live,
		func(n *NIC) string { return n.Device },
		func(object string, a, b *NIC) []Change { return diffFields(object, a, b, nicFields) })...)
	out = append(out, diffEach("static-route", old.Statics, new.Statics, Live, staticName,
		func(object string, a, b *Static) []Change { return diffFields(object, a, b, staticFields) })...)
	out = append(out, diffNAT(old, new)...)
	out = append(out, diffEach("network", old.Networks, new.Networks, Live,
		func(n *Network) string { return n.Prefix.String() },
		func(object string, a, b *Network) []Change { return diffFields(object, a, b, networkFields) })...)
	out = append(out, diffEach("aggregate", old.Aggregates, new.Aggregates, Live,
		func(a *Aggregate) string { return a.Prefix.String() },
		func(object string, a, b *Aggregate) []Change { return diffFields(object, a, b, aggregateFields) })...)
	out = append(out, diffEach("redistribute", old.Redistributes, new.Redistributes, Live,
		func(r *Redistribute) string { return r.Source },
		func(object string, a, b *Redistribute) []Change { return diffFields(object, a, b, redistributeFields) })...)
	out = append(out, diffEach("neighbor", old.Neighbors, new.Neighbors, SessionReset,
		func(n *Neighbor) string { return n.Address.String() }, diffNeighbor)...)
	return append(out, diffPolicies(old, new)...)
}

// ByImpact is changes with those first that cost most, otherwise in their order.
func ByImpact(changes []Change) []Change {
	out := slices.Clone(changes)
	slices.SortStableFunc(out, func(a, b Change) int { return cmp.Compare(b.Impact, a.Impact) })
	return out
}

func diffNAT(old, new *Config) []Change {
	out := diffEach("masquerade", old.Masquerades, new.Masquerades, Live, masqueradeName,
		func(object string, a, b *Masquerade) []Change { return diffFields(object, a, b, masqueradeFields) })
	out = append(out, diffEach("snat", old.SNATs, new.SNATs, Live, snatName,
		func(object string, a, b *SNAT) []Change { return diffFields(object, a, b, snatFields) })...)
	return append(out, diffEach("dnat", old.DNATs, new.DNATs, Live, dnatName,
		func(object string, a, b *DNAT) []Change { return diffFields(object, a, b, dnatFields) })...)
}

// staticName is what the kernel tells routes apart by.
func staticName(s *Static) string {
	if s.Metric == 0 {
		return s.Prefix.String()
	}
	return fmt.Sprintf("%s metric %d", s.Prefix, s.Metric)
}

func diffNeighbor(object string, a, b *Neighbor) []Change {
	return append(diffFields(object, a, b, neighborFields), diffFields(object, &a.Settings, &b.Settings, settingsFields)...)
}

func diffFields[T any](object string, old, new *T, fields []field[T]) []Change {
	var out []Change
	for _, f := range fields {
		a, b := f.bind(old).toml(), f.bind(new).toml()
		if keys, ok := f.bind(new).(bfd); ok && a == b && keys.rekeyed(f.bind(old)) {
			out = append(out, Change{object, f.key + ": keys changed", f.impact})
		}
		if a == b {
			continue
		}
		what := fmt.Sprintf("%s: %s -> %s", f.key, orUnset(a), orUnset(b))
		if _, isSecret := f.bind(new).(secret); isSecret {
			what = f.key + ": changed"
		}
		out = append(out, Change{object, what, f.impact})
	}
	return out
}

func orUnset(toml string) string {
	if toml == "" || toml == `""` {
		return "unset"
	}
	return toml
}

// diffEach compares the elements of an array by name. Adding one disturbs
// nothing; removing one costs gone.
func diffEach[T any](kind string, old, new []T, gone Impact, name func(*T) string, diff func(string, *T, *T) []Change) []Change {
	var out []Change
	before := map[string]*T{}
	for i := range old {
		before[name(&old[i])] = &old[i]
	}
	after := map[string]bool{}
	for i := range new {
		id := name(&new[i])
		after[id] = true
		if was := before[id]; was != nil {
			out = append(out, diff(kind+" "+id, was, &new[i])...)
		} else {
			out = append(out, Change{kind + " " + id, "added", Live})
		}
	}
	for i := range old {
		if id := name(&old[i]); !after[id] {
			out = append(out, Change{kind + " " + id, "removed", gone})
		}
	}
	return out
}

func diffPolicies(old, new *Config) []Change {
	a, b := &old.Policies, &new.Policies
	d := policyDiff{old.users(), new.users()}
	var out []Change
	out = append(out, diffObjects(d, policy.KindPrefixList, a.PrefixLists, b.PrefixLists)...)
	out = append(out, diffObjects(d, policy.KindASPathList, a.ASPathLists, b.ASPathLists)...)
	out = append(out, diffObjects(d, policy.KindCommunityList, a.CommunityLists, b.CommunityLists)...)
	out = append(out, diffObjects(d, policy.KindLargeCommunityList, a.LargeCommunityLists, b.LargeCommunityLists)...)
	out = append(out, diffObjects(d, policy.KindExtCommunityList, a.ExtCommunityLists, b.ExtCommunityLists)...)
	return append(out, diffObjects(d, policy.KindRouteMap, a.RouteMaps, b.RouteMaps)...)
}

// policyDiff is who uses each object of two configurations, by kind and name.
type policyDiff struct{ old, new map[string][]string }

func diffObjects[L any](d policyDiff, kind policy.Kind, old, new map[string]L) []Change {
	var out []Change
	for _, name := range sortedKeys(merged(old, new)) {
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

// change costs a refresh of those who use the object before or after.
func (d policyDiff) change(object, what string) Change {
	seen := map[string]bool{}
	var users []string
	for _, u := range append(append([]string(nil), d.old[object]...), d.new[object]...) {
		if !seen[u] {
			seen[u] = true
			users = append(users, u)
		}
	}
	if len(users) == 0 {
		return Change{object, what + ", not in use", Live}
	}
	return Change{object, what + ", used by " + strings.Join(users, ", "), SoftRefresh}
}

func merged[V any](a, b map[string]V) map[string]V {
	out := make(map[string]V, len(a)+len(b))
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		out[k] = v
	}
	return out
}
