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
				"only one instance of Route Server %s is a neighbor; Azure sends half of the traffic nowhere", server)
		}
	}
}

func (w *warner) routeServer(i int) {
	n := &w.cfg.Neighbors[i]
	if n.Domain == "" {
		w.warn("no-domain", w.places(i, "domain")+" "+w.places(i, "remote-asn"),
			"a Route Server without domain gets back what its other instance taught")
	}
	if n.EBGPMultihop < 2 {
		w.warn("no-multihop", w.places(i, "ebgp-multihop")+" "+w.places(i, "remote-asn"),
			"Route Server is more than one hop away: set ebgp-multihop to 2 or more")
	}
	if n.Families.Has(route.IPv6) {
		w.warn("family", w.places(i, "families"), "Route Server has no IPv6")
	}
	if n.Password != "" || n.PasswordFile != "" {
		w.warn("password", w.places(i, "password")+" "+w.places(i, "password-file"), "Route Server has no setting for a TCP-MD5 key")
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
		w.warn("hold-time", key, "without a hold time neither side notices that the other is gone")
	case n.HoldTime > routeServerHoldTime:
		w.warn("hold-time", key, "the lower of both hold times counts, and Route Server's is %d s: more has no effect", routeServerHoldTime/time.Second)
	case n.HoldTime < shortHoldTime:
		w.warn("hold-time", key, "Azure freezes VMs for seconds to move them: %d s end the session each time, 10 s or more may not", n.HoldTime/time.Second)
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
				w.warn("in-vnet", key, "%s is in the VNet's own address space %s: Azure ignores it, and nvad does not send it to Route Server; only a wider one has an effect", p, v)
			}
		}
		if slices.Contains(ServerSubnets(n.Address), p) {
			w.warn("server-subnet", key, "%s is RouteServerSubnet: Azure ignores it without a word, and nvad does not send it to Route Server", p)
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
		w.warn("mtu", key+".mtu", "VNets carry packets of %d bytes to each other: more than %d do not fit into them with VXLAN; Azure advises 1400", azureMTU, most)
	}
	switch {
	case t.MSSClamp == MSSOff:
		w.warn("mss", key+".mss-clamp", "TCP through the tunnel sends segments that do not fit: hosts behind it do not know its MTU; Azure advises 1350")
	case int(t.MSSClamp) > most-tcpIPv4:
		w.warn("mss", key+".mss-clamp", "segments of %d bytes do not fit into Azure's packets of %d with VXLAN: at most %d do, Azure advises 1350", t.MSSClamp, azureMTU, most-tcpIPv4)
	}
}
