package azure

import (
	"fmt"
	"slices"
	"strings"
)

// pair is two peered VNets, of which what is lost between them matters to the NVA's routes.
type pair struct {
	a, b *VNet
	// spoke says that a is to get the routes of a Route Server in b.
	spoke bool
	// forwardIntoA, forwardIntoB: the NVA's packets enter from the other side.
	forwardIntoA, forwardIntoB bool
	// subnet of a that has to be within the peering; nil: any.
	subnet *Subnet
}

// vnetPairs returns the pairs that decide: a spoke and Route Server's VNet, a spoke and the
// NVA's VNet, the NVA's and Route Server's VNet. A VNet whose NIC the operator named is a
// spoke, and so is each that uses the gateways of Route Server's VNet.
func (d *differ) vnetPairs(sv *server) []pair {
	if sv.vnet == nil {
		return nil
	}
	home := d.home()
	var out []pair
	seen := map[[2]*VNet]bool{}
	add := func(p pair) {
		key := [2]*VNet{p.a, p.b}
		if p.a != nil && p.b != nil && p.a != p.b && !seen[key] {
			seen[key] = true
			out = append(out, p)
		}
	}
	add(pair{a: home, b: sv.vnet, forwardIntoB: true})
	for _, v := range d.spokes() {
		if v.vnet == nil || v.vnet == home || v.vnet == sv.vnet || d.hubOf(v.vnet) != sv {
			continue
		}
		add(pair{a: v.vnet, b: sv.vnet, spoke: !d.hasServer(v.vnet), forwardIntoA: home == sv.vnet, subnet: v.subnet})
		add(pair{a: v.vnet, b: home, forwardIntoA: true, subnet: v.subnet})
	}
	for i := range d.s.VNets {
		v := &d.s.VNets[i]
		if p := d.side(v, sv.vnet.ID); v != home && p != nil && p.UseRemoteGateways {
			add(pair{a: v, b: sv.vnet, spoke: true, forwardIntoA: home == sv.vnet})
		}
	}
	return out
}

// hubOf returns the Route Server that a spoke gets its routes from, or should: the one whose
// gateways it uses, else the first one whose VNet it is peered with, else the first.
func (d *differ) hubOf(v *VNet) *server {
	if hub, ok := d.hubs[v]; ok {
		return hub
	}
	var hub *server
	rank := 0
	for _, sv := range d.servers {
		if sv.vnet == nil {
			continue
		}
		here := 1
		if p := d.side(v, sv.vnet.ID); p != nil && p.UseRemoteGateways {
			here = 3
		} else if p != nil || d.side(sv.vnet, v.ID) != nil {
			here = 2
		}
		if here > rank {
			hub, rank = sv, here
		}
	}
	d.hubs[v] = hub
	return hub
}

// home returns the NVA's VNet; nil if it is not known.
func (d *differ) home() *VNet {
	for _, v := range d.own() {
		if v.vnet != nil {
			return v.vnet
		}
	}
	return d.vnets[d.s.VM.VNet]
}

// hasServer reports whether a VNet has a Route Server itself, so that it needs no other's.
func (d *differ) hasServer(v *VNet) bool {
	return v != nil && slices.ContainsFunc(d.s.RouteServers, func(rs RouteServer) bool { return rs.VNet == v.ID })
}

// vnetPeerings finds what is wrong with the peerings around a Route Server.
func (d *differ) vnetPeerings(sv *server) {
	for _, p := range d.vnetPairs(sv) {
		ab, ba := d.side(p.a, p.b.ID), d.side(p.b, p.a.ID)
		d.connected(sv, p, ab, ba)
		if p.spoke {
			d.remoteGateways(sv, p, ab, ba)
		}
		d.flags(p.a, p.b, ab, p.forwardIntoA)
		d.flags(p.b, p.a, ba, p.forwardIntoB)
		if p.subnet != nil && ab != nil {
			d.leftOut(p, ab)
		}
	}
}

// connected finds a peering that is not up, or that one side lacks.
func (d *differ) connected(sv *server, p pair, ab, ba *Peering) {
	up := func(x *Peering) bool { return x != nil && (x.State == "" || strings.EqualFold(x.State, "Connected")) }
	if up(ab) && up(ba) {
		return
	}
	f := d.find(PeeringNotConnected, Error, peeringID(p.a, sideName(p.a, p.b, ab)), p.a.Name, func(*finding) (string, []Step) {
		how := fmt.Sprintf("The peering between VNet %s and VNet %s is not connected (%s, %s)", p.a.Name, p.b.Name, stateOf(ab), stateOf(ba))
		if ab == nil && ba == nil {
			how = fmt.Sprintf("VNet %s and VNet %s are not peered", p.a.Name, p.b.Name)
		}
		return how + ", so neither routes nor packets pass.", d.connect(p, ab, ba)
	})
	if p.spoke || p.forwardIntoA {
		d.setBroken(p.a, f)
	}
	if p.a == d.home() {
		d.blameDown(sv, f)
	}
}

func stateOf(p *Peering) string {
	if p == nil {
		return "one side lacks it"
	}
	return p.Name + " is " + p.State
}

// connect makes both sides of a peering anew, as far as they are not just waiting for the
// other side. A side that is Disconnected can only be deleted.
func (d *differ) connect(p pair, ab, ba *Peering) []Step {
	var out, create []Step
	for _, side := range []struct {
		v, far  *VNet
		x       *Peering
		transit bool
		use     bool
	}{{p.b, p.a, ba, p.spoke, false}, {p.a, p.b, ab, false, p.spoke}} {
		if side.x != nil && (strings.EqualFold(side.x.State, "Initiated") || strings.EqualFold(side.x.State, "Connected")) {
			continue
		}
		name := sideName(side.v, side.far, side.x)
		args := []string{"--remote-vnet", side.far.ID, "--allow-vnet-access", "true", "--allow-forwarded-traffic", "true"}
		transit, use := side.transit, side.use
		if side.x != nil {
			out = append(out, vnetPeeringStep(side.v, "delete", name))
			transit, use = transit || side.x.AllowGatewayTransit, use || side.x.UseRemoteGateways
		}
		if transit {
			args = append(args, "--allow-gateway-transit", "true")
		}
		if use {
			args = append(args, "--use-remote-gateways", "true")
		}
		create = append(create, vnetPeeringStep(side.v, "create", name, args...))
	}
	return append(out, create...)
}

// remoteGateways finds a spoke that Route Server does not serve. The flag of the Route
// Server's side has to be there first.
func (d *differ) remoteGateways(sv *server, p pair, ab, ba *Peering) {
	if ab == nil || ba == nil || ab.UseRemoteGateways && ba.AllowGatewayTransit {
		return
	}
	d.setBroken(p.a, d.find(SpokeNoRemoteGateways, Error, p.a.ID, p.a.Name, func(*finding) (string, []Step) {
		var mend []Step
		if !ba.AllowGatewayTransit {
			mend = append(mend, vnetPeeringStep(p.b, "update", ba.Name, "--set", "allowGatewayTransit=true"))
		}
		if !ab.UseRemoteGateways {
			mend = append(mend, vnetPeeringStep(p.a, "update", ab.Name, "--set", "useRemoteGateways=true"))
		}
		return fmt.Sprintf("VNet %s does not use the gateways of VNet %s, so Route Server %s gives it no routes.", p.a.Name, p.b.Name, sv.rs.Name), mend
	}))
}

func (d *differ) setBroken(v *VNet, f *finding) {
	if d.broken[v.ID] == nil {
		d.broken[v.ID] = f
	}
}

// flags finds what v's side of a peering keeps out or does not know yet.
func (d *differ) flags(v, far *VNet, p *Peering, forward bool) {
	if p == nil {
		return
	}
	id := peeringID(v, p.Name)
	if !p.AllowVNetAccess {
		d.find(PeeringNoAccess, Error, id, p.Name, func(*finding) (string, []Step) {
			return fmt.Sprintf("Peering %s lets no packets of VNet %s into VNet %s (allowVirtualNetworkAccess is off).", p.Name, far.Name, v.Name),
				[]Step{vnetPeeringStep(v, "update", p.Name, "--set", "allowVirtualNetworkAccess=true")}
		}).all = true
	}
	if forward && !p.AllowForwardedTraffic {
		d.find(PeeringNoForwardedTraffic, Error, id, p.Name, func(*finding) (string, []Step) {
			return fmt.Sprintf("Peering %s drops what the NVA forwards into VNet %s (allowForwardedTraffic is off).", p.Name, v.Name),
				[]Step{vnetPeeringStep(v, "update", p.Name, "--set", "allowForwardedTraffic=true")}
		}).all = true
	}
	if p.Sync != "" && !strings.EqualFold(p.Sync, "FullyInSync") && strings.EqualFold(p.State, "Connected") {
		back := d.side(far, v.ID)
		if back != nil && far.ID < v.ID { // both sides are one finding
			id = peeringID(far, back.Name)
		}
		d.find(PeeringOutOfSync, Error, id, v.Name+" and "+far.Name, func(*finding) (string, []Step) {
			var mend []Step
			if back != nil && !strings.EqualFold(p.Sync, "LocalNotInSync") {
				mend = append(mend, vnetPeeringStep(far, "sync", back.Name))
			}
			return fmt.Sprintf("The address space of VNet %s or VNet %s changed after they were peered, and the peering has not taken it over (%s): the new prefixes are not reached.",
				v.Name, far.Name, p.Sync), append(mend, vnetPeeringStep(v, "sync", p.Name))
		})
	}
}

// peeringID returns the resource ID of v's side of a peering.
func peeringID(v *VNet, name string) string {
	return v.ID + "/virtualnetworkpeerings/" + strings.ToLower(name)
}

// sideName returns the name of v's side of its peering with far, or if it has none, the name that
// connect gives it.
func sideName(v, far *VNet, side *Peering) string {
	if side != nil {
		return side.Name
	}
	return v.Name + "-to-" + far.Name
}

// leftOut finds a subnet that a peering of subnets does not have.
func (d *differ) leftOut(p pair, ab *Peering) {
	if ab.CompleteVNets || len(ab.LocalSubnets) == 0 || slices.ContainsFunc(ab.LocalSubnets, func(s string) bool { return strings.EqualFold(s, p.subnet.Name) }) {
		return
	}
	d.setBroken(p.a, d.find(PeeringLeavesOutSubnet, Error, p.subnet.ID, p.subnet.Name, func(*finding) (string, []Step) {
		mend := []Step{vnetPeeringStep(p.a, "update", ab.Name, append([]string{"--local-subnet-names"}, append(slices.Clone(ab.LocalSubnets), p.subnet.Name)...)...)}
		if ba := d.side(p.b, p.a.ID); ba != nil {
			mend = append(mend,
				vnetPeeringStep(p.b, "update", ba.Name, append([]string{"--remote-subnet-names"}, append(slices.Clone(ab.LocalSubnets), p.subnet.Name)...)...),
				vnetPeeringStep(p.b, "sync", ba.Name))
		}
		return fmt.Sprintf("Peering %s with VNet %s has only some subnets of VNet %s, and %s is not among them.", ab.Name, p.b.Name, p.a.Name, p.subnet.Name),
			append(mend, vnetPeeringStep(p.a, "sync", ab.Name))
	}))
}
