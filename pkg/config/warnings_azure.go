package config

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/route"
)

// routeServers looks at the two instances that every Route Server has.
func (w *warner) routeServers() {
	instances := map[string][]int{}
	for i, n := range w.cfg.Neighbors {
		if n.RemoteASN == routeServerASN && n.OwnASN(w.cfg) != routeServerASN && n.EBGPMultihop > 1 {
			server := cmp.Or(n.Domain, domainOf(n.Address))
			instances[server] = append(instances[server], i)
		}
	}
	for _, server := range sortedKeys(instances) {
		if list := instances[server]; len(list) == 1 {
			n := w.cfg.Neighbors[list[0]]
			w.warn("one-instance", w.src.elem("neighbor", list[0], n.Address)+".address",
				"only one of the two instances of Route Server %s is a neighbor, so that half of the traffic is lost; add the other one", server)
		}
	}
}

func (w *warner) routeServer(i int) {
	n := &w.cfg.Neighbors[i]
	if n.Domain == "" {
		w.warn("no-domain", w.places(i, "domain")+" "+w.places(i, "remote-asn"),
			"without domain, what one instance of Route Server announces is sent to the other, and traffic may loop; set domain")
	}
	if n.EBGPMultihop < 2 {
		w.warn("no-multihop", w.places(i, "ebgp-multihop")+" "+w.places(i, "remote-asn"),
			"Route Server is more than one hop away: set ebgp-multihop to 2 or more")
	}
	if n.Families.Has(route.IPv6) {
		w.warn("family", w.places(i, "families"), "Route Server exchanges no IPv6 routes; leave \"ipv6\" out of families")
	}
	if n.Password != "" || n.PasswordFile != "" {
		w.warn("password", w.places(i, "password")+" "+w.places(i, "password-file"), "Route Server has no setting for a TCP-MD5 key, so that the session never comes up; remove the password")
	}
	w.holdTime(i)
}

// Hold times, in which Azure's own habits stand out.
const shortHoldTime = 10 * time.Second

func (w *warner) holdTime(i int) {
	n := &w.cfg.Neighbors[i]
	key := w.places(i, "hold-time")
	switch {
	case n.HoldTime == 0:
		w.warn("hold-time", key, "without a hold time, neither side notices that the other is gone; set 10 s or more")
	case n.HoldTime > routeServerHoldTime:
		w.warn("hold-time", key, "Route Server offers %d s, and the lower hold time wins: a longer one has no effect", routeServerHoldTime/time.Second)
	case n.HoldTime < shortHoldTime:
		w.warn("hold-time", key, "Azure freezes a VM for several seconds when it moves it: a hold time of %d s ends the session each time; set 10 s or more", n.HoldTime/time.Second)
	}
}

// originated looks for prefixes that Azure ignores where they are announced to
// its Route Servers. What is learned shows at run time.
func (w *warner) originated() {
	for i, n := range w.cfg.Networks {
		w.ignored(w.src.elem("network", i, n.Prefix)+".prefix", n.Prefix)
	}
	for i, a := range w.cfg.Aggregates {
		w.ignored(w.src.elem("aggregate", i, a.Prefix)+".prefix", a.Prefix)
	}
}

func (w *warner) ignored(key string, p netip.Prefix) {
	for i := range w.cfg.Neighbors {
		n := &w.cfg.Neighbors[i]
		if !w.cfg.IsRouteServer(n) {
			continue
		}
		for _, v := range n.VNet {
			if v.Bits() <= p.Bits() && v.Contains(p.Addr()) {
				w.warn("in-vnet", key, "%s is within the VNet's own address space %s: Azure ignores such a route, so nvad does not send it to Route Server; announce a wider prefix", p, v)
			}
		}
		if slices.Contains(ServerSubnets(n.Address), p) {
			w.warn("server-subnet", key, "%s is RouteServerSubnet: Azure ignores the route silently, so nvad does not send it to Route Server; remove it", p)
		}
	}
}

// Sizes of packets in Azure. VNets carry 1500 bytes to each other; a segment
// that leaves room for VXLAN and for TCP/IP is never cut into fragments, of
// which Azure drops those out of order.
const (
	azureMTU  = 1500
	vxlanIPv4 = 50
	vxlanIPv6 = 70
	tcpIPv4   = 40
)

func (w *warner) tunnel(i int) {
	t := &w.cfg.Tunnels[i]
	key := w.src.elem("tunnel", i, t.Name)
	if t.Group.IsValid() {
		w.warn("multicast", key+".group", "Azure carries no multicast; name the remotes instead")
	}
	most := azureMTU - vxlanIPv4
	if slices.ContainsFunc(t.underlay(), netip.Addr.Is6) {
		most = azureMTU - vxlanIPv6
	}
	if t.MTU > most {
		w.warn("mtu", key+".mtu", "VNets carry packets of %d bytes to each other, of which VXLAN leaves %d for the tunnel; set mtu to 1400, as Azure advises", azureMTU, most)
	}
	switch {
	case t.MSSClamp == MSSOff:
		w.warn("mss", key+".mss-clamp", "hosts behind the tunnel do not know its MTU, so that their TCP sends segments that do not fit; set mss-clamp to 1350, as Azure advises")
	case int(t.MSSClamp) > most-tcpIPv4:
		w.warn("mss", key+".mss-clamp", "segments of %d bytes do not fit into Azure's packets of %d bytes with VXLAN around them, at most %d do; set mss-clamp to 1350, as Azure advises", t.MSSClamp, azureMTU, most-tcpIPv4)
	}
}
