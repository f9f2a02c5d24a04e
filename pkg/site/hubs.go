package site

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// hubs returns the groups of at least two NVAs that serve the same Route Server or other
// domain.
func (d *differ) hubs() [][]*nva {
	var groups [][]*nva
	for _, n := range d.nvas {
		group := []*nva{n}
		groups = slices.DeleteFunc(groups, func(g []*nva) bool {
			same := slices.ContainsFunc(g, func(m *nva) bool {
				return slices.ContainsFunc(n.domains, func(name string) bool { return slices.Contains(m.domains, name) })
			})
			if same {
				group = append(slices.Clone(g), group...)
			}
			return same
		})
		groups = append(groups, group)
	}
	return slices.DeleteFunc(groups, func(g []*nva) bool { return len(g) < 2 })
}

// settling is how long the NVAs of a hub may take until all have a new prefix.
const settling = 5 * time.Second

// prefixes reports, for each NVA of a hub, the prefixes that another one has.
func (d *differ) prefixes(hub []*nva) {
	for _, n := range hub {
		if !n.Status.GetInSync() {
			d.notJudged = append(d.notJudged, fmt.Sprintf("%s is not in sync: which prefixes it lacks is not judged.", n.Name))
			continue
		}
		lacks := map[netip.Prefix]bool{}
		var from *nva
		for _, m := range hub {
			for p, since := range m.Prefixes {
				if _, has := n.Prefixes[p]; has || m.asked(since) < settling {
					continue
				}
				if lacks[p] = true; from == nil {
					from = m
				}
			}
		}
		if len(lacks) == 0 {
			continue
		}
		missing := slices.SortedFunc(maps.Keys(lacks), netip.Prefix.Compare)
		noun := "1 prefix"
		if len(missing) > 1 {
			noun = fmt.Sprintf("%d prefixes", len(missing))
		}
		d.findPrefixes(PairPrefixMissing, Warning, "", []*nva{n, from}, missing,
			fmt.Sprintf("%s lacks %s that %s of the same hub has%s: if %s fails, so does the traffic there.", n.Name, noun, from.Name, n.down(), from.Name),
			fmt.Sprintf("nvactl --site FILE explain %s shows where it stops.", missing[0]))
	}
}

// asked returns how old a time of this NVA's clock was when the NVA answered.
func (n *nva) asked(at time.Time) time.Duration {
	if now := n.Status.GetTime(); now != nil {
		return now.AsTime().Sub(at)
	}
	return settling
}

// down says how many neighbors have no session, which explains much.
func (n *nva) down() string {
	down := n.Status.GetNeighbors() - n.Status.GetEstablished()
	if n.Status.GetEstablished() >= n.Status.GetNeighbors() {
		return ""
	}
	return fmt.Sprintf(", and %d of its %d sessions are not established", down, n.Status.GetNeighbors())
}

// drained reports a drained NVA whose traffic no other one of its hub can take.
func (d *differ) drained(hub []*nva) {
	able := slices.ContainsFunc(hub, func(n *nva) bool { return n.Status.GetDrainingSince() == nil && n.Status.GetEstablished() > 0 })
	for _, n := range hub {
		if n.Status.GetDrainingSince() == nil || able {
			continue
		}
		others := slices.DeleteFunc(slices.Clone(hub), func(m *nva) bool { return m == n })
		d.find(DrainedWithoutPair, Error, "", []*nva{n},
			fmt.Sprintf("%s is drained%s, and none of its hub can take the traffic: %s.", n.Name, because(n.Status.GetDrainingReason()), states(others)),
			fmt.Sprintf("Run nvactl drain --off on %s, or bring another one back first.", n.Name))
	}
}

// states says why NVAs carry no traffic.
func states(list []*nva) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = n.Name + " is drained, too"
		if n.Status.GetDrainingSince() == nil {
			words[i] = n.Name + " has no session"
		}
	}
	return strings.Join(words, ", ")
}

// alone reports a drained NVA whose hub's other NVAs did not answer, as far as is known.
func (d *differ) alone(silent bool) {
	hubs := d.hubs()
	for _, n := range d.nvas {
		known := slices.ContainsFunc(hubs, func(hub []*nva) bool { return slices.Contains(hub, n) })
		if !silent || known || n.Status.GetDrainingSince() == nil {
			continue
		}
		d.find(DrainedWithoutPair, Warning, "", []*nva{n},
			fmt.Sprintf("%s is drained%s, and no other NVA of its hub answered.", n.Name, because(n.Status.GetDrainingReason())),
			fmt.Sprintf("Find out why the others did not answer, or run nvactl drain --off on %s.", n.Name))
	}
}
