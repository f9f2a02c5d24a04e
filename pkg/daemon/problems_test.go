package daemon

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/tunnel"
)

func neighbor(a netip.Addr, s speaker.State) api.Neighbor {
	return api.Neighbor{NeighborStatus: engine.NeighborStatus{NeighborSample: engine.NeighborSample{Address: a, State: s}}}
}

func tun(name, state, reason string, peers ...api.TunnelPeer) api.Tunnel {
	return api.Tunnel{Status: tunnel.Status{Tunnel: tunnel.Tunnel{Name: name}, State: state, Reason: reason}, Peers: peers}
}

func wantProblems(t *testing.T, got []api.Problem, want []string) {
	t.Helper()
	for i, p := range got {
		if i >= len(want) || !strings.HasPrefix(p.Text, want[i]) {
			t.Errorf("unexpected: %+v", p)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d problems, want %d", len(got), len(want))
	}
}

// Each thing that is wrong is listed, and nothing else.
func TestProblems(t *testing.T) {
	addr := netip.MustParseAddr
	rs0, rs1, far := addr("10.0.210.4"), addr("10.0.210.5"), addr("169.254.0.2")
	cfg := &config.Config{ASN: 65001}
	for _, a := range []netip.Addr{rs0, rs1} {
		cfg.Neighbors = append(cfg.Neighbors, config.Neighbor{Address: a, Settings: config.Settings{RemoteASN: 65515, EBGPMultihop: 255, Domain: "ars-hub00"}})
	}
	up := speaker.EstablishedState
	down := time.Now()

	lost := neighbor(rs1, speaker.Active)
	lost.Description, lost.Reason, lost.LastDown = "instance 1", "hold timer expired", down

	for name, tt := range map[string]struct {
		status    engine.Status
		neighbors []api.Neighbor
		tunnels   []api.Tunnel
		want      []string
	}{
		"well": {
			neighbors: []api.Neighbor{neighbor(rs0, up), neighbor(rs1, up), neighbor(far, up)},
			tunnels:   []api.Tunnel{tun("vxlan0", "up", "", api.TunnelPeer{Neighbor: far, Up: true})},
			status:    engine.Status{Alone: true}, // of no account without a drain
		},
		"an instance is down": {
			neighbors: []api.Neighbor{neighbor(rs0, up), lost},
			want: []string{
				"neighbor 10.0.210.5 (instance 1) is down: hold timer expired",
				"only one instance of Route Server ars-hub00 is established, 10.0.210.4 (2 configured): Azure drops half of the traffic",
			},
		},
		"never up, no reason": {
			neighbors: []api.Neighbor{neighbor(far, speaker.Connect)},
			want:      []string{"neighbor 169.254.0.2 has never been up: state Connect"},
		},
		"tunnels up in vain": {
			tunnels: []api.Tunnel{
				tun("vxlan0", "up", "", api.TunnelPeer{Neighbor: far, Remote: addr("10.10.0.4"), By: "bfd"}),
				tun("vxlan1", "up", "", api.TunnelPeer{Neighbor: rs0, Up: true}, api.TunnelPeer{Neighbor: rs1, By: "bgp"}),
				tun("vxlan2", "missing", "eth0 does not exist"),
				tun("vxlan3", "up", ""), // static routes alone
			},
			want: []string{
				"tunnel vxlan0 is up, but none of its peers answers: 169.254.0.2 at 10.10.0.4 (bfd)",
				"tunnel vxlan1: 1 of 2 peers are dead: 10.0.210.5 (bgp)",
				"tunnel vxlan2 is missing: eth0 does not exist",
			},
		},
		"no way out, and a drain alone": {
			status: engine.Status{NoWayOut: true, Alone: true, Drain: engine.Drain{Since: down}},
			want:   []string{"the kernel has no default route: ", "no other NVA is known to have the routes of this one: "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantProblems(t, problems(cfg, &tt.status, tt.neighbors, tt.tunnels), tt.want)
		})
	}
}
