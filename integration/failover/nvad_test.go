package failover

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// nvadDaemon is nvad, built from this tree.
var nvadDaemon = daemon{
	name: "nvad", objects: true,
	require: func(t *testing.T) { lab.Build(t, "./cmd/nvad") },
	prepare: prepareNvad,
	start:   func(b *bed) []*process { return []*process{b.Nvad("dut", "nvad")} },
}

func prepareNvad(b *bed, c setup) {
	b.Helper()
	var w strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	p("asn = %d\nrouter-id = %q", dutASN, dutID)
	for _, n := range c.neighbors {
		p("[[neighbor]]\naddress = %q\nremote-asn = %d\nmaximum-prefix = 0\nimport = \"accept\"\nexport = \"deny\"", n.address, n.asn)
		if ms := c.bfd.Milliseconds(); ms > 0 {
			p("bfd = { min-tx = %d, min-rx = %d, multiplier = 3 }", ms, ms)
		}
	}
	b.Write("nvad.toml", w.String())
}
