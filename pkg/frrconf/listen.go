package frrconf

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"

	"github.com/nvad/nvad/pkg/config"
)

// listened is a range of addresses from which neighbors may connect: "bgp listen range".
type listened struct {
	prefix netip.Prefix
	group  string
	line   *line
}

func listenRange(c *converter, l *line, args []string) outcome {
	p, err := netip.ParsePrefix(args[0])
	if err != nil || p.Addr().Is4In6() {
		return attention("%s is not a prefix", args[0])
	}
	c.bgp.ranges = append(c.bgp.ranges, &listened{p.Masked(), args[1], l})
	return carried
}

func listenLimit(c *converter, _ *line, args []string) outcome {
	n, ok := number(args[0])
	if !ok || n == 0 || n > 65535 {
		return attention("%s is not a number of neighbors", args[0])
	}
	c.bgp.listenLimit = int(n)
	return carried
}

// mostDynamic is the largest number of dynamic neighbors in nvad.
const mostDynamic = 1000

// finishRanges gives the groups their ranges. nvad takes all settings of a dynamic neighbor
// from its group.
func (c *converter) finishRanges() {
	limit := cmp.Or(c.bgp.listenLimit, config.DefaultListenLimit) // which is FRR's
	slices.SortStableFunc(c.bgp.ranges, func(a, b *listened) int { return cmp.Compare(a.group, b.group) })
	groups := map[string]bool{}
	for _, r := range c.bgp.ranges {
		groups[r.group] = true
	}
	share := min(limit, mostDynamic/max(1, len(groups)))
	for _, r := range c.bgp.ranges {
		g := c.bgp.groups[r.group]
		if g == nil {
			r.line.drop(attention("there is no peer-group %s", r.group))
			continue
		}
		if share < limit {
			r.line.leave(attention("FRR accepts %d neighbors, nvad 1000 at most: listen-limit is %d here", limit, share))
		} else if len(groups) > 1 {
			r.line.leave(attention("FRR has one limit for all peer-groups, nvad one for each"))
		}
		c.listen(r, g, share)
	}
}

// listen adds a range to its group.
func (c *converter) listen(r *listened, g *peer, limit int) {
	n, _, ok := c.neighbor(&peer{name: r.prefix.String(), address: r.prefix.Addr(), group: r.group, lines: []*line{r.line}})
	if !ok {
		return
	}
	s := n.Settings
	if s.Keepalive == s.HoldTime/3 {
		s.Keepalive = 0
	}
	if s.RemoteType == config.Internal {
		s.RemoteASN = 0
	}
	if s.Families == routeFamilies[familyOfAddr(n.Address)] {
		s.Families = 0
	}
	group := c.cfg.Groups[r.group]
	if len(group.ListenRanges) > 0 && !reflect.DeepEqual(s, group.Settings) {
		r.line.drop(attention("nvad has one set of settings for all ranges of peer-group %s", r.group))
		return
	}
	group.Settings, group.ListenRanges = s, append(group.ListenRanges, r.prefix)
	if limit != config.DefaultListenLimit {
		group.ListenLimit = limit
	}
	c.cfg.Groups[r.group] = group
	n.Address, n.Passive = netip.Addr{}, true
	c.cfg.Ranges = append(c.cfg.Ranges, config.Range{Prefix: r.prefix, Limit: limit, Neighbor: n})
}

// allNeighbors returns the neighbors, and one for each range.
func (c *converter) allNeighbors() []config.Neighbor {
	out := slices.Clone(c.cfg.Neighbors)
	for _, r := range c.cfg.Ranges {
		n := r.Neighbor
		n.Range = r.Prefix
		out = append(out, n)
	}
	return out
}

// label returns the address of a neighbor, or its range.
func label(n *config.Neighbor) string {
	if n.Range.IsValid() {
		return n.Range.String()
	}
	return n.Address.String()
}
