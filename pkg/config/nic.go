package config

import (
	"fmt"
	"net/netip"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// NIC is a device whose answers to Azure's platform address leave by it.
type NIC struct {
	Device  string
	Table   uint32     // 0: see [NIC.TableNumber]
	Gateway netip.Addr // invalid: the first address of the device's subnet
}

var nicTable = tomlfile.Array[Config, NIC]{
	Key: "nic", ID: "device",
	Doc: "NICs of a VM that has several, one table each: what a load balancer's probe asks of a NIC is answered " +
		"by that NIC. Only packets to 168.63.129.16 are concerned.",
	Of:   func(c *Config) *[]NIC { return &c.NICs },
	Name: func(n *NIC) string { return n.Device }, Fields: nicFields,
}

var nicFields = []tomlfile.Field[NIC]{
	{
		Key: "device", Example: `"eth1"`, Required: true, Shown: true,
		Doc:  "Device of the NIC. It may come later.",
		Bind: func(n *NIC) tomlfile.Value { return tomlfile.Text(&n.Device, tomlfile.Interface) },
	},
	{
		Key: "table", Example: "16801",
		Doc: "Routing table for its answers, which no other program uses for 168.63.129.16. Default: 16800 plus the number that " +
			"the name of device ends with, of which the last four digits count.",
		Bind: func(n *NIC) tomlfile.Value { return tomlfile.Number(&n.Table, 1, tomlfile.MaxUint32) },
	},
	{
		Key: "gateway", Example: `"10.0.1.1"`,
		Doc:  "Gateway of its subnet. Default: the subnet's first address, as in every VNet.",
		Bind: func(n *NIC) tomlfile.Value { return tomlfile.Address(&n.Gateway, tomlfile.Unicast4) },
	},
}

// firstTable is the table of eth0.
const firstTable = 16800

// TableNumber is the routing table of the NIC.
func (n NIC) TableNumber() uint32 {
	if n.Table != 0 {
		return n.Table
	}
	var number, digit uint32 = 0, 1
	for i := len(n.Device) - 1; i >= 0 && digit <= 1000; i-- {
		c := n.Device[i]
		if c < '0' || c > '9' {
			break
		}
		number += digit * uint32(c-'0')
		digit *= 10
	}
	return firstTable + number
}

// reservedTables are the kernel's own, which hold routes of others.
var reservedTables = map[uint32]string{253: "default", 254: "main", 255: "local"}

func (v *checker) nic(i int) {
	n := &v.cfg.NICs[i]
	if n.Device == "" {
		return
	}
	key := v.src.Elem("nic", i, n.Device)
	if name, reserved := reservedTables[n.Table]; reserved {
		v.fail(key+".table", "table %d is the kernel's table %s", n.Table, name)
	}
	v.distinct("nic", "device", i, n.Device, func(j int) bool { return v.cfg.NICs[j].Device == n.Device })
	for j := range i {
		o := &v.cfg.NICs[j]
		if o.Device != n.Device && o.TableNumber() == n.TableNumber() {
			v.fail(key+".table", "table %d is that of nic %s%s", n.TableNumber(), o.Device, derivedTable(n))
		}
	}
	if v.cfg.HasTunnel(n.Device) {
		v.fail(key+".device", "%s is a tunnel, which no load balancer probes", n.Device)
	}
}

// derivedTable says what to do about a table that the file does not give.
func derivedTable(n *NIC) string {
	if n.Table != 0 {
		return ""
	}
	return fmt.Sprintf(", derived from the name %s: give one", n.Device)
}
