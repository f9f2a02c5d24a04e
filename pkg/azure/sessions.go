package azure

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// sessions finds what keeps nvad and the instances of a Route Server apart. What comes
// first explains what comes later.
func (d *differ) sessions(sv *server) {
	if sv.rs == nil {
		d.withoutServer(sv)
		return
	}
	d.provisioned(sv)
	d.missingPeers(sv)
	d.refusedASN(sv)
	d.connection(sv)
	d.groupsDropBGP(sv)
	d.broughtDown(sv)
}

// withoutServer finds neighbors whose sessions are down because Azure has no Route Server
// for them. Nothing is said of one that is up: it may belong to a Route Server that the
// identity can't list.
func (d *differ) withoutServer(sv *server) {
	unread := slices.ContainsFunc(d.s.Missing, func(m Missing) bool {
		return m.What == WhatRouteServer || m.What == WhatVNet || m.What == WhatNIC
	})
	if len(d.s.RouteServers) > 0 || unread || sv.allUp() {
		return
	}
	f := d.find(NoRouteServer, Error, d.s.VM.ID, d.s.VM.Name, func(f *finding) (string, []Step) {
		reason := fmt.Sprintf("The session with %s of AS %d is not up, and neither the VNets of this NVA nor those peered with them have a Route Server that may be read.",
			plural(len(f.instances), "neighbor", "neighbors"), RouteServerASN)
		return reason, []Step{words("If Route Server was removed, remove its neighbors from nvad.toml. If there is one, give the identity the role of role-reader.json at it.")}
	})
	d.blameDown(sv, f)
}

func provisioned(state string) bool {
	return state == "" || strings.EqualFold(state, "Succeeded") || strings.EqualFold(state, "Provisioned")
}

// provisioned finds a Route Server or a connection that Azure has not finished, or failed
// to make.
func (d *differ) provisioned(sv *server) {
	rs := sv.rs
	severity := Error
	if sv.allUp() {
		severity = Warning
	}
	if state := rs.ProvisioningState; !provisioned(state) || !provisioned(rs.RoutingState) {
		if provisioned(state) {
			state = rs.RoutingState
		}
		f := d.find(RouteServerNotProvisioned, severity, rs.ID, rs.Name, func(*finding) (string, []Step) {
			reason := fmt.Sprintf("Azure reports Route Server %s as %q, so it may exchange no routes.", rs.Name, state)
			if strings.EqualFold(state, "Failed") {
				return reason, []Step{sv.serverStep("update")}
			}
			return reason, []Step{sv.serverStep("wait", "--updated")}
		})
		d.blameDown(sv, f)
	}
	if c := sv.conn; c != nil && !provisioned(c.ProvisioningState) {
		f := d.find(RouteServerNotProvisioned, severity, c.ID, c.Name, func(*finding) (string, []Step) {
			reason := fmt.Sprintf("Azure reports BGP peer %s of Route Server %s, which is this NVA, as %q, so its sessions may not come up.", c.Name, rs.Name, c.ProvisioningState)
			if c.Failed() {
				return reason, []Step{sv.peeringStep("update", c.Name)}
			}
			return reason, []Step{sv.peeringStep("wait", c.Name, "--updated")}
		})
		d.blameDown(sv, f)
	}
}

// blameDown makes f the reason for every session of sv that is not up.
func (d *differ) blameDown(sv *server, f *finding) {
	for _, in := range sv.instances {
		if in.neighbor != nil && !in.neighbor.Established {
			in.blame(f)
		}
	}
}

// missingPeers finds instances that nvad has no neighbor for. A neighbor with an address
// of RouteServerSubnet that no instance has was meant for one.
func (d *differ) missingPeers(sv *server) {
	var missing []*instance
	for _, in := range sv.instances {
		if in.neighbor == nil {
			missing = append(missing, in)
		}
	}
	if len(missing) == 0 {
		return
	}
	known := map[netip.Addr]bool{}
	for _, a := range sv.rs.Addresses {
		known[a] = true
	}
	var strays []netip.Addr
	for _, n := range d.self.Neighbors {
		if !known[n.Address] && sv.near27(n.Address) {
			strays = append(strays, n.Address)
		}
	}
	mend := []Step{groupStep(sv, "neighbors = "+array(sv.addresses()))}
	if len(missing) == len(sv.instances) && len(strays) == 0 {
		lines := "[peer-group.route-server]\npreset    = \"azure-route-server\"\nneighbors = " + array(sv.addresses())
		if sv.vnet != nil && len(sv.vnet.Space) > 0 {
			lines += "\nvnet      = " + array(sv.vnet.Space)
		}
		mend[0] = file("%s", lines)
	}
	for i, in := range missing {
		if i < len(strays) {
			in.blame(d.find(PeerWrongAddress, Error, strays[i].String(), "neighbor "+strays[i].String(), func(*finding) (string, []Step) {
				return fmt.Sprintf("nvad's neighbor %s is no instance of Route Server %s; its instances are %s.", strays[i], sv.rs.Name, list(sv.rs.Addresses)), mend
			}))
			continue
		}
		in.blame(d.find(InstanceWithoutPeer, Error, sv.rs.ID, sv.rs.Name, func(f *finding) (string, []Step) {
			return fmt.Sprintf("nvad has no neighbor for %s of Route Server %s, and an instance programs only the routes that it learned itself, so traffic is lost.",
				plural(len(f.instances), "instance", "instances"), sv.rs.Name), mend
		}))
	}
}

// near27 reports whether an address may be meant for an instance: it is in RouteServerSubnet,
// or if that could not be read, in the /27 that both instances are in.
func (sv *server) near27(a netip.Addr) bool {
	if sv.vnet != nil {
		return sv.subnet.contains(a)
	}
	return slices.ContainsFunc(sv.rs.Addresses, func(b netip.Addr) bool {
		p, err := b.Prefix(27)
		return err == nil && b.Is4() && p.Contains(a)
	})
}

// reservedASNs has the ASNs that Azure keeps for itself or that IANA reserves, as far as they
// matter to a Route Server, which takes 16-bit ones only.
var reservedASNs = [][2]uint32{
	{8074, 8075}, {12076, 12076}, {23456, 23456}, {64496, 64511},
	{65515, 65515}, {65517, 65520}, {65535, 65551},
}

// ReservedASN reports whether a Route Server refuses an NVA because its ASN is reserved.
func ReservedASN(asn uint32) bool {
	return slices.ContainsFunc(reservedASNs, func(r [2]uint32) bool { return asn >= r[0] && asn <= r[1] })
}

// refused reports whether a Route Server accepts no peer with an ASN.
func refused(asn uint32) bool { return asn > math.MaxUint16 || ReservedASN(asn) }

func (d *differ) refusedASN(sv *server) {
	for _, in := range sv.instances {
		n := in.neighbor
		if n == nil || n.Established || !refused(n.LocalASN) {
			continue
		}
		in.blame(d.find(ASNRefused, Error, n.Address.String(), "neighbor "+n.Address.String(), func(*finding) (string, []Step) {
			asn, mend := uint32(65001), []Step(nil)
			switch c := sv.conn; {
			case c == nil:
				mend = []Step{d.register(sv, asn)}
			case refused(c.ASN) || c.ASN == 0:
				mend = []Step{sv.peeringStep("update", c.Name, "--peer-asn", strconv.FormatUint(uint64(asn), 10))}
			default:
				asn = c.ASN
			}
			return fmt.Sprintf("nvad uses AS %d towards Route Server %s, which accepts 16-bit ASNs only and none that Azure or IANA reserve.", n.LocalASN, sv.rs.Name),
				append([]Step{groupStep(sv, fmt.Sprintf("local-asn = %d", asn))}, mend...)
		}))
		d.mergeASN(sv, in.cause)
		return
	}
}

// mergeASN blames one finding for all sessions with a refused ASN.
func (d *differ) mergeASN(sv *server, f *finding) {
	for _, in := range sv.instances {
		if n := in.neighbor; n != nil && !n.Established && refused(n.LocalASN) {
			in.blame(f)
		}
	}
}

// asn returns the ASN that nvad uses towards a Route Server.
func (d *differ) asn(sv *server) uint32 {
	for _, in := range sv.instances {
		if in.neighbor != nil && in.neighbor.LocalASN != 0 {
			return in.neighbor.LocalASN
		}
	}
	return d.self.ASN
}

// connection finds a Route Server that does not know this NVA, or knows it by another
// address or ASN. A session that is up proves that it knows it.
func (d *differ) connection(sv *server) {
	rs := sv.rs
	if d.lacking(WhatConnections, rs.ID) || sv.anyUp() {
		return
	}
	asn := d.asn(sv)
	if sv.conn != nil {
		if sv.conn.ASN == asn || asn == 0 || refused(asn) {
			return
		}
		d.blameDown(sv, d.find(PeerWrongASN, Error, sv.conn.ID, sv.conn.Name, func(*finding) (string, []Step) {
			return fmt.Sprintf("Route Server %s expects AS %d from this NVA, and nvad uses AS %d.", rs.Name, sv.conn.ASN, asn),
				[]Step{sv.peeringStep("update", sv.conn.Name, "--peer-asn", strconv.FormatUint(uint64(asn), 10))}
		}))
		return
	}
	// With a NIC unread, a peer that nobody hears may be this NVA after all.
	if (d.lacking(WhatNIC) || d.lacking(WhatVM)) && d.unheard(sv, func(*Connection) bool { return true }) != nil || !d.ownAddress().IsValid() || refused(asn) {
		return
	}
	d.blameDown(sv, d.unknownPeer(sv, asn))
}

// unknownPeer says why a Route Server has no peer with this NVA's address.
func (d *differ) unknownPeer(sv *server, asn uint32) *finding {
	rs := sv.rs
	if c := d.mistaken(sv, asn); c != nil {
		return d.find(PeerWrongAddress, Error, c.ID, c.Name, func(*finding) (string, []Step) {
			args := []string{"--peer-ip", d.ownAddress().String()}
			if c.ASN != asn {
				args = append(args, "--peer-asn", strconv.FormatUint(uint64(asn), 10))
			}
			return fmt.Sprintf("BGP peer %s of Route Server %s has the address %s, from which no routes came; this NVA's address is %s.", c.Name, rs.Name, c.Peer, d.ownAddress()),
				[]Step{sv.peeringStep("update", c.Name, args...)}
		})
	}
	if len(rs.Connections) >= MaxPeers {
		return d.find(PeerLimit, Error, rs.ID, rs.Name, func(*finding) (string, []Step) {
			return fmt.Sprintf("Route Server %s has %d peers and takes no more than %d, so this NVA can't be one.", rs.Name, len(rs.Connections), MaxPeers),
				[]Step{words("Delete the BGP peer of an NVA that is gone (az network routeserver peering delete), or let another NVA pass this one's routes on."), d.register(sv, asn)}
		})
	}
	return d.find(NoConnection, Error, rs.ID, rs.Name, func(*finding) (string, []Step) {
		return fmt.Sprintf("Route Server %s has no BGP peer with this NVA's address %s, and refuses sessions from addresses that it does not know.", rs.Name, d.ownAddress()),
			[]Step{d.register(sv, asn)}
	})
}

// mistaken returns a connection that was meant for this NVA: with its ASN or name, and with
// an address at which no NVA is known or was heard.
func (d *differ) mistaken(sv *server, asn uint32) *Connection {
	return d.unheard(sv, func(c *Connection) bool {
		return len(c.Instances) > 0 && (c.ASN == asn || strings.EqualFold(c.Name, d.s.VM.Name)) && !d.lacking(WhatLearned, c.ID)
	})
}

// unheard returns a connection with which f agrees, and with an address at which no NVA is
// known or was heard.
func (d *differ) unheard(sv *server, f func(c *Connection) bool) *Connection {
	others := map[netip.Addr]bool{}
	for _, vm := range d.s.NVAs {
		for _, a := range vm.Addresses {
			others[a] = true
		}
	}
	for i := range sv.rs.Connections {
		c := &sv.rs.Connections[i]
		heard := strings.EqualFold(c.State, "Connected") || slices.ContainsFunc(c.Instances, func(in Instance) bool { return len(in.Learned) > 0 })
		if !heard && !others[c.Peer] && f(c) {
			return c
		}
	}
	return nil
}

// broughtDown finds the sessions that are down for a reason that Azure does not know.
func (d *differ) broughtDown(sv *server) {
	for _, in := range sv.instances {
		n := in.neighbor
		if n == nil || n.Established || in.cause != nil {
			continue
		}
		if strings.Contains(n.Reason, "Maximum Number of Prefixes") {
			in.blame(d.tooManyRoutes(sv, Error, 0))
			continue
		}
		in.blame(d.find(SessionDown, Error, sv.rs.ID, sv.rs.Name, func(f *finding) (string, []Step) {
			reason := fmt.Sprintf("The session with %s of Route Server %s is not up (%s", plural(len(f.instances), "instance", "instances"), sv.rs.Name, n.State)
			if n.Reason != "" {
				reason += ": " + n.Reason
			}
			return reason + "), and nothing that could be read of Azure explains it.", []Step{
				{InShell, "nvactl neighbors " + n.Address.String()},
				words("If the NVA does not reach the address, look for a missing route to RouteServerSubnet on the NVA; ping proves nothing, since Route Server does not answer it."),
			}
		}))
	}
}
