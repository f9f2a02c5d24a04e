package lab

import (
	"fmt"
	"strings"
)

// LinkDown takes a VM's eth0 down, with which the kernel silently drops every
// route over it.
func (l *Lab) LinkDown(vm string) error {
	_, err := l.Output(vm, "ip", "link", "set", "eth0", "down")
	return err
}

// LinkUp brings a VM's eth0 up and installs again what its DHCP client would.
func (l *Lab) LinkUp(vm string) error {
	if _, err := l.Output(vm, "ip", "link", "set", "eth0", "up"); err != nil {
		return err
	}
	for _, v := range l.Topology.VNets {
		for _, m := range v.VMs {
			if m.Name == vm {
				return run(strings.Join(dhcpRoutes(m.Address), "\n"), "ip", "-n", l.Namespace(vm), "-batch", "-")
			}
		}
	}
	return nil
}

// Connect connects a VNet's gateway to its circuit, where the scenario has left
// that to be done.
func (l *Lab) Connect(vnet string) error {
	v, ok := l.Topology.vnet(vnet)
	if !ok || v.Circuit == "" {
		return fmt.Errorf("no VNet %q with a circuit", vnet)
	}
	_, err := l.Output(mseeNode(v.Circuit), "ip", "link", "set", port(gatewayNode(vnet)), "up")
	return err
}
