package tunnel_test

import (
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/tunnel"
)

func TestPathTooNarrow(t *testing.T) {
	for _, tt := range []struct {
		name  string
		mtu   int
		paths map[netip.Addr]tunnel.Path
		want  string
	}{
		{"derived", 0, nil, ""},
		{"small", 1400, map[netip.Addr]tunnel.Path{remote5: {MTU: 1450}}, ""},
		{"larger than the link carries", 1500, nil,
			"packets of more than 1450 bytes do not get through: MTU 1500 needs 1550 on eth0, which has 1500"},
		{"larger than one path carries", 0, map[netip.Addr]tunnel.Path{remote4: {MTU: 1500}, remote5: {MTU: 1400}},
			"packets of more than 1350 bytes do not get through: MTU 1450 needs 1500 on the path to 10.10.0.5, which carries 1400"},
	} {
		k := newKernel()
		k.Paths = tt.paths
		m := tunnel.New(k)
		wanted := vxlan0(remote4, remote5)
		wanted.MTU = tt.mtu
		m.SetWanted([]tunnel.Tunnel{wanted})
		sync(t, m, t0)
		if got := m.Status()[0].Warning; got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
