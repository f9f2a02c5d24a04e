package lifecycle

import (
	"fmt"
	"testing"
)

// A session whose local-address is an interface starts from its address. It survives that the
// address is removed and added again, as a renewed lease does it, and moves to another address.
func TestLocalInterface(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const other = "10.0.0.5"
	before := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
	after := b.frr(peer2, frrOptions{networks: []string{"10.110.0.0/16"}, ours: other})
	b.configure(settings{neighbors: []neighborSettings{open(peer1, `local-address = "eth0"`), open(peer2, `local-address = "eth0"`)}})
	n := b.start()
	b.up(peer1)
	b.routed("10.100.0.0/16")
	established := func(f *frr, want string) {
		t.Helper()
		b.Eventually(patience, func() error {
			if v := f.view(); v.State != want {
				return fmt.Errorf("FRR at %s is %s, want %s", f.address, v.State, want)
			}
			return nil
		})
	}
	b.ip("addr del " + ourAddress + "/24 dev eth0")
	b.ip("addr add " + ourAddress + "/24 dev eth0")
	b.routed("10.100.0.0/16")
	if v := before.view(); v.State != "Established" || v.Established != 1 {
		t.Errorf("after the address was away for a moment: %+v", v)
	}

	b.ip("addr del " + ourAddress + "/24 dev eth0")
	b.ip("addr add " + other + "/24 dev eth0")
	n.Logs("local address of a neighbor changed", "neighbor="+peer2, "device=eth0", "address="+other)
	established(after, "Established")
	b.up(peer2)
	b.routed("10.110.0.0/16")
	b.unrouted("10.100.0.0/16")
	if got := b.neighbor(peer1); got.State == "Established" {
		t.Errorf("%+v, although its session started from an address that is gone", got)
	}
}
