package bootstrap

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Request has what only the operator knows: the flags of nvad bootstrap.
type Request struct {
	// RouteServers are the addresses of both instances of a Route Server; empty:
	// none.
	RouteServers []netip.Addr
	// Remotes are the other NVAs. If the VM's own address is among them it is
	// ignored, so that all NVAs can be given the same list.
	Remotes []Remote
	// ASN is the autonomous system of all NVAs.
	ASN uint32
	// VNI is the VXLAN network identifier.
	VNI uint32
	// TunnelAddress is this NVA's address in the tunnel; invalid: derived from the
	// order of all NVAs' addresses.
	TunnelAddress netip.Prefix
	// VNets are the prefixes of the VM's VNet.
	VNets []netip.Prefix
}

// Remote is another NVA.
type Remote struct {
	// Address is the address of its NIC.
	Address netip.Addr
	// Overlay is its address in the tunnel; invalid: derived from the order of all
	// NVAs' addresses.
	Overlay netip.Addr
}

// String returns ADDRESS=OVERLAY, as in the key peers of a tunnel.
func (r Remote) String() string { return r.Address.String() + "=" + r.Overlay.String() }

// ParseRemote reads ADDRESS or ADDRESS=OVERLAY.
func ParseRemote(text string) (Remote, error) {
	address, overlay, both := strings.Cut(text, "=")
	a, err := netip.ParseAddr(address)
	if err != nil || !a.Is4() {
		return Remote{}, fmt.Errorf("%q: want the NVA's IPv4 address, or ADDRESS=ADDRESS-IN-THE-TUNNEL", text)
	}
	r := Remote{Address: a}
	if !both {
		return r, nil
	}
	if r.Overlay, err = netip.ParseAddr(overlay); err != nil || !r.Overlay.Is4() {
		return Remote{}, fmt.Errorf("%q: want an IPv4 address after the \"=\", got %q", text, overlay)
	}
	return r, nil
}

// Check reports faults of the request itself, by the names of the flags.
func (r Request) Check() error {
	switch {
	case len(r.RouteServers) == 0 && len(r.Remotes) == 0:
		return fmt.Errorf("there is no one to peer with; set --route-server, --remote-nva, or both")
	case len(r.RouteServers) == 1:
		return fmt.Errorf("--route-server: a Route Server has two instances, and with only one half of the traffic is lost; set the addresses of both")
	case len(r.RouteServers) > 2:
		return fmt.Errorf("--route-server: a Route Server has two instances, but there are %d addresses", len(r.RouteServers))
	case len(r.RouteServers) == 2 && r.RouteServers[0] == r.RouteServers[1]:
		return fmt.Errorf("--route-server: %s is there twice; set the addresses of both instances", r.RouteServers[0])
	}
	for _, v := range r.VNets {
		if v != v.Masked() {
			return fmt.Errorf("--vnet: %s has bits set beyond its length; did you mean %s?", v, v.Masked())
		}
	}
	return r.checkRemotes()
}

// checkRemotes requires addresses in the tunnel for all NVAs or for none. With a mixture,
// derived addresses could clash with given ones.
func (r Request) checkRemotes() error {
	for i, m := range r.Remotes {
		if slices.ContainsFunc(r.Remotes[:i], func(o Remote) bool { return o.Address == m.Address }) {
			return fmt.Errorf("--remote-nva: %s is there twice; remove one", m.Address)
		}
		if m.Overlay.IsValid() == r.TunnelAddress.IsValid() {
			continue
		}
		if r.TunnelAddress.IsValid() {
			return fmt.Errorf("--remote-nva %s: with --tunnel-address, its address in the tunnel is needed, too; use --remote-nva %s=ADDRESS", m.Address, m.Address)
		}
		return fmt.Errorf("--remote-nva %s=%s: needs --tunnel-address, this NVA's own address in the tunnel", m.Address, m.Overlay)
	}
	return nil
}
