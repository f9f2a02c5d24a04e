package frrconf

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// takesDefault warns of the default route, which nvad does not install unless it is told to.
var takesDefault = attention(`FRR installs a default route from a neighbor while no other program, such as DHCP, has one, ` +
	`and so does nvad with kernel.allow-default = "alone"; remove the key if no neighbor may decide where this machine's own packets go`)

// finishDefault lets nvad install a learned default route where FRR does.
func (c *converter) finishDefault() {
	for f, all := range map[family]netip.Prefix{ipv4: netip.PrefixFrom(netip.IPv4Unspecified(), 0), ipv6: netip.PrefixFrom(netip.IPv6Unspecified(), 0)} {
		static := slices.ContainsFunc(c.cfg.Statics, func(s config.Static) bool { return s.Prefix == all && s.Distance <= fib.DistanceEBGP })
		if !static && slices.ContainsFunc(c.allNeighbors(), func(n config.Neighbor) bool { return c.mayAnnounce(&n, f, all) }) {
			c.cfg.Kernel.AllowDefault, c.cfg.Kernel.DefaultAlone = true, true
			c.note(takesDefault)
		}
	}
}

// mayAnnounce reports whether a prefix may be accepted from a neighbor: that is so unless its
// policy denies everything, or its prefix-list the prefix. Its route-map may ask for more than
// the prefix, so it does not count.
func (c *converter) mayAnnounce(n *config.Neighbor, f family, p netip.Prefix) bool {
	if n.Import == (policy.Chain{}) || !n.Families.Has(routeFamilies[f]) {
		return false
	}
	list := policy.Chain{Accept: true, PrefixList: n.Import.PrefixList}
	prog, err := policy.NewCompiler(&c.cfg.Policies).Compile(list, policy.Session{})
	return err != nil || prog.Run(&policy.Input{Prefix: p, Attrs: &route.Attrs{}}).Accept
}

// noteNextHops says that nvad reaches no next hop through a BGP route, where that may matter:
// the routes of an iBGP neighbor have the next hops of others.
func (c *converter) noteNextHops() {
	var from []string
	for _, n := range c.allNeighbors() {
		if n.RemoteASN == n.OwnASN(c.cfg) && n.Import != (policy.Chain{}) {
			from = append(from, label(&n))
		}
	}
	if len(from) > 0 {
		c.note(attention("FRR reaches the next hops of iBGP routes (from %s) through other BGP routes if nothing else leads to them, nvad never does: "+
			"have these neighbors set next-hop-self, or add static routes to the next hops", strings.Join(from, ", ")))
	}
}
