package bootstrap

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/imds"
)

// overlay has the addresses in the tunnel if the operator gives none. No VNet can use
// any of it, and it does not contain 169.254.169.254.
var overlay = netip.MustParsePrefix("169.254.0.0/24")

// plan is the content of the file.
type plan struct {
	Request
	VM       string
	Device   string
	RouterID netip.Addr
	Tunnel   netip.Prefix // of this NVA
	NICs     []string     // devices of all NICs
	Key      string       // path of the key of the sessions with the other NVAs; empty: none
}

// derive completes the request with the VM's name and its primary NIC.
func derive(r Request, vm string, nic imds.NIC, device string) (plan, error) {
	p := plan{Request: r, VM: vm, Device: device, RouterID: nic.Addresses[0], Tunnel: r.TunnelAddress}
	p.Remotes = slices.Clone(r.Remotes)
	p.Remotes = slices.DeleteFunc(p.Remotes, func(m Remote) bool { return slices.Contains(nic.Addresses, m.Address) })
	slices.SortFunc(p.Remotes, func(a, b Remote) int { return a.Address.Compare(b.Address) })
	p.RouteServers = slices.SortedFunc(slices.Values(r.RouteServers), netip.Addr.Compare)
	if len(p.Remotes) > 0 && !p.Tunnel.IsValid() {
		return p, p.number()
	}
	return p, nil
}

// number gives each NVA an address in the tunnel by its position in the order of all
// NVAs' addresses. So NVAs that were given the same list agree on all addresses.
func (p *plan) number() error {
	if len(p.Remotes) > 253 {
		return fmt.Errorf("--remote-nva: %s has no room for %d NVAs; set --tunnel-address, and ADDRESS=OVERLAY for each NVA", overlay, len(p.Remotes)+1)
	}
	next := overlay.Addr().Next()
	for i := range p.Remotes {
		if !p.Tunnel.IsValid() && p.RouterID.Less(p.Remotes[i].Address) {
			p.Tunnel = netip.PrefixFrom(next, overlay.Bits())
			next = next.Next()
		}
		p.Remotes[i].Overlay = next
		next = next.Next()
	}
	if !p.Tunnel.IsValid() {
		p.Tunnel = netip.PrefixFrom(next, overlay.Bits())
	}
	return nil
}

// deviceOf returns the kernel's device for a NIC. With accelerated networking, the NIC and
// its virtual function have the same MAC address; only the NIC has an IP address.
func deviceOf(nic imds.NIC) (string, error) {
	links, err := net.Interfaces()
	if err != nil {
		return "", fmt.Errorf("network interfaces: %w", err)
	}
	var bare []string
	for _, l := range links {
		if !bytes.Equal(l.HardwareAddr, nic.MAC) {
			continue
		}
		if has(l, nic.Addresses[0]) {
			return l.Name, nil
		}
		bare = append(bare, l.Name)
	}
	if len(bare) > 0 {
		return "", fmt.Errorf("%v has the MAC address %s, but not yet the address %s that Azure assigned to it", bare, nic.MAC, nic.Addresses[0])
	}
	return "", fmt.Errorf("no network interface has the MAC address %s, which Azure assigned to the NIC with %s", nic.MAC, nic.Addresses[0])
}

func has(l net.Interface, want netip.Addr) bool {
	addrs, err := l.Addrs()
	return err == nil && slices.ContainsFunc(addrs, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && p.Addr() == want
	})
}
