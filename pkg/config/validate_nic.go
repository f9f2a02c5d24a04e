package config

import "fmt"

// reservedTables are the kernel's own, which hold routes of others.
var reservedTables = map[uint32]string{253: "default", 254: "main", 255: "local"}

func (v *checker) nic(i int) {
	n := &v.cfg.NICs[i]
	if n.Device == "" {
		return
	}
	key := v.src.elem("nic", i, n.Device)
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
