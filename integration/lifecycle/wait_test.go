package lifecycle

import (
	"testing"
	"time"
)

// TestLateAddress adds the address that nvad should use as its source after nvad has started.
func TestLateAddress(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const late = "10.0.0.5"
	b.frr(peer1, frrOptions{ours: late})
	b.configure(ordinary(open(peer1, `local-address = "10.0.0.5"`)))
	n := b.start()
	n.Logs("neighbor not up")
	b.ip("addr add " + late + "/24 dev eth0")
	begin := time.Now()
	n.Logs("neighbor up")
	took := time.Since(begin)
	t.Logf("established %v after the address came", took.Round(time.Millisecond))
	if took > time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestLateDevice starts nvad before its underlay device exists, or before it is up.
func TestLateDevice(t *testing.T) {
	t.Parallel()
	for name, absent := range map[string]bool{"absent": true, "down": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
			if absent {
				b.ip("link del eth0")
			} else {
				b.ip("link set eth0 down")
			}
			b.configure(ordinary(open(peer1)))
			n := b.start()
			if absent {
				n.Logs("tunnel waiting", "waiting for link eth0")
				b.must(contains(b.tell("tunnels"), "waiting for link eth0"))
				b.connect()
			} else {
				b.ip("link set eth0 up")
			}
			begin := time.Now()
			n.Logs("neighbor up", "tunnel up")
			b.routed("10.0.210.0/24", "10.100.0.0/16", "169.254.0.0/24 dev vxlan0")
			t.Logf("complete after %v", time.Since(begin).Round(10*time.Millisecond))
			b.must(contains(b.ip("link show vxlan0"), "mtu 1450"))
		})
	}
}

// TestStopWhileWaiting stops nvad while it waits for an address from which to derive the
// router ID. It must end at once, with a clean exit.
func TestStopWhileWaiting(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.ip("addr flush dev eth0")
	s := ordinary(open(peer1))
	s.global = []string{"asn = 65001"}
	b.configure(s)
	n := b.launch(nil)
	n.Logs("waiting for an address to derive the router ID from")
	n.Stop()
}
