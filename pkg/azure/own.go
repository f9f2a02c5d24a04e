package azure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

var everything = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// ownNICs finds what is wrong at the NVA itself.
func (d *differ) ownNICs() {
	d.forwarding()
	d.groups()
	for _, v := range d.own() {
		d.ownDefault(v)
		d.tunnelLoops(v)
		d.wayOut(v)
	}
}

// forwarding finds NICs to which Azure delivers nothing but their own packets. Those that
// count have an address to which nvad draws traffic; if that is none of its own, a load
// balancer's, it is the primary NIC.
func (d *differ) forwarding() {
	own := d.own()
	hops := map[netip.Addr]bool{}
	for _, sv := range d.servers {
		for _, in := range sv.instances {
			for _, r := range in.sent {
				hops[r.NextHop] = true
			}
		}
		if sv.conn != nil {
			hops[sv.conn.Peer] = true
		}
	}
	used := func(v *nicView) bool {
		return slices.ContainsFunc(v.nic.Addresses, func(a netip.Addr) bool { return hops[a] })
	}
	any := slices.ContainsFunc(own, used)
	for i, v := range own {
		if v.nic.IPForwarding || any && !used(v) || !any && i > 0 {
			continue
		}
		n := v.nic
		d.find(IPForwardingOff, Error, n.ID, n.Name, func(*finding) (string, []Step) {
			return fmt.Sprintf("NIC %s has no IP forwarding, so Azure drops every packet that is not from or to the NVA itself.", n.Name),
				[]Step{az(parseID(n.ID).subscription, "network", "nic", "update", "--resource-group", n.ResourceGroup, "--name", n.Name, "--ip-forwarding", "true")}
		}).all = true
	}
}

// sentAny reports whether nvad sent a prefix to any instance.
func (d *differ) sentAny(p netip.Prefix) bool {
	_, ok := slices.BinarySearchFunc(d.sent, p, netip.Prefix.Compare)
	return ok
}

// ownDefault finds that the NVA's own packets follow the default route that it announces:
// Route Server puts it onto the NVA's NIC too.
func (d *differ) ownDefault(v *nicView) {
	drawn := slices.ContainsFunc(d.servers, func(sv *server) bool { return sv.sentAny[everything] && d.servesNIC(sv, v) })
	if !drawn || v.subnet == nil || v.vnet == nil || !v.tableSeen || v.noPropagation() {
		return
	}
	if u := v.users[everything]; u != nil && !d.here(u, netip.Addr{}) {
		return
	}
	f := d.find(DefaultWithoutUDR, Error, v.subnet.ID, v.subnet.Name, func(*finding) (string, []Step) {
		return fmt.Sprintf("nvad announces a default route, which Azure also puts onto the NVA's own NIC: without a user-defined default route, what subnet %s sends to the internet comes back to the NVA.",
			v.subnet.Name), ownRoutes(v, ownRoute{"default-to-internet", everything})
	})
	f.prefixes[everything] = true
}

// ownRoute is a user-defined route to the internet for the NVA's subnet.
type ownRoute struct {
	name   string
	prefix netip.Prefix
}

// ownRoutes makes such routes, and the subnet's route table if there is none.
func ownRoutes(v *nicView, routes ...ownRoute) []Step {
	t, n := v.table, v.vnet
	var out []Step
	if t == nil {
		t = &RouteTable{ID: n.ID, Name: v.subnet.Name + "-routes", ResourceGroup: n.ResourceGroup}
		out = append(out, tableStep(t, "create", "--location", n.Location))
	}
	for _, r := range routes {
		verb, name := "create", r.name
		if u := v.users[r.prefix]; u != nil {
			verb, name = "update", u.name
		}
		out = append(out, routeStep(t, verb, name, "--address-prefix", r.prefix.String(), "--next-hop-type", typeInternet))
	}
	if v.table == nil {
		out = append(out, az(n.Subscription, "network", "vnet", "subnet", "update", "--resource-group", n.ResourceGroup, "--vnet-name", n.Name, "--name", v.subnet.Name, "--route-table", t.Name))
	}
	return out
}

// tunnelLoops finds remotes of tunnels to which the NVA's NIC sends packets back to the
// NVA, because nvad announces a prefix that contains them.
func (d *differ) tunnelLoops(v *nicView) {
	if !v.seen {
		return
	}
	var tunnels []string
	var remotes []netip.Addr
	prefixes := map[netip.Prefix]bool{}
	for _, t := range d.self.Tunnels {
		if c := d.carrier(t.Local); c != v {
			continue
		}
		for _, remote := range t.Remotes {
			p, h := v.lookup(host(remote.Unmap()))
			if h == nil || !d.here(h, netip.Addr{}) || p == everything && d.sentAny(everything) {
				continue
			}
			tunnels, remotes = append(tunnels, t.Name), append(remotes, remote)
			prefixes[p] = true
		}
	}
	if len(remotes) == 0 {
		return
	}
	slices.SortFunc(remotes, netip.Addr.Compare)
	tunnels, remotes = slices.Compact(tunnels), slices.Compact(remotes)
	f := d.find(TunnelLoop, Error, v.nic.ID, v.nic.Name, func(f *finding) (string, []Step) {
		reason := fmt.Sprintf("Packets of tunnel %s to %s come back to the NVA, because its own NIC follows %s that nvad announces.", strings.Join(tunnels, ", "), list(remotes), f.count())
		return reason, leadOut(v, remotes)
	})
	f.prefixes = prefixes
}

// leadOut makes packets to remotes of tunnels leave the NVA.
func leadOut(v *nicView, remotes []netip.Addr) []Step {
	var routes []ownRoute
	var rest []Step
	for _, remote := range remotes {
		if v.subnet != nil && v.vnet != nil && v.tableSeen && public(remote) {
			routes = append(routes, ownRoute{"tunnel-" + strings.ReplaceAll(remote.String(), ".", "-"), host(remote)})
		} else {
			rest = append(rest, words("Announce prefixes that do not contain %s, or give the NVA's subnet a user-defined route for %s.", remote, host(remote)))
		}
	}
	if len(routes) == 0 {
		return rest
	}
	return append(ownRoutes(v, routes...), rest...)
}

func public(a netip.Addr) bool {
	return a.Is4() && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !a.IsUnspecified() && !carrierGrade.Contains(a)
}

var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// wayOut notes an NVA that can't reach the internet: subnets made today have no default
// outbound access.
func (d *differ) wayOut(v *nicView) {
	s := v.subnet
	if s == nil || v.vnet == nil || !v.nic.Primary || v.nic.PublicIP || s.NATGateway || s.DefaultOutbound == nil || *s.DefaultOutbound || !v.tableSeen {
		return
	}
	if h := v.users[everything]; h != nil && h.kind != typeInternet && h.kind != typeNone {
		return
	}
	if h := v.active[everything]; h != nil && h.source != sourceDefault && h.kind != typeInternet && h.kind != typeNone && !d.here(h, netip.Addr{}) {
		return
	}
	n := v.vnet
	d.find(NoWayOut, Info, s.ID, s.Name, func(*finding) (string, []Step) {
		ip, gateway := s.Name+"-nat-ip", s.Name+"-nat"
		return fmt.Sprintf("The NVA can't reach the internet: subnet %s has neither default outbound access nor a NAT gateway, and NIC %s no public address, so packages can't be installed.",
				s.Name, v.nic.Name), []Step{
				az(n.Subscription, "network", "public-ip", "create", "--resource-group", n.ResourceGroup, "--name", ip, "--location", n.Location, "--sku", "Standard"),
				az(n.Subscription, "network", "nat", "gateway", "create", "--resource-group", n.ResourceGroup, "--name", gateway, "--location", n.Location, "--public-ip-addresses", ip),
				az(n.Subscription, "network", "vnet", "subnet", "update", "--resource-group", n.ResourceGroup, "--vnet-name", n.Name, "--name", s.Name, "--nat-gateway", gateway),
			}
	})
}
