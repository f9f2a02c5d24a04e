package bench

import (
	"path/filepath"
	"strings"
	"syscall"
)

// nvad is the subject that this bench is for.
type nvad struct {
	processes
	binary string
	bed    *bed
}

// nvadConfig has the policies of configs/hub00.toml. The Route Servers are of
// no domain, so that one hears of the other as from the other subjects.
const nvadConfig = `
asn       = 65001
router-id = "10.0.0.4"

[[static-route]]
prefix = "10.0.210.0/24"
via    = "10.0.0.1"

[[static-route]]
prefix = "10.1.210.0/24"
via    = "10.1.0.1"

[peer-group.route-server]
remote-asn    = 65515
maximum-prefix = 0
ebgp-multihop = 255
import        = { deny-asns = "reserved" }
export        = { prefix-list = "rs-hub00", route-map = "to-azure" }

[[neighbor]]
address    = "10.0.210.4"
peer-group = "route-server"

[[neighbor]]
address    = "10.1.210.4"
peer-group = "route-server"
hold-time  = 30
keepalive  = 1

[[neighbor]]
address       = "169.254.0.2"
remote-asn    = 65001
maximum-prefix = 0
next-hop-self = true
import        = "accept"
export        = { prefix-list = "vm-hub10" }

[prefix-list]
rs-hub00 = ["deny 10.0.0.0/16", "deny 10.100.0.0/16", "permit any"]
vm-hub10 = ["deny 10.0.0.0/16 ge 16", "permit any"]

[as-path-list]
azure-asns = ["permit _65515_"]

[[route-map.to-azure]]
action = "permit"
match  = { as-path-list = "azure-asns" }
set    = { as-path-replace = "any" }

[[route-map.prefer]]
action = "permit"
set    = { local-preference = 200 }
`

func (n *nvad) running() *processes { return &n.processes }

func (n *nvad) start(b *bed) error {
	n.bed = b
	config, err := b.write("nvad.toml", nvadConfig)
	if err != nil {
		return err
	}
	socket := filepath.Join(b.dir, "nvad.sock")
	if err := n.spawn(b, n.binary, "--config", config, "--socket", socket); err != nil {
		return err
	}
	return awaitSocket(socket)
}

func (n *nvad) reload() error {
	text := strings.Replace(nvadConfig, `deny-asns = "reserved"`, `deny-asns = "reserved", route-map = "prefer"`, 1)
	if _, err := n.bed.write("nvad.toml", text); err != nil {
		return err
	}
	return n.processes[0].Process.Signal(syscall.SIGHUP)
}
