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
	// Peers are the other NVAs that are reached through WireGuard. This NVA's own key among
	// them is ignored.
	Peers []Peer
	// Identity is this NVA's own key; zero without Peers and without [Discovery.PublishKey].
	Identity Identity
	// ASN is the autonomous system of all NVAs.
	ASN uint32
	// VNI is the VXLAN network identifier.
	VNI uint32
	// TunnelAddress is this NVA's address in the tunnel; invalid: derived from its
	// own address.
	TunnelAddress netip.Prefix
	// VNets are the prefixes of the VM's VNet.
	VNets []netip.Prefix
	// Azure says what to ask Azure Resource Manager for; nil: nothing. What is given
	// in the other fields is not asked for.
	Azure *Discovery
	// notes say which tagged NVAs were left out, and why.
	notes []string
}

// The numbers that are used if neither the operator nor a tag says otherwise.
const (
	DefaultASN = 65001
	DefaultVNI = 77
)

// Remote is another NVA.
type Remote struct {
	// Address is the address of its NIC.
	Address netip.Addr
	// Overlay is its address in the tunnel; invalid: derived from Address.
	Overlay netip.Addr
	// Name is its VM's name in Azure; empty: not known.
	Name string
	// Unpeered says that its VNet is neither this VM's nor peered with that one.
	Unpeered bool
}

// label returns the remote's name, if it is known, and its address.
func (r Remote) label() string {
	if r.Name == "" {
		return r.Address.String()
	}
	return fmt.Sprintf("%s (%s)", printable(r.Name), r.Address)
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
	case len(r.RouteServers) == 0 && len(r.Remotes)+len(r.Peers) == 0 && r.Azure == nil:
		return fmt.Errorf("there is no one to peer with; set --route-server, --remote-nva, --peer, or several of them, or --from-azure")
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
	if err := r.checkRemotes(); err != nil || r.Azure == nil {
		return err
	}
	return r.Azure.check()
}

// checkRemotes requires that all NVAs have their addresses in the tunnel from one prefix:
// that of TunnelAddress or, without it, the one from which addresses are derived.
func (r Request) checkRemotes() error {
	prefix := overlay
	if r.TunnelAddress.IsValid() {
		prefix = r.TunnelAddress.Masked()
	}
	for i, m := range r.Remotes {
		if slices.ContainsFunc(r.Remotes[:i], func(o Remote) bool { return o.Address == m.Address }) {
			return fmt.Errorf("--remote-nva: %s is there twice; remove one", m.Address)
		}
		switch {
		case m.Overlay.IsValid() && !prefix.Contains(m.Overlay) && !r.TunnelAddress.IsValid():
			return fmt.Errorf("--remote-nva %s=%s: needs --tunnel-address, this NVA's own address in the tunnel", m.Address, m.Overlay)
		case m.Overlay.IsValid() && !prefix.Contains(m.Overlay):
			return fmt.Errorf("--remote-nva %s=%s: is not in %s, the prefix of --tunnel-address", m.Address, m.Overlay, prefix)
		case !m.Overlay.IsValid() && prefix != overlay:
			return fmt.Errorf("--remote-nva %s: with --tunnel-address, its address in the tunnel is needed, too; use --remote-nva %s=ADDRESS", m.Address, m.Address)
		}
	}
	return nil
}
