package failover

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
)

// birdDaemon returns a version of BIRD, which writes routes with their next hops inline.
func birdDaemon(version rivals.Rival) daemon {
	return daemon{
		name:    version.Title,
		require: func(t *testing.T) { lab.RequireRival(t, version) },
		prepare: prepareBIRD,
		start: func(b *bed) []*process {
			return []*process{b.Spawn("dut", "bird", version.Command("", version.Daemon("bird"), "-f", "-c", filepath.Join(b.Dir, "bird.conf"),
				"-s", filepath.Join(b.Dir, "bird.ctl"), "-P", filepath.Join(b.Dir, "bird.pid"))...)}
		},
	}
}

// prepareBIRD shortens the time that BIRD waits between sessions, which does not affect its
// outages.
func prepareBIRD(b *bed, c setup) {
	b.Helper()
	var w strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	p("router id %s;\nprotocol device {}", dutID)
	p("protocol kernel { metric 20; ipv4 { import none; export where source = RTS_BGP; }; }")
	if ms := c.bfd.Milliseconds(); ms > 0 {
		p(`protocol bfd { interface "*" { min rx interval %d ms; min tx interval %d ms; multiplier 3; }; }`, ms, ms)
	}
	for _, n := range c.neighbors {
		bfd := ""
		if c.bfd > 0 {
			bfd = "bfd on; "
		}
		p("protocol bgp { local as %d; neighbor %s as %d; %sipv4 { import all; export none; };", dutASN, n.address, n.asn, bfd)
		p("	connect delay time 1; connect retry time 1; error wait time 1, 2; }")
	}
	b.Write("bird.conf", w.String())
}
