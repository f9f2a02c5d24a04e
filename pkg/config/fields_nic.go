package config

import (
	"fmt"
	"net/netip"
)

var nicFields = []field[NIC]{
	{
		key: "device", example: `"eth1"`, required: true, shown: true,
		doc:  "Device of the NIC. It may come later.",
		bind: func(n *NIC) value { return text{&n.Device, checkInterface} },
	},
	{
		key: "table", example: "16801",
		doc: "Routing table for its answers, which no other program uses for 168.63.129.16. Default: 16800 plus the number that " +
			"the name of device ends with, of which the last four digits count.",
		bind: func(n *NIC) value { return number(&n.Table, 1, maxUint32) },
	},
	{
		key: "gateway", example: `"10.0.1.1"`,
		doc:  "Gateway of its subnet. Default: the subnet's first address, as in every VNet.",
		bind: func(n *NIC) value { return address{&n.Gateway, unicast4} },
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

func unicast4(a netip.Addr) error {
	if !a.Is4() {
		return fmt.Errorf("want an IPv4 address, got %s", a)
	}
	return unicast(a)
}
