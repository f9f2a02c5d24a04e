package dataplane_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/tunnel"
)

func guarded() dataplane.Wanted {
	return dataplane.Wanted{NAT: nat.Rules{Overlays: []nat.Overlay{{
		Device: "vxlan0", Under: "eth0", VNI: 77, Port: 4789, Remotes: []netip.Addr{netip.MustParseAddr("10.10.0.4")},
	}}}}
}

// Another program's VXLAN device on the port is known before the port is guarded, so
// that a restart never cuts it off; one that comes later is let through then.
func TestGuardSparesOthers(t *testing.T) {
	f := newFakes()
	f.tunnels.Plant(tunnel.Link{Name: "flannel", VXLAN: &tunnel.VXLAN{VNI: 5, Port: 4789}})
	f.run(t, nil, func(t *testing.T, d *dataplane.Dataplane) {
		d.SetWanted(guarded())
		synctest.Wait()
		if got := f.nat.String(); !strings.Contains(got, "udp dport 4789 vxlan vni 5 accept\n  udp dport 4789 drop\n") || len(f.nat.Log) != 1 {
			t.Errorf("after %v:\n%s", f.nat.Log, got)
		}
		f.tunnels.Plant(tunnel.Link{Name: "other", VXLAN: &tunnel.VXLAN{VNI: 6, Port: 4789}})
		f.events <- []fib.Event{{Kind: fib.LinkEvent}}
		synctest.Wait()
		if _, err := d.Tunnels(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := f.nat.String(); !strings.Contains(got, "vxlan vni 5 accept\n  udp dport 4789 vxlan vni 6 accept\n") {
			t.Errorf("with another device:\n%s", got)
		}
		if c := d.Counters(); c.NATRepairs != 0 {
			t.Errorf("counted as %d repairs", c.NATRepairs)
		}
	})
}
