package bootstrap

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/imds"
)

// maxNVAs bounds the other NVAs in a file.
const maxNVAs = 253

// plan is the content of the file.
type plan struct {
	Request
	VM       string
	Device   string
	RouterID netip.Addr
	Tunnel   netip.Prefix // of this NVA
	NICs     []string     // devices of all NICs
	links    []link       // through WireGuard
	Key      string       // path of the key of the sessions with the other NVAs; empty: none
}

// derive completes the request with the VM's name and its primary NIC.
func derive(r Request, vm string, nic imds.NIC, device string) (plan, error) {
	if !nic.Addresses[0].Is4() {
		return plan{}, fmt.Errorf("metadata service: the first address of the primary NIC is %s, which is not IPv4", nic.Addresses[0])
	}
	p := plan{Request: r, VM: vm, Device: device, RouterID: nic.Addresses[0], Tunnel: r.TunnelAddress}
	p.Remotes = slices.Clone(r.Remotes)
	p.Remotes = slices.DeleteFunc(p.Remotes, func(m Remote) bool { return slices.Contains(nic.Addresses, m.Address) })
	slices.SortFunc(p.Remotes, func(a, b Remote) int { return a.Address.Compare(b.Address) })
	p.RouteServers = slices.SortedFunc(slices.Values(r.RouteServers), netip.Addr.Compare)
	var err error
	if p.links, err = links(r.Identity.Public, r.Peers); err != nil {
		return p, err
	}
	if n := len(p.Remotes) + len(p.links); n > maxNVAs {
		return p, fmt.Errorf("there are %d other NVAs, and each would have a session with each; more than %d need a hierarchy that only you can plan, so write the file by hand", n, maxNVAs)
	}
	if len(p.Remotes) == 0 {
		return p, nil
	}
	return p, p.number()
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

// others returns the addresses in the tunnels of all other NVAs.
func (p *plan) others() (list []netip.Addr) {
	for _, r := range p.Remotes {
		list = append(list, r.Overlay)
	}
	for _, l := range p.links {
		list = append(list, l.far)
	}
	return list
}
