package bootstrap

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// overlay has the addresses in the tunnel unless the operator gives others. No VNet can
// use any of it. Neither the metadata service (169.254.169.254) nor the addresses of
// Azure's VPN gateways (169.254.21.0/24, 169.254.22.0/24) are in it.
var overlay = netip.MustParsePrefix("169.254.64.0/18")

// goldenRatio is 2³² divided by the golden ratio. Multiplying by it spreads numbers that
// are near each other or equally far apart, as the addresses of NVAs are.
const goldenRatio = 2654435769

// overlayOf returns the address in the tunnel of the NVA with that address. It depends on
// nothing else, so all NVAs agree on it without asking each other, and it stays the same
// when others are added or removed. Two NVAs can get the same one, which [plan.clashes]
// finds; with up to eight NVAs in a subnet at the same place in each VNet they never do.
func overlayOf(nva netip.Addr) netip.Addr {
	a := nva.As4()
	size := uint64(1)<<(32-overlay.Bits()) - 2 // neither the first nor the last address
	hash := binary.BigEndian.Uint32(a[:]) * goldenRatio
	n := 1 + uint32(uint64(hash)*size>>32)
	base := overlay.Addr().As4()
	binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(base[:])+n)
	return netip.AddrFrom4(a)
}

// number gives an address in the tunnel to each NVA that has none yet.
func (p *plan) number() error {
	if !p.Tunnel.IsValid() {
		p.Tunnel = netip.PrefixFrom(overlayOf(p.RouterID), overlay.Bits())
	}
	for i, m := range p.Remotes {
		if !m.Overlay.IsValid() {
			p.Remotes[i].Overlay = overlayOf(m.Address)
		}
	}
	return p.clashes()
}

// clashes returns an error if two NVAs have the same address in the tunnel, or one of
// them has an address that the others do not look for there.
func (p *plan) clashes() error {
	seen := map[netip.Addr]Remote{p.Tunnel.Addr(): {Address: p.RouterID, Name: p.VM}}
	for _, m := range p.Remotes {
		if other, taken := seen[m.Overlay]; taken {
			return fmt.Errorf("%s and %s would both have the address %s in the tunnel; give one of them another one: in Azure with the tag %s=ADDRESS, otherwise with --remote-nva %s=ADDRESS here and --tunnel-address there",
				other.label(), m.label(), m.Overlay, tagOverlay, m.Address)
		}
		if !p.Tunnel.Contains(m.Overlay) {
			return fmt.Errorf("%s has the address %s in the tunnel, which is not in this NVA's %s; give all NVAs addresses of one prefix", m.label(), m.Overlay, p.Tunnel.Masked())
		}
		seen[m.Overlay] = m
	}
	return nil
}
