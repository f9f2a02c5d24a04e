package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
	"github.com/vishvananda/netlink"
)

// kernel keeps the gateway's routes over the circuit. Everything else takes
// the gateway's default route into the VNet.
type kernel struct {
	via       netip.Addr
	installed map[netip.Prefix]bool
}

func (k *kernel) sync(routes []sdn.Learned) error {
	wanted := map[netip.Prefix]bool{}
	for _, r := range routes {
		wanted[r.Prefix] = true
		if err := netlink.RouteReplace(k.route(r.Prefix)); err != nil {
			return fmt.Errorf("route %s: %w", r.Prefix, err)
		}
	}
	for prefix := range k.installed {
		if wanted[prefix] {
			continue
		}
		if err := netlink.RouteDel(k.route(prefix)); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("delete route %s: %w", prefix, err)
		}
	}
	k.installed = wanted
	return nil
}

func (k *kernel) route(p netip.Prefix) *netlink.Route {
	dst := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
	return &netlink.Route{Dst: dst, Gw: k.via.AsSlice()}
}
