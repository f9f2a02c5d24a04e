package ctl

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/tunnel"
)

const oldTunnel = `asn = 65001
router-id = "10.0.0.4"

[[tunnel]]
name = "wg0"
type = "wireguard"
public-key = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
endpoint = "10.10.0.4:51820"
address = "169.254.0.1/30"

[peer-group.hub]
neighbors = ["169.254.0.2"]
remote-asn = 65001
next-hop-self = true
`

const newTunnel = `
[[tunnel]]
name = "wg0k2"
type = "wireguard"
public-key = "L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q="
endpoint = "10.10.0.4:51821"
listen-port = 51821
address = "169.254.0.5/30"

[[neighbor]]
address = "169.254.0.6"
peer-group = "hub"
`

// TestRotate prints each step of a rotation.
func TestRotate(t *testing.T) {
	peer := tunnel.NewPrivate([32]byte{7}).Public().String()
	begin := []string{"tunnels", "rotate", "wg0"}
	for _, c := range []struct {
		name, file string
		args       []string
		old, fresh speaker.State
		routes     int // of the new session; the old one has 2
		device     string
	}{
		{name: "exchange", file: oldTunnel, old: speaker.EstablishedState},
		{name: "configure", file: oldTunnel, args: []string{"--peer", peer + "@51821", "--subnet", "169.254.0.4/30"}, old: speaker.EstablishedState},
		{name: "wait", file: oldTunnel + newTunnel, old: speaker.EstablishedState, fresh: speaker.Connect},
		{name: "fewer", file: oldTunnel + newTunnel, old: speaker.EstablishedState, fresh: speaker.EstablishedState, routes: 1},
		{name: "shutdown", file: oldTunnel + newTunnel, old: speaker.EstablishedState, fresh: speaker.EstablishedState, routes: 2},
		{name: "drain", file: oldTunnel + newTunnel, fresh: speaker.EstablishedState, routes: 2, device: "wg0"},
		{name: "remove", file: oldTunnel + newTunnel, fresh: speaker.EstablishedState, routes: 2, device: "wg0k2"},
		{name: "done", file: strings.NewReplacer(`"wg0"`, `"wg0k2"`, "0.1/30", "0.5/30", "0.2", "0.6").Replace(oldTunnel), fresh: speaker.EstablishedState},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &apitest.Daemon{TOML: c.file, Devices: wireguardTunnels()[1:2]}
			d.Devices[0].Name = "wg0k2"
			d.Peers = []api.Neighbor{rotating("169.254.0.2", c.old, 2), rotating("169.254.0.6", c.fresh, c.routes)}
			if c.device != "" {
				d.Kernel = []api.FIBRoute{{Status: fib.Status{Prefix: netip.MustParsePrefix("10.110.0.0/16"), Hops: []fib.Hop{{Device: c.device}}}}}
			}
			show(t, serve(t, d), "rotate-"+c.name, append(begin, c.args...)...)
		})
	}
}

func rotating(addr string, state speaker.State, routes int) api.Neighbor {
	return api.Neighbor{NeighborStatus: engine.NeighborStatus{NeighborSample: engine.NeighborSample{
		Address: netip.MustParseAddr(addr), State: state, Counts: rib.Counts{Accepted: routes, Advertised: routes},
	}}}
}

func TestRotateRefused(t *testing.T) {
	d := &apitest.Daemon{TOML: oldTunnel}
	socket := serve(t, d)
	key := tunnel.NewPrivate([32]byte{24}).Public().String() // the fake's own
	for args, want := range map[string]string{
		"wg7":                                           `no tunnel "wg7" is configured`,
		"wg0 --peer x@1":                                `--peer "x@1": want KEY@PORT`,
		"wg0 --peer " + key:                             "want KEY@PORT",
		"wg0 --peer " + key + "@70000":                  "want KEY@PORT",
		"wg0 --peer " + key + "@51821":                  "--peer needs --subnet",
		"wg0 --subnet 169.254.0.4":                      "is no prefix",
		"wg0 --subnet 169.254.0.0/30":                   "overlaps tunnel wg0",
		"wg0 --peer " + key + "@1 --subnet 10.0.0.0/30": "--peer has this NVA's own key",
	} {
		if r := nvactl(t, socket, append([]string{"tunnels", "rotate"}, strings.Fields(args)...)...); r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%s: %+v, want %q", args, r, want)
		}
	}
}
