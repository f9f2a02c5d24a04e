package nic

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/retry"
)

// NIC is a device through which its own answers must leave. Devices and tables are unique.
type NIC struct {
	Device  string
	Table   uint32
	Gateway netip.Addr // invalid: the first address of the device's first subnet
}

// plan has the route and the rules that a NIC needs.
type plan struct {
	route Route
	rules []Rule
}

// plan derives from the links what a NIC needs. The error is a [retry.Waiting].
func (n NIC) plan(links []fib.Link) (plan, error) {
	i := slices.IndexFunc(links, func(l fib.Link) bool { return l.Name == n.Device })
	switch {
	case i < 0:
		return plan{}, retry.Waiting("link " + n.Device)
	case !links[i].Up:
		return plan{}, retry.Waiting("link " + n.Device + " to come up")
	}
	addresses := hosts(links[i])
	if len(addresses) == 0 {
		return plan{}, retry.Waiting("an IPv4 address on " + n.Device)
	}
	via := n.gateway(addresses)
	if !via.IsValid() {
		return plan{}, retry.Waiting("a subnet with a gateway on " + n.Device + " (or set gateway)")
	}
	p := plan{route: Route{Table: n.Table, Via: via, Link: links[i].Index}}
	for _, a := range addresses {
		p.rules = append(p.rules, Rule{From: a.Addr(), Table: n.Table})
	}
	return p, nil
}

// hosts returns the addresses that can be probed, with their subnets.
func hosts(l fib.Link) (out []netip.Prefix) {
	for _, p := range l.Addresses {
		if a := p.Addr(); a.Is4() && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			out = append(out, p)
		}
	}
	return out
}

// gateway returns the gateway of the NIC's subnet. In Azure it is the first address of every
// subnet, but DHCP announces it only on the primary NIC.
func (n NIC) gateway(addresses []netip.Prefix) netip.Addr {
	if n.Gateway.IsValid() {
		return n.Gateway
	}
	for _, p := range addresses {
		if first := p.Masked().Addr().Next(); p.Bits() < 31 && first != p.Addr() {
			return first
		}
	}
	return netip.Addr{}
}
