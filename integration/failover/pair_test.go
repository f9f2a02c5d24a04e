package failover

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// The blocks that the two hosts of a pair announce.
const (
	leftBlock  = 20
	rightBlock = 28
)

// pair is two nvads, each a helper for the other's graceful restart, with a VXLAN tunnel and
// iBGP between them. Behind each is a host that announces routes, asks nvad to keep them
// during a restart, and receives the traffic to them.
//
//	left ── near ══ far ── right
type pair struct {
	*bed
	routes      int
	left, right *nva
	near, far   *process
}

func newPair(t *testing.T, routes int) *pair {
	t.Helper()
	lab.RequireRoot(t)
	lab.Build(t, "./cmd/nvad")
	lab.Build(t, "./cmd/nvactl")
	b := newBed(t, "left", "near", "far", "right")
	link(b, "near", "10.9.0.1", "far", "10.9.0.2")
	p := &pair{bed: b, routes: routes}
	p.left = p.host("left", "near", "10.1.0", 65101, leftBlock, rightBlock)
	p.right = p.host("right", "far", "10.2.0", 65102, rightBlock, leftBlock)
	p.configure("near", "far", "10.9.0.2", "169.254.0.1", "169.254.0.2", p.left)
	p.configure("far", "near", "10.9.0.1", "169.254.0.2", "169.254.0.1", p.right)
	p.near, p.far = b.Nvad("near", "near"), b.Nvad("far", "far")
	p.converge()
	return p
}

// host creates the host of one end, which only listens.
func (p *pair) host(name, gateway, net string, asn uint32, own, other int) *nva {
	link(p.bed, name, net+".2", gateway, net+".1")
	p.IP(name, fmt.Sprintf("route add local %d.0.0.0/8 dev lo", own))
	p.IP(name, fmt.Sprintf("route add %d.0.0.0/8 via %s.1", other, net))
	v := &nva{
		bed: p.bed, name: name, address: addr(net + ".2"), remote: addr(net + ".1"), asn: asn, keep: 2 * time.Minute,
	}
	v.routes = announcement(own, p.routes, pathOf(v.address, asn, 1))
	v.serve()
	return v
}

// configure writes the configuration of one nvad.
func (p *pair) configure(name, device, remote, tunnel, peer string, host *nva) {
	p.Write(name+".toml", fmt.Sprintf(`asn = 65001
router-id = %[1]q
[kernel]
ip-forward = true
[[tunnel]]
name = "vxlan0"
vni = 77
device = %[2]q
remotes = [%[3]q]
address = "%[4]s/24"
[[neighbor]]
address = %[5]q
remote-asn = %[6]d
maximum-prefix = 0
import = "accept"
export = "accept"
[[neighbor]]
address = %[7]q
remote-asn = 65001
maximum-prefix = 0
next-hop-self = true
import = "accept"
export = "accept"
`, host.remote, device, remote, tunnel, host.address, host.asn, peer))
}

// converge waits until each nvad has received everything from its neighbors, has no stale
// routes left and has advertised everything.
func (p *pair) converge() {
	p.Helper()
	p.Eventually(patience, func() error {
		for _, name := range []string{"near", "far"} {
			if err := p.heardAll(name); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *pair) heardAll(name string) error {
	var status struct {
		InSync bool `json:"in_sync"`
	}
	var neighbors []struct {
		Address, State              string
		Received, Stale, Advertised int
		EndOfRIB                    []string `json:"end_of_rib"`
	}
	if err := p.ask(name, &status, "status"); err != nil {
		return err
	}
	if err := p.ask(name, &neighbors, "neighbors"); err != nil {
		return err
	}
	for _, n := range neighbors {
		complete := slices.Contains(n.EndOfRIB, "ipv4 unicast")
		if n.State != "Established" || !complete || n.Received != p.routes || n.Stale > 0 || n.Advertised != p.routes {
			return fmt.Errorf("%s: %+v", name, n)
		}
	}
	if !status.InSync || len(neighbors) != 2 {
		return fmt.Errorf("%s has %d neighbors, in sync: %v", name, len(neighbors), status.InSync)
	}
	return nil
}

// ask runs nvactl -o json.
func (p *pair) ask(name string, into any, command string) error {
	out, err := p.Nvactl(name, "-o", "json", command)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), into)
}

// state returns what nvad has written to the kernel, without the numbers of next-hop objects.
// The number of a link is included: it shows whether the link is still the same.
func (p *pair) state(name string) string {
	p.Helper()
	var text strings.Builder
	for _, args := range []string{
		"-d link show vxlan0", "address show", "route show table all", "nexthop show", "rule show", "neigh show nud permanent",
	} {
		lines := slices.Collect(strings.Lines(objectNumber.ReplaceAllString(p.IP(name, args), "")))
		if !strings.Contains(args, "link") {
			slices.Sort(lines)
		}
		text.WriteString("# " + args + "\n" + strings.Join(lines, ""))
	}
	text.WriteString(p.In(name, "bridge", "fdb", "show", "dev", "vxlan0"))
	return text.String()
}
