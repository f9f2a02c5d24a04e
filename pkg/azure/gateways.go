package azure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// gateways finds what is wrong between a Route Server and the gateways of its VNet.
func (d *differ) gateways(sv *server) {
	if sv.rs == nil {
		return
	}
	var here []*Gateway
	for i := range d.s.Gateways {
		if g := &d.s.Gateways[i]; g.VNet == sv.rs.VNet {
			here = append(here, g)
		}
	}
	d.noAdvertise(sv, len(here) > 0 && sv.rs.BranchToBranch)
	if len(here) == 0 {
		return
	}
	if !sv.rs.BranchToBranch {
		d.branchToBranch(sv, here[0])
		return
	}
	for _, g := range here {
		wrongASN := g.ASN != 0 && g.ASN != RouteServerASN
		if !strings.EqualFold(g.Type, "Vpn") || g.ActiveActive && !wrongASN {
			continue
		}
		d.find(VPNGatewayMode, Warning, g.ID, g.Name, func(*finding) (string, []Step) {
			mend := []Step{words("Make VPN gateway %s active-active: it needs a second public address and interrupts its connections, so plan it.", g.Name)}
			if wrongASN {
				mend = append(mend, az(parseID(g.ID).subscription, "network", "vnet-gateway", "update", "--resource-group", g.ResourceGroup, "--name", g.Name, "--asn", "65515"))
				if g.ActiveActive {
					mend = mend[1:]
				}
			}
			return fmt.Sprintf("Route Server exchanges routes only with VPN gateways that are active-active and have AS 65515, and %s is not.", g.Name), mend
		})
	}
}

// branchToBranch finds routes that gateways never get. Those with the community
// no-advertise are not meant for them.
func (d *differ) branchToBranch(sv *server, g *Gateway) {
	var lost []netip.Prefix
	for _, in := range sv.instances {
		for p, r := range in.sent {
			if !r.NoAdvertise {
				lost = append(lost, p)
			}
		}
	}
	if len(lost) == 0 {
		return
	}
	f := d.find(BranchToBranchOff, Error, sv.rs.ID, sv.rs.Name, func(*finding) (string, []Step) {
		return fmt.Sprintf("Branch-to-branch is off at Route Server %s, so gateway %s gets none of the NVA's routes, and the NVA none of the gateway's.", sv.rs.Name, g.Name),
			[]Step{sv.serverStep("update", "--allow-b2b-traffic", "true")}
	})
	for _, p := range lost {
		f.prefixes[p] = true
	}
}

// noAdvertise notes routes that only the VNets get, where there are others that could.
func (d *differ) noAdvertise(sv *server, gateways bool) {
	if !gateways && len(sv.peers) == 0 {
		return
	}
	for _, in := range sv.instances {
		for p, r := range in.sent {
			if !r.NoAdvertise {
				continue
			}
			f := d.find(NoAdvertise, Info, sv.rs.ID, sv.rs.Name, func(f *finding) (string, []Step) {
				return fmt.Sprintf("nvad sends %s with the community no-advertise: Route Server %s gives such routes to VNets only, not to gateways or other NVAs.", f.count(), sv.rs.Name),
					[]Step{words("If that is not intended, remove the community in the export route-map.")}
			})
			f.prefixes[p] = true
			f.instances[in.addr] = true
		}
	}
}

// routingApplianceSubnet is where Azure's own routing appliances are.
const routingApplianceSubnet = "VirtualNetworkApplianceSubnet"

// tables finds what user-defined routes of the VNets lead to in vain.
func (d *differ) tables() {
	appliances := map[netip.Prefix]*VNet{}
	var where prefixSet
	for i := range d.s.VNets {
		v := &d.s.VNets[i]
		for j := range v.Subnets {
			if s := &v.Subnets[j]; strings.EqualFold(s.Name, routingApplianceSubnet) {
				where.add(s.Prefixes...)
				for _, p := range s.Prefixes {
					appliances[p.Masked()] = v
				}
			}
		}
	}
	dead := d.deadPeers()
	for i := range d.s.VNets {
		v := &d.s.VNets[i]
		for j := range v.Subnets {
			t := v.Subnets[j].RouteTable
			if t == nil || d.lacking(WhatRouteTable, t.ID) {
				continue
			}
			for k := range t.Routes {
				u := &t.Routes[k]
				d.ecmp(t, u, dead)
				for _, a := range bounded(u.NextHops) {
					if p, ok := where.covering(host(a)); ok && a.Is4() && appliances[p] != v {
						d.appliance(v, appliances[p], u)
					}
				}
			}
		}
	}
}

// Why a next hop is taken for dead. An NVA that sends no routes may be alive all the same.
const (
	hopUnheard = "from which Route Server has no routes"
	hopDown    = "whose session with Route Server is down"
	hopDrained = "which is this NVA, and drained"
)

// deadPeers returns the addresses of NVAs that no instance heard anything from, and this
// NVA's while it is drained.
func (d *differ) deadPeers() map[netip.Addr]string {
	dead := map[netip.Addr]string{}
	for i := range d.s.RouteServers {
		for _, c := range d.s.RouteServers[i].Connections {
			if d.ownAddrs[c.Peer] || len(c.Instances) == 0 || strings.EqualFold(c.State, "Connected") || d.lacking(WhatLearned, c.ID) {
				continue
			}
			if !slices.ContainsFunc(c.Instances, func(in Instance) bool { return len(in.Learned) > 0 }) {
				dead[c.Peer] = hopUnheard
			}
			if strings.EqualFold(c.State, "NotConnected") {
				dead[c.Peer] = hopDown
			}
		}
	}
	if d.self.Drained {
		for a := range d.ownAddrs {
			dead[a] = hopDrained
		}
	}
	return dead
}

// ecmp finds next hops that get their share of the traffic although they are gone.
func (d *differ) ecmp(t *RouteTable, u *UserRoute, dead map[netip.Addr]string) {
	if !strings.EqualFold(u.NextHopType, typeApplianceE) {
		return
	}
	var alive, gone []netip.Addr
	severity := Warning
	for _, a := range bounded(u.NextHops) {
		if why := dead[a]; why != "" {
			gone = append(gone, a)
			if why != hopUnheard {
				severity = Error
			}
		} else {
			alive = append(alive, a)
		}
	}
	if len(gone) == 0 {
		return
	}
	id := t.ID + "/routes/" + strings.ToLower(u.Name)
	f := d.find(ECMPHopDead, severity, id, u.Name, func(*finding) (string, []Step) {
		reason := fmt.Sprintf("User-defined route %s of route table %s has the next hop %s, %s: Azure probes no next hop, so what goes to a dead one is lost.",
			u.Name, t.Name, gone[0], dead[gone[0]])
		args := []string{"--address-prefix", u.Prefix.String(), "--next-hop-type"}
		switch len(alive) {
		case 0:
			return reason, []Step{words("Bring one of the next hops back: no other is left.")}
		case 1: // ECMP needs two
			return reason, []Step{routeStep(t, "create", u.Name, append(args, "VirtualAppliance", "--next-hop-ip-address", alive[0].String())...)}
		}
		names := make([]string, len(alive))
		for i, a := range alive {
			names[i] = a.String()
		}
		return reason, []Step{routeStep(t, "create", u.Name, append(args, typeApplianceE, "--next-hop", "{next-hop-ip-addresses:["+strings.Join(names, ",")+"]}")...)}
	})
	if u.Prefix.IsValid() {
		f.prefixes[u.Prefix] = true
	}
}

// appliance finds a peering through which a routing appliance does not work: it needs both
// flags, on both sides.
func (d *differ) appliance(v, far *VNet, u *UserRoute) {
	for _, side := range []struct{ v, far *VNet }{{v, far}, {far, v}} {
		p := d.side(side.v, side.far.ID)
		if p == nil || p.AllowVNetAccess && p.AllowForwardedTraffic {
			continue
		}
		id := peeringID(side.v, p.Name)
		known := func(c Code) bool { return d.found[findingKey{c, Error, id}] != nil }
		if (p.AllowVNetAccess || known(PeeringNoAccess)) && (p.AllowForwardedTraffic || known(PeeringNoForwardedTraffic)) {
			continue
		}
		f := d.find(AppliancePeering, Error, id, p.Name, func(*finding) (string, []Step) {
			return fmt.Sprintf("User-defined route %s leads to a routing appliance in VNet %s, and peering %s lacks allowVirtualNetworkAccess or allowForwardedTraffic: the packets are dropped.",
					u.Name, far.Name, p.Name),
				[]Step{vnetPeeringStep(side.v, "update", p.Name, "--set", "allowVirtualNetworkAccess=true", "allowForwardedTraffic=true")}
		})
		if u.Prefix.IsValid() {
			f.prefixes[u.Prefix] = true
		}
	}
}
