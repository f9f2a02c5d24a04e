package failover

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/frrouting"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
)

// frrDaemon returns a version of FRR, with its sockets in the bed's directory.
func frrDaemon(version rivals.Rival) daemon {
	return daemon{
		name: version.Title, objects: true,
		require: func(t *testing.T) { lab.RequireRival(t, version) },
		prepare: prepareFRR,
		start:   func(b *bed) []*process { return startFRR(b, version) },
	}
}

// prepareFRR writes a separate file for each daemon, because none accepts another's lines.
func prepareFRR(b *bed, c setup) {
	b.Helper()
	var w strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	p("router bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy", dutASN, dutID)
	for _, n := range c.neighbors {
		p(" neighbor %s remote-as %d", n.address, n.asn)
		if c.bfd > 0 {
			p(" neighbor %s bfd profile nva", n.address)
		}
	}
	p(" address-family ipv4 unicast")
	for _, n := range c.neighbors {
		p("  neighbor %s route-map nothing out", n.address)
	}
	p(" exit-address-family\nexit\nroute-map nothing deny 10")
	b.Write("bgpd.conf", w.String())
	b.Write("zebra.conf", "")
	w.Reset()
	if ms := c.bfd.Milliseconds(); ms > 0 {
		p("bfd\n profile nva\n  transmit-interval %d\n  receive-interval %d\n  detect-multiplier 3\n exit\nexit", ms, ms)
	}
	b.Write("bfdd.conf", w.String())
}

func startFRR(b *bed, version rivals.Rival) (list []*process) {
	b.Helper()
	err := frrouting.Start(version, b.Dir, []string{"zebra", "bfdd", "bgpd"}, frrouting.Files(b.Dir), func(name string, argv ...string) error {
		list = append(list, b.Spawn("dut", name, argv...))
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return list
}
