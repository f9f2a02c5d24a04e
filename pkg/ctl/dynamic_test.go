package ctl

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/speaker"
)

// Dynamic neighbors are marked in the table, and the ranges follow, also when nobody has
// connected yet.
func TestDynamicNeighbors(t *testing.T) {
	scaleSet := netip.MustParsePrefix("10.1.0.0/24")
	d := &apitest.Daemon{Listen: []engine.Range{{Prefix: scaleSet, PeerGroup: "nva", Limit: 100}}}
	socket := serve(t, d)
	for _, want := range []string{"No neighbor is there.", "\n* listen-range 10.1.0.0/24 (peer-group nva): 0 established, 0 of 100 places taken\n"} {
		if r := nvactl(t, socket, "neighbors"); r.code != 0 || !strings.Contains(r.out, want) {
			t.Errorf("%q is not in\n%s%s", want, r.out, r.err)
		}
	}
	d = &apitest.Daemon{
		Peers: []api.Neighbor{{NeighborStatus: engine.NeighborStatus{NeighborSample: engine.NeighborSample{
			Address: netip.MustParseAddr("10.1.0.7"), PeerGroup: "nva", Range: scaleSet, RemoteASN: 65010, State: speaker.EstablishedState,
		}}}},
		Listen: []engine.Range{{Prefix: scaleSet, PeerGroup: "nva", Limit: 100, Places: 2, Established: 1, Refused: 1}},
	}
	socket = serve(t, d)
	for _, c := range []struct{ args, want string }{
		{"neighbors", "\n*10.1.0.7 "},
		{"neighbors", "\n* listen-range 10.1.0.0/24 (peer-group nva): 1 established, 2 of 100 places taken, 1 connection refused\n"},
		{"neighbors 10.1.0.7", "10.1.0.0/24 (dynamic neighbor)\n"},
		{"neighbors -o json", `"listen_range": "10.1.0.0/24"`},
	} {
		if r := nvactl(t, socket, strings.Fields(c.args)...); r.code != 0 || !strings.Contains(r.out, c.want) {
			t.Errorf("nvactl %s: %q is not in\n%s%s", c.args, c.want, r.out, r.err)
		}
	}
}
