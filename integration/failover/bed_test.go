package failover

import (
	"net/netip"
	"testing"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

type (
	bed     = netbed.Bed
	process = netbed.Process
)

const patience = netbed.Patience

// newBed creates namespaces whose routers forward and do not check source addresses.
func newBed(t *testing.T, names ...string) *bed {
	t.Helper()
	lab.RequireCommands(t, "nft")
	b := netbed.New(t, names...)
	for _, name := range names {
		b.In(name, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0",
			"net.ipv4.conf.default.rp_filter=0", "net.ipv6.conf.all.disable_ipv6=1")
	}
	return b
}

// link joins two namespaces. Each end is named after the other end's namespace, and both
// addresses are in one /24.
func link(b *bed, left, leftAddress, right, rightAddress string) {
	b.Helper()
	b.Join(left, right, []string{leftAddress + "/24"}, right, left, []string{rightAddress + "/24"})
}

// addr parses an address that the tests themselves contain.
func addr(text string) netip.Addr { return netip.MustParseAddr(text) }
