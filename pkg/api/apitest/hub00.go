package apitest

import (
	"net"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/bmp"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/tunnel"
)

// Now is the time of the pictures.
var Now = time.Date(2024, 5, 17, 12, 0, 0, 0, time.UTC)

var (
	rs0 = netip.MustParseAddr("10.0.210.4")
	rs1 = netip.MustParseAddr("10.0.210.5")
	far = netip.MustParseAddr("169.254.0.2")
)

func ago(hours, minutes, seconds int) time.Time {
	return Now.Add(-time.Duration(hours)*time.Hour - time.Duration(minutes)*time.Minute - time.Duration(seconds)*time.Second)
}

// Hub00 is the NVA of the hub 10.0.0.0/16, once both Route Server instances and the NVA
// of the far hub are established.
func Hub00() *Daemon {
	return &Daemon{
		At: api.Status{
			Host: "vm-hub00", Time: Now,
			Status: engine.Status{
				ASN: 65001, RouterID: netip.MustParseAddr("10.0.0.4"), Since: ago(0, 36, 35),
				Neighbors: 3, Established: 3, Prefixes: 3, Paths: 5, InSync: true,
				Memory: engine.MemoryStatus{InUse: 14 << 20, Budget: 1800 << 20},
			},
			FIB: fib.Tally{Wanted: 5, Installed: 4}, Tunnels: 1, TunnelsUp: 1, TunnelPeers: 1, TunnelPeersUp: 1,
			Stations: []bmp.Status{{
				Station:   bmp.Station{Address: netip.MustParseAddrPort("10.0.0.9:1790"), Policy: bmp.Both},
				Connected: true, Since: ago(0, 30, 0), Connections: 1, Messages: 41, Octets: 5 << 10,
			}},
		},
		TOML:       "asn       = 65001\nrouter-id = \"10.0.0.4\"\n",
		Peers:      hub00Neighbors(),
		Tables:     hub00Tables(),
		Kernel:     hub00FIB(),
		Devices:    hub00Tunnels(),
		Interfaces: links(),
		Versions:   versions(), File: "/etc/nvad/nvad.toml",
		Changes: []config.Change{
			{Object: "neighbor 10.0.210.4", What: "hold-time 180s -> 60s", Impact: config.SessionReset},
			{Object: "neighbor 10.0.210.5", What: "hold-time 180s -> 60s", Impact: config.SessionReset},
			{Object: "prefix-list rs-hub00", What: "changed", Impact: config.SoftRefresh},
		},
		Cautions: api.Cautions{New: 1, Warnings: []config.Warning{
			{File: "/etc/nvad/nvad.toml", Line: 31, Key: "prefix-list.from-spokes", Code: "unused", Msg: "is used by nothing"},
			{File: "/etc/nvad/nvad.toml", Line: 12, Key: "neighbor.10.0.210.4.address", Code: "one-instance",
				Msg: "only one of the two instances of Route Server 10.0.210.0 is a neighbor: half of the traffic is lost; add the other instance"},
		}},
	}
}

func hub00Neighbors() []api.Neighbor {
	rs := api.Neighbor{NeighborStatus: engine.NeighborStatus{
		NeighborSample: engine.NeighborSample{
			Address: rs0, PeerGroup: "route-server", RemoteASN: 65515,
			State: speaker.EstablishedState, Since: ago(0, 23, 27),
			Stats: speaker.Stats{In: speaker.Messages{Open: 1, Update: 4, Keepalive: 27}, Out: speaker.Messages{Open: 1, Update: 2, Keepalive: 26}, Established: 1},
			Session: speaker.Established{
				LocalAddress: netip.MustParseAddr("10.0.0.4"), RemoteID: rs0,
				HoldTime: 180 * time.Second, Keepalive: 60 * time.Second, Families: route.IPv4,
				Capabilities: []string{"multiprotocol ipv4 unicast", "route refresh", "4-octet AS number"},
			},
			Counts: rib.Counts{Received: 3, Accepted: 2, Advertised: 1}, MaxPrefix: 4000,
		},
		Description: "Route Server, instance 0", Domain: "ars-hub00", LocalASN: 65001,
		ImportPolicy: "accept; deny paths with a reserved ASN",
		ExportPolicy: "prefix-list rs-hub00, then route-map to-azure",
		Settings:     map[string]string{"ebgp-multihop": "255"},
	}}
	second := rs
	second.Address, second.Session.RemoteID, second.Description = rs1, rs1, "Route Server, instance 1"
	second.Counts.Received = 2
	nva := api.Neighbor{NeighborStatus: engine.NeighborStatus{
		NeighborSample: engine.NeighborSample{
			Address: far, PeerGroup: "nva", RemoteASN: 65001,
			State: speaker.EstablishedState, Since: ago(0, 8, 25), Flaps: 1,
			Stats: speaker.Stats{In: speaker.Messages{Open: 1, Update: 3, Keepalive: 37}, Out: speaker.Messages{Open: 1, Update: 3, Keepalive: 36}, Established: 2,
				Malformed: speaker.MalformedCounts{
					ByAction: [speaker.Actions]uint64{speaker.AttributeDiscard: 1, speaker.TreatAsWithdraw: 2},
					ByClass:  [speaker.Classes]uint64{speaker.WrongLength: 2, speaker.WrongFlags: 1},
				}},
			Session: speaker.Established{
				LocalAddress: netip.MustParseAddr("169.254.0.1"), RemoteID: netip.MustParseAddr("10.10.0.4"),
				HoldTime: 90 * time.Second, Keepalive: 30 * time.Second, Families: route.IPv4,
				Capabilities: []string{"multiprotocol ipv4 unicast", "route refresh", "graceful restart", "4-octet AS number"},
				GracefulPeer: route.IPv4, PeerRestart: 120 * time.Second,
			},
			Counts: rib.Counts{Received: 1, Accepted: 1, Advertised: 1},
		},
		Description: "vm-hub10", LocalASN: 65001, LastDown: ago(0, 8, 31),
		Reason:        "hold timer expired (sent Hold Timer Expired)",
		LastMalformed: "treated as withdrawn: COMMUNITIES has 3 octets (RFC 7606 7.8)", MalformedAt: ago(0, 3, 4),
		EndOfRIB:     route.IPv4,
		ImportPolicy: "accept everything", ExportPolicy: "prefix-list vm-hub10",
		Settings: map[string]string{"next-hop-self": "true"},
	}}
	nva.BFD = &bfd.Status{
		State: bfd.Up, RemoteState: bfd.Up, Key: bfd.Key{Local: netip.MustParseAddr("169.254.0.1")}, Since: ago(0, 8, 25),
		DetectionTime: 900 * time.Millisecond, TxInterval: 300 * time.Millisecond, RxInterval: 300 * time.Millisecond,
		Multiplier: 3, RemoteMultiplier: 3, Flaps: 1, LastDown: "nothing received for 900ms",
		PacketsIn: 1961, PacketsOut: 1964, Authenticated: true,
		Refused: 4, LastRefused: "authentication hash does not fit",
	}
	return []api.Neighbor{rs, second, nva}
}

func attrs(nextHop netip.Addr, path ...uint32) *route.Attrs {
	return &route.Attrs{ASPath: route.NewASPath(path...), NextHop: nextHop}
}

// internal returns attrs with the attributes that iBGP adds.
func internal(a *route.Attrs) *route.Attrs {
	b := *a
	b.LocalPref = route.Some(100)
	return &b
}

func path(prefix string, from netip.Addr, a *route.Attrs, age time.Time) engine.Path {
	return engine.Path{Path: rib.Path{Prefix: netip.MustParsePrefix(prefix), Neighbor: from, Valid: true, At: age}, Attrs: a}
}

func hub00Tables() map[engine.Table][]engine.Path {
	const hub, onPrem, remote = "10.0.0.0/16", "10.100.0.0/16", "10.110.0.0/16"
	gateway := []string{"via 10.0.0.1 dev eth0"}
	accepted := []engine.Path{
		path(hub, rs0, attrs(rs0, 65515), ago(0, 23, 27)),
		path(hub, rs1, attrs(rs1, 65515), ago(0, 23, 27)),
		path(onPrem, rs0, attrs(rs0, 65515, 12076, 65515), ago(0, 8, 26)),
		path(onPrem, rs1, attrs(rs1, 65515, 12076, 65515), ago(0, 8, 26)),
		path(remote, far, internal(attrs(far, 65515, 12076, 65515)), ago(0, 8, 25)),
	}
	for i := range accepted {
		p := &accepted[i]
		p.Forwards = true
		p.Best = i%2 == 0
		p.Multipath = i < 4
		p.NextHops = gateway
		if !p.Best {
			p.Reason = "router ID 10.0.210.5 is higher than 10.0.210.4"
		}
	}
	last := &accepted[4]
	last.Internal, last.NextHops = true, []string{"via 169.254.0.2 dev vxlan0"}
	last.Advertised = []netip.Addr{rs0, rs1}
	accepted[0].Advertised = []netip.Addr{}
	accepted[2].Advertised = []netip.Addr{far}

	bogon := path("10.200.0.0/16", rs0, attrs(rs0, 65515, 12076, 64496), ago(0, 23, 27))
	bogon.Valid = false
	bogon.Reason = "deny-asns reserved: AS 64496 in the path"
	replaced := path(remote, rs0, attrs(netip.MustParseAddr("10.0.0.4"), 65001, 65001, 65001, 65001), ago(0, 8, 25))
	replaced.Best = true
	tables := map[engine.Table][]engine.Path{
		engine.LocRIB:           accepted,
		engine.AdjRIBInAccepted: accepted,
		engine.AdjRIBIn:         append(append([]engine.Path{}, accepted...), bogon),
		engine.AdjRIBInRejected: {bogon},
		engine.AdjRIBOut:        {replaced},
	}
	return tables
}

// Links of the pictures, by their index.
const (
	eth0 = 2 + iota
	vxlan0
)

func links() []fib.Link {
	prefix := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	return []fib.Link{
		{Index: 1, Name: "lo", Up: true, MTU: 65536, Addresses: prefix("127.0.0.1/8")},
		{Index: eth0, Name: "eth0", Up: true, MTU: 1500, Addresses: prefix("10.0.0.4/24")},
		{Index: vxlan0, Name: "vxlan0", Up: true, MTU: 1450, Addresses: prefix("169.254.0.1/24")},
	}
}

func hop(via, device string) []fib.Hop {
	return []fib.Hop{{Via: netip.MustParseAddr(via), Device: device, Weight: 1}}
}

func installed(prefix, protocol string, hops []fib.Hop, since time.Time) api.FIBRoute {
	return api.FIBRoute{Status: fib.Status{
		Prefix: netip.MustParsePrefix(prefix), Protocol: protocol, Metric: 20, Hops: hops, State: fib.Installed, Since: since,
	}}
}

func hub00FIB() []api.FIBRoute {
	list := []api.FIBRoute{
		installed("10.0.0.0/16", "bgp", hop("10.0.0.1", "eth0"), ago(0, 23, 27)),
		installed("10.0.210.0/24", "static", hop("10.0.0.1", "eth0"), ago(0, 36, 35)),
		installed("10.10.0.0/16", "bgp", hop("169.254.0.2", "vxlan0"), ago(0, 8, 25)),
		installed("10.100.0.0/16", "bgp", hop("10.0.0.1", "eth0"), ago(0, 8, 26)),
		installed("10.110.0.0/16", "bgp", hop("169.254.0.2", "vxlan0"), ago(0, 8, 25)),
	}
	list[2].State, list[2].Reason = fib.Refused, "would send 10.10.0.4, a remote of tunnel vxlan0, into the tunnel itself"
	list[3].Backup = hop("169.254.0.2", "vxlan0")
	return list
}

func hub00Tunnels() []api.Tunnel {
	remote := netip.MustParseAddr("10.10.0.4")
	return []api.Tunnel{{
		Status: tunnel.Status{
			Tunnel: tunnel.Tunnel{Name: "vxlan0", VNI: 77, Remotes: []netip.Addr{remote}, Port: 4789},
			State:  "up", Underlay: "eth0", Source: netip.MustParseAddr("10.0.0.4"), Actual: 1450,
			MAC:       net.HardwareAddr{0x9a, 0x5f, 0x72, 0x27, 0x62, 0x4b},
			Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")},
			Stats:     tunnel.Stats{RxPackets: 1284, TxPackets: 1301, RxBytes: 108562, TxBytes: 110241},
		},
		FDB: []tunnel.Entry{
			{MAC: make(net.HardwareAddr, 6), Remote: remote, Permanent: true},
			{MAC: net.HardwareAddr{0x12, 0x65, 0x71, 0x58, 0x64, 0x64}, Remote: remote, Permanent: true, Addresses: []netip.Addr{far}},
		},
		Peers: []api.TunnelPeer{{Remote: remote, Neighbor: far, Up: true, By: "bfd"}},
	}}
}
