package frrconf

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config"
)

// network is a network statement and where it stands.
type network struct {
	config.Network
	line *line
}

func networkStatement(c *converter, l *line, args []string) outcome {
	words := args
	if len(args) > 2 && args[1] == "mask" {
		words = append([]string{args[0]}, args[2:]...)
	} else if !strings.Contains(args[0], "/") {
		return attention("%s has no length, and nvad knows no classes of networks", args[0])
	}
	// A mask stands where destination expects it; a prefix needs a word more.
	prefix, rest, o := destination(append(slices.Clone(words), ""), c.mode.family == ipv6)
	if o != carried {
		return o
	}
	n := &network{Network: config.Network{Prefix: prefix}, line: l}
	rest = rest[:len(rest)-1]
	switch {
	case len(rest) == 2 && rest[0] == "route-map":
		n.RouteMap = rest[1]
		c.refer(l, "route-map", n.RouteMap)
		c.policies.used(n.RouteMap, "out")
	case len(rest) > 0:
		return unsupported("%s of a network", rest[0])
	}
	c.networks = slices.DeleteFunc(c.networks, func(o *network) bool { return o.Prefix == prefix })
	c.networks = append(c.networks, n)
	return carried
}

// finishNetworks takes the statements over. nvad originates without looking
// whether there is a route; where FRR looks, a static route answers for it.
func (c *converter) finishNetworks() {
	for _, n := range c.networks {
		c.cfg.Networks = append(c.cfg.Networks, n.Network)
		if c.bgp.checkNetworks && !c.hasStatic(n.Prefix) {
			n.line.leave(attention("FRR originates %s only while it has a route to it, nvad always", n.Prefix))
		}
	}
}

func (c *converter) hasStatic(p netip.Prefix) bool {
	return slices.ContainsFunc(c.cfg.Statics, func(s config.Static) bool { return s.Prefix == p })
}
