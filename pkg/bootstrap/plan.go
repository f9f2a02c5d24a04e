package bootstrap

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/imds"
)

// overlay holds the tunnel's addresses where none are given. No VNet can have
// any of it, and 169.254.169.254 is not in it.
var overlay = netip.MustParsePrefix("169.254.0.0/24")

// plan is all that the file says.
type plan struct {
	Request
	VM       string
	Device   string
	RouterID netip.Addr
	Tunnel   netip.Prefix // own address
	NICs     []string     // devices
	Key      string       // file with the key of the other NVAs' sessions; "": none
}

// derive completes the request by what the metadata service and the kernel know:
// the VM's primary NIC, whose device is named device.
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

// number gives every NVA an address in the tunnel: its place in the order of all
// their addresses, on which all of them agree that know the same others.
func (p *plan) number() error {
	if len(p.Remotes) > 253 {
		return fmt.Errorf("--remote-nva: %s has no room for %d NVAs: give --tunnel-address and ADDRESS=OVERLAY", overlay, len(p.Remotes)+1)
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
