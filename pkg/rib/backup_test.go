package rib

import (
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

const nva2 = "169.254.0.3"

// newBackupBed returns a bed with two NVAs behind the tunnel and a Route Server whose
// instances are both behind the gateway. Nothing is advertised.
func newBackupBed(t *testing.T) *bed {
	b := newBed(t)
	for _, a := range []string{nva, nva2} {
		b.peer(neighbor(a, 65001), acceptAll, acceptAll)
		b.up(a)
	}
	for _, a := range []string{rs0, rs1} {
		b.peer(neighbor(a, 65515, SourceSettings{Domain: "ars-hub00"}), fromAzure, acceptAll)
		b.up(a)
	}
	b.flush()
	return b
}

func (b *bed) wantRoute(what, line string) {
	b.t.Helper()
	got := ""
	for b.r.Flush(3) {
	}
	for _, c := range b.r.Take().FIB {
		got = fibLine(c)
	}
	if got != line {
		b.t.Errorf("%s: got %q, want %q", what, got, line)
	}
}

func TestBackup(t *testing.T) {
	b := newBackupBed(t)
	b.announce(rs0, "65515", "10.1.0.0/16")
	b.wantRoute("one path", "fib + 10.1.0.0/16 bgp via 10.0.0.1 dev eth0")
	b.announce(rs1, "65515 65515", "10.1.0.0/16")
	b.wantRoute("another by the same gateway", "")
	b.announce(nva2, "65515 12076 65515", "10.1.0.0/16")
	b.wantRoute("another by another", "fib + 10.1.0.0/16 bgp via 10.0.0.1 dev eth0 backup 169.254.0.3 dev vxlan0")
	b.announce(nva, "65515 12076", "10.1.0.0/16")
	b.wantRoute("a better one", "fib + 10.1.0.0/16 bgp via 10.0.0.1 dev eth0 backup 169.254.0.2 dev vxlan0")
	b.send(nva, route.Attrs{ASPath: asPath("65515 12076"), Communities: []route.Community{route.Blackhole}}, "10.1.0.0/16")
	b.wantRoute("one that drops packets", "fib + 10.1.0.0/16 bgp via 10.0.0.1 dev eth0 backup 169.254.0.3 dev vxlan0")
	b.facts(false)
	b.wantRoute("the tunnel is down", "fib + 10.1.0.0/16 bgp via 10.0.0.1 dev eth0")
	b.facts(true)
	b.wantRoute("and up", "fib + 10.1.0.0/16 bgp via 10.0.0.1 dev eth0 backup 169.254.0.3 dev vxlan0")
	b.withdraw(rs0, "10.1.0.0/16")
	b.wantRoute("the other instance remains", "")
	b.withdraw(rs1, "10.1.0.0/16")
	b.wantRoute("the backup takes over, to a better one that drops", "fib + 10.1.0.0/16 bgp blackhole")
}

// If a route uses ECMP, its backup avoids all of the route's next hops.
func TestBackupOfECMP(t *testing.T) {
	b := newBackupBed(t)
	b.announce(nva, "65515", "10.1.0.0/16")
	b.announce(nva2, "65515", "10.1.0.0/16")
	b.announce(rs0, "65515 12076", "10.1.0.0/16")
	b.wantRoute("two and one", "fib + 10.1.0.0/16 bgp via 169.254.0.2 dev vxlan0 via 169.254.0.3 dev vxlan0 backup 10.0.0.1 dev eth0")
}
