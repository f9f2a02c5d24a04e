package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// NIC is a device that itself sends the answers to what Azure's platform sends to it.
type NIC struct {
	Device  string
	Table   uint32     // 0: see [NIC.TableNumber]
	Gateway netip.Addr // invalid: the first address of the device's subnet
}

var nicTable = tomlfile.Array[Config, NIC]{
	Key: "nic", ID: "device",
	Doc: "NICs of a VM with several, one table each. Each NIC answers the load balancer probes that it receives. Only " +
		"packets to 168.63.129.16 are affected.",
	Of:   func(c *Config) *[]NIC { return &c.NICs },
	Name: func(n *NIC) string { return n.Device }, Fields: nicFields,
}

func nicFields(n *NIC) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "device", Value: tomlfile.Text(&n.Device, tomlfile.Interface), Example: `"eth1"`, Required: true, Shown: true,
			Doc: "Device of the NIC. It may appear after nvad has started."},
		{Key: "table", Value: tomlfile.Number(&n.Table, 1, tomlfile.MaxUint32), Example: "16801",
			Doc: "Routing table for the answers; no other program may use it for 168.63.129.16. Default: 16800 plus the number at " +
				"the end of the name of device, of which the last four digits count."},
		{Key: "gateway", Value: tomlfile.Address(&n.Gateway, tomlfile.Unicast4), Example: `"10.0.1.1"`,
			Doc: "Gateway of the NIC's subnet. Default: the subnet's first address, as in every VNet."},
	}
}

// firstTable is the table of eth0.
const firstTable = 16800

// TableNumber returns the number of the NIC's routing table.
func (n NIC) TableNumber() uint32 {
	if n.Table != 0 {
		return n.Table
	}
	digits := n.Device[len(strings.TrimRight(n.Device, "0123456789")):]
	number, _ := strconv.Atoi(digits[max(0, len(digits)-4):]) // 0 without digits
	return firstTable + uint32(number)
}

// reservedTables has the tables of the kernel itself, which other programs use.
var reservedTables = map[uint32]string{253: "default", 254: "main", 255: "local"}

func (v *checker) nic(i int) {
	n := &v.cfg.NICs[i]
	if n.Device == "" {
		return
	}
	key := v.src.Elem("nic", i, n.Device)
	if name, reserved := reservedTables[n.Table]; reserved {
		v.fail(key+".table", "table %d is the kernel's table %s; use another one", n.Table, name)
	}
	v.distinct("nic", "device", i, n.Device, func(j int) bool { return v.cfg.NICs[j].Device == n.Device })
	for j := range i {
		o := &v.cfg.NICs[j]
		if o.Device != n.Device && o.TableNumber() == n.TableNumber() {
			v.fail(key+".table", "table %d is already used by nic %s%s", n.TableNumber(), o.Device, derivedTable(n))
		}
	}
	if v.cfg.HasTunnel(n.Device) {
		v.fail(key+".device", "%s is a tunnel, and load balancers do not probe tunnels; remove it", n.Device)
	}
}

// derivedTable explains a table that is not in the file.
func derivedTable(n *NIC) string {
	if n.Table != 0 {
		return ""
	}
	return fmt.Sprintf(" (derived from the name %s); set another one", n.Device)
}
