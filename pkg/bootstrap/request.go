package bootstrap

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Request is what the operator says: the flags of nvad bootstrap.
type Request struct {
	// RouteServers are the addresses of both instances of a Route Server, or
	// empty.
	RouteServers []netip.Addr
	// Remotes are the other NVAs. The VM's own address among them is left out,
	// so that all may be given the same list.
	Remotes []Remote
	// ASN is the own autonomous system.
	ASN uint32
	// VNI is the VXLAN network identifier.
	VNI uint32
	// TunnelAddress is the own address in the tunnel; invalid if it follows
	// from the order of all NVAs' addresses.
	TunnelAddress netip.Prefix
	// VNets are the prefixes of the VNet that the VM is in.
	VNets []netip.Prefix
}

// Remote is another NVA.
type Remote struct {
	// Address is its NIC's.
	Address netip.Addr
	// Overlay is its address in the tunnel; invalid if it follows from the
	// order of all NVAs' addresses.
	Overlay netip.Addr
}

// String is the remote with its address in the tunnel, as a tunnel's peers name it.
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
		return Remote{}, fmt.Errorf("%q: %q is no IPv4 address", text, overlay)
	}
	return r, nil
}

// Check says what is wrong with the request itself, by the names of the flags.
func (r Request) Check() error {
	switch {
	case len(r.RouteServers) == 0 && len(r.Remotes) == 0:
		return fmt.Errorf("--route-server or --remote-nva is needed: there is nobody to peer with")
	case len(r.RouteServers) == 1:
		return fmt.Errorf("--route-server: a Route Server has two instances, and half of the traffic is lost with one: give both addresses")
	case len(r.RouteServers) > 2:
		return fmt.Errorf("--route-server: a Route Server has two instances, got %d addresses", len(r.RouteServers))
	case len(r.RouteServers) == 2 && r.RouteServers[0] == r.RouteServers[1]:
		return fmt.Errorf("--route-server: %s twice", r.RouteServers[0])
	}
	for _, v := range r.VNets {
		if v != v.Masked() {
			return fmt.Errorf("--vnet: %s has bits beyond its length, want %s", v, v.Masked())
		}
	}
	return r.checkRemotes()
}

// checkRemotes: addresses in the tunnel are given for all NVAs or for none, as
// nobody could tell which are taken.
func (r Request) checkRemotes() error {
	for i, m := range r.Remotes {
		if slices.ContainsFunc(r.Remotes[:i], func(o Remote) bool { return o.Address == m.Address }) {
			return fmt.Errorf("--remote-nva: %s twice", m.Address)
		}
		if m.Overlay.IsValid() == r.TunnelAddress.IsValid() {
			continue
		}
		if r.TunnelAddress.IsValid() {
			return fmt.Errorf("--remote-nva %s: with --tunnel-address, its address in the tunnel is needed too: --remote-nva %s=ADDRESS", m.Address, m.Address)
		}
		return fmt.Errorf("--remote-nva %s=%s: needs --tunnel-address, the own address in the tunnel, as well", m.Address, m.Overlay)
	}
	return nil
}
