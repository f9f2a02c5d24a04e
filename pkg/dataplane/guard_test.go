package dataplane_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// If another program already has a VXLAN device on the port, nvad knows it before it guards
// the port, so a restart never cuts that device off. A device that is added later is let
// through once nvad sees it.
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

// guardWatch is a kernel with tunnels that records whether the guards were in place when a
// device was removed.
type guardWatch struct {
	tunnel.Kernel
	nat     func() string
	deleted []bool
}

func (k *guardWatch) Do(op tunnel.Op) error {
	if op.Kind == tunnel.Delete {
		k.deleted = append(k.deleted, strings.Contains(k.nat(), `iifname "vxlan0"`))
	}
	return k.Kernel.Do(op)
}

// A reload that removes the last tunnel removes the device first and the guards afterwards, so
// that the device is never without guards.
func TestGuardsOutliveTheTunnel(t *testing.T) {
	f := newFakes()
	f.tunnels.Plant(tunnel.Link{
		Name: "eth0", Up: true, Carrier: true, MTU: 1500, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.4/24")},
	})
	k := &guardWatch{Kernel: f.tunnels, nat: func() string { return f.nat.String() }}
	f.run(t, func(o *dataplane.Options) { o.Tunnels = k }, func(t *testing.T, d *dataplane.Dataplane) {
		w := guarded()
		w.Tunnels = []tunnel.Tunnel{{Name: "vxlan0", VNI: 77, Device: "eth0", Remotes: []netip.Addr{netip.MustParseAddr("10.10.0.4")}}}
		d.SetWanted(w)
		synctest.Wait()
		d.SetWanted(dataplane.Wanted{})
		time.Sleep(time.Second) // on the bubble's clock
		synctest.Wait()
		if len(k.deleted) != 1 || !k.deleted[0] {
			t.Errorf("guards when the device was removed: %v", k.deleted)
		}
		if got := f.nat.String(); got != "" {
			t.Errorf("guards left without a tunnel:\n%s", got)
		}
	})
}
