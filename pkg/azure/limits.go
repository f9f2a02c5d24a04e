package azure

import (
	"fmt"
	"net/netip"
	"strings"
)

// Azure's limits.
const (
	maxPerPeer = 4000  // routes of a peer; Route Server adds the current to the incoming ones
	maxTotal   = 10000 // prefixes of a Route Server
	maxCircuit = 1000  // prefixes towards an ExpressRoute circuit
	nearly     = 80    // percent from which a limit is near
)

// limits finds limits that are reached or near.
func (d *differ) limits(sv *server) {
	if sv.rs == nil {
		return
	}
	rs := sv.rs
	if n := len(rs.Connections); n >= MaxPeers && d.found[findingKey{PeerLimit, Error, rs.ID}] == nil {
		d.find(PeerLimit, Warning, rs.ID, rs.Name, func(*finding) (string, []Step) {
			return fmt.Sprintf("Route Server %s has %d peers of at most %d, so no further NVA can be one.", rs.Name, n, MaxPeers),
				[]Step{words("Delete the BGP peers of NVAs that are gone, or let an NVA that is a peer pass on the routes of those that are not.")}
		})
	}
	for _, in := range sv.instances {
		switch n := len(in.sent); {
		case n > maxPerPeer:
			in.blame(d.tooManyRoutes(sv, Error, n))
		case 2*n > maxPerPeer:
			f := d.tooManyRoutes(sv, Warning, n)
			f.instances[in.addr] = true
		}
	}
	d.totalLimit(sv)
	d.circuitLimit(sv)
}

// tooManyRoutes is about the routes of this NVA; n is 0 if they are not known.
func (d *differ) tooManyRoutes(sv *server, severity Severity, n int) *finding {
	f := d.find(RoutesPerPeerLimit, severity, sv.rs.ID, sv.rs.Name, func(*finding) (string, []Step) {
		aggregate := words("Send fewer routes: announce [[aggregate]] entries with summary-only instead of the prefixes in them.")
		switch {
		case severity == Warning:
			return fmt.Sprintf("nvad sends %d routes to Route Server %s, which adds the current routes to the incoming ones: "+
				"above %d, sending all routes again exceeds its limit of %d and ends the session.", n, sv.rs.Name, maxPerPeer/2, maxPerPeer), []Step{aggregate}
		case n == 0:
			return fmt.Sprintf("Route Server %s closed the session because nvad sent more than %d routes; it adds the current routes to the incoming ones.",
				sv.rs.Name, maxPerPeer), []Step{groupStep(sv, fmt.Sprintf("maximum-prefix-out = %d", maxPerPeer/2)), aggregate}
		}
		return fmt.Sprintf("nvad sends %d routes to Route Server %s, which ends the session above %d.", n, sv.rs.Name, maxPerPeer),
			[]Step{groupStep(sv, fmt.Sprintf("maximum-prefix-out = %d", maxPerPeer)), aggregate}
	})
	f.all = n > 0
	return f
}

// severityOf compares a count with a limit; empty: it is far away.
func severityOf(n, limit int) Severity {
	switch {
	case n > limit:
		return Error
	case n*100 > limit*nearly:
		return Warning
	}
	return ""
}

// totalLimit counts what one instance has of all peers and gateways. What could not be
// read makes the count too low, never too high.
func (d *differ) totalLimit(sv *server) {
	rs := sv.rs
	prefixes := map[netip.Prefix]bool{}
	for i := range rs.Connections {
		for _, in := range rs.Connections[i].Instances {
			for _, r := range in.Learned {
				prefixes[r.Prefix] = true
			}
		}
	}
	for p := range sv.sentAny {
		prefixes[p] = true
	}
	n := len(prefixes)
	for i := range d.s.Gateways {
		if g := &d.s.Gateways[i]; g.VNet == rs.VNet && g.Learned != nil {
			n = max(n, *g.Learned) // which has some of these routes too
		}
	}
	severity := severityOf(n, maxTotal)
	if severity == "" {
		return
	}
	d.find(RoutesTotalLimit, severity, rs.ID, rs.Name, func(*finding) (string, []Step) {
		return fmt.Sprintf("Route Server %s has %d prefixes from its peers and gateways, and supports %d.", rs.Name, n, maxTotal),
			[]Step{words("Send fewer routes: announce aggregates instead of the prefixes in them, on this NVA and on the others.")}
	}).all = true
}

// circuitLimit counts what the ExpressRoute gateways of a Route Server's VNet announce over
// their circuits: the address space of the VNet and of those that use the gateway, and with
// branch-to-branch the NVAs' routes.
func (d *differ) circuitLimit(sv *server) {
	if sv.vnet == nil {
		return
	}
	prefixes := map[netip.Prefix]bool{}
	note := func(space []netip.Prefix) {
		for _, p := range space {
			prefixes[p] = true
		}
	}
	note(sv.vnet.Space)
	for _, p := range sv.vnet.Peerings {
		if far := d.vnets[p.Remote]; far != nil && p.AllowGatewayTransit {
			if back := d.side(far, sv.vnet.ID); back != nil && back.UseRemoteGateways {
				note(far.Space)
			}
		}
	}
	if sv.rs.BranchToBranch {
		for p := range sv.others {
			prefixes[p] = true
		}
		for _, in := range sv.instances {
			for p, r := range in.sent {
				if !r.NoAdvertise {
					prefixes[p] = true
				}
			}
		}
	}
	for i := range d.s.Gateways {
		g := &d.s.Gateways[i]
		if g.VNet != sv.rs.VNet || !strings.EqualFold(g.Type, "ExpressRoute") {
			continue
		}
		n := len(prefixes)
		// What the gateway announces decides: Azure does not say which routes of other NVAs
		// have the community no-advertise. It announces nothing while the session is down.
		if g.Advertised != nil && *g.Advertised > 0 {
			n = *g.Advertised
		}
		if severity := severityOf(n, maxCircuit); severity != "" {
			d.find(CircuitLimit, severity, g.ID, g.Name, func(*finding) (string, []Step) {
				return fmt.Sprintf("Gateway %s has %d prefixes to announce over its circuit; above %d, the circuit ends the session and on-premises loses all of Azure.", g.Name, n, maxCircuit),
					[]Step{words("Announce aggregates instead of the prefixes in them, or send those that on-premises does not need with the community no-advertise; summarizedGatewayPrefixes of the VNet replaces the prefixes of VNets.")}
			}).all = true
		}
	}
}
