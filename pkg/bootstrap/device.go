package bootstrap

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/imds"
)

// deviceOf names the kernel's device of a NIC. With accelerated networking, the
// NIC and its virtual function share a MAC; only the NIC has the address.
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
		return "", fmt.Errorf("%v has the MAC address %s, but not yet the address %s that Azure gave it", bare, nic.MAC, nic.Addresses[0])
	}
	return "", fmt.Errorf("no network interface has the MAC address %s, which Azure gave the NIC with %s", nic.MAC, nic.Addresses[0])
}

func has(l net.Interface, want netip.Addr) bool {
	addrs, err := l.Addrs()
	return err == nil && slices.ContainsFunc(addrs, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && p.Addr() == want
	})
}
