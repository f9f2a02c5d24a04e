package kernel

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"github.com/nvad/nvad/pkg/tunnel"
)

// announce has the kernel tell the neighbours on a link the hardware address that
// goes with its addresses: they may hold that of an earlier device. The kernel
// does so for a link with arp_notify and ndisc_notify whose hardware address is
// set, be it to what it was (net/ipv4/devinet.c inetdev_event, net/ipv6/ndisc.c
// ndisc_netdev_event). Packets of our own would take CAP_NET_RAW.
//
// An IPv6 address in use is needed for the advertisement; nvad's have no duplicate
// address detection to wait for.
func (t *Tunnels) announce(link netlink.Link, op tunnel.Op) error {
	if len(op.MAC) != 6 {
		return fmt.Errorf("no Ethernet address to announce %s with", op.Address.Addr())
	}
	notify := "net/ipv4/conf/" + op.Name + "/arp_notify"
	if op.Address.Addr().Is6() {
		notify = "net/ipv6/conf/" + op.Name + "/ndisc_notify"
	}
	return errors.Join(Sysctls{t.ns}.Set(notify, "1"), t.handle.LinkSetHardwareAddr(link, op.MAC))
}
