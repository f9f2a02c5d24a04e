package ctl

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/bmp"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/tunnel"
)

var (
	rs0   = netip.MustParseAddr("10.0.210.4")
	rs1   = netip.MustParseAddr("10.0.210.5")
	msee  = netip.MustParseAddr("192.168.0.2")
	long6 = netip.MustParseAddr("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe")
	link6 = netip.MustParseAddr("fd00:10:0:210::4")
)

func ago(hours, minutes, seconds int) time.Time {
	return apitest.Now.Add(-time.Duration(hours)*time.Hour - time.Duration(minutes)*time.Minute - time.Duration(seconds)*time.Second)
}

func attrs(nextHop netip.Addr, path ...uint32) *route.Attrs {
	return &route.Attrs{ASPath: route.NewASPath(path...), NextHop: nextHop}
}

func path(prefix string, from netip.Addr, a *route.Attrs, age time.Time) engine.Path {
	return engine.Path{Path: rib.Path{Prefix: netip.MustParsePrefix(prefix), Neighbor: from, Valid: true, At: age}, Attrs: a}
}

// badDay is a dual-stack edge towards an ExpressRoute circuit with everything that
// makes tables difficult: long addresses, paths and texts, and failures.
func badDay() *apitest.Daemon {
	return &apitest.Daemon{
		At: api.Status{
			Host: "vm-edge01",
			Status: engine.Status{
				ASN: 4200000001, RouterID: netip.MustParseAddr("192.168.0.1"), Since: ago(24*400, 0, 0),
				Neighbors: 3, Established: 1, Prefixes: 1048576, Paths: 1048580, Memory: engine.MemoryStatus{InUse: 1500 << 20, Budget: 1200 << 20, Closings: 2},
				Waiting: []netip.Addr{msee, long6},
				Warnings: []config.Warning{{
					File: "/etc/nvad/nvad.toml", Line: 12, Key: "neighbor.fd00:10:0:210::4.address", Code: "one-instance",
					Msg: "only one of the two instances of Route Server ars is a neighbor: half of the traffic is lost; add the other instance",
				}, {Key: "tunnel.vxlan1", Code: "mtu", Msg: "packets of more than 1322 bytes do not get through"}},
				Drain: engine.Drain{Since: ago(0, 1, 2), Reason: "azure: Reboot; operator: new kernel"},
			},
			FIB: fib.Tally{Wanted: 1048576, Installed: 1048570}, Tunnels: 2, TunnelsUp: 0, TunnelPeers: 2, TunnelPeersUp: 1,
			Stations: []bmp.Status{{
				Station: bmp.Station{Address: netip.MustParseAddrPort("[fd00:10:0:210::9]:11019"), Policy: bmp.Post},
				Since:   ago(3, 0, 1), Reason: "it reads too slowly", Connections: 70, Overflows: 70, Messages: 1 << 33, Octets: 1 << 43,
			}, {
				Station: bmp.Station{Address: netip.MustParseAddrPort("192.168.0.9:1790"), Policy: bmp.Pre},
				Since:   ago(24*40, 0, 0), Reason: "no route to host",
			}},
			Problems: []api.Problem{
				{Kind: "neighbor", Name: msee.String(), Text: "neighbor 192.168.0.2 (MSEE primary) is down: hold timer expired", Since: ago(26, 3, 0)},
				{Kind: "neighbor", Name: long6.String(), Text: "neighbor " + long6.String() + " has never been up: administratively shut down"},
				{Kind: "tunnel", Name: "vxlan1", Text: "tunnel vxlan1 is missing: eth0 does not exist"},
				{Kind: "drain", Text: "no other NVA is known to have the routes of this one"},
			},
			NICs: []nic.Status{
				{NIC: nic.NIC{Device: "eth0", Table: 16800, Gateway: netip.MustParseAddr("10.0.0.1")}, State: "ready",
					Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("10.0.0.5")}},
				{NIC: nic.NIC{Device: "eth1", Table: 16801}, State: "waiting", Reason: "waiting for link eth1"},
				{NIC: nic.NIC{Device: "eth2", Table: 101, Gateway: netip.MustParseAddr("10.0.2.1")}, State: "failed",
					Reason: "add route via 10.0.2.1 in table 101: table 101 has a route of another program to 168.63.129.16"},
			},
		},
		Peers:   badDayNeighbors(),
		Tables:  map[engine.Table][]engine.Path{engine.LocRIB: badDayPaths(), engine.AdjRIBOut: badDayHeld()},
		Kernel:  badDayFIB(),
		Devices: badDayTunnels(),
	}
}

func badDayNeighbors() []api.Neighbor {
	const local = 4200000001
	primary := engine.NeighborStatus{
		NeighborSample: engine.NeighborSample{
			Address: msee, RemoteASN: 12076, State: speaker.Active, Since: ago(0, 0, 42), Flaps: 12,
			Stats:   speaker.Stats{In: speaker.Messages{Open: 1, Update: 1, Keepalive: 8638}, Out: speaker.Messages{Open: 1, Update: 12, Keepalive: 8628}, Queued: 3, Established: 12},
			Session: speaker.Established{HoldTime: 180 * time.Second, Keepalive: 60 * time.Second, Families: route.IPv4 | route.IPv6},
		},
		Description: "MSEE primary", LocalASN: local, LastDown: ago(26, 3, 0),
		Reason: "Cease/Maximum Number of Prefixes Reached: Route Server counts current plus incoming routes, " +
			"limit 4,000 (received)",
		ImportPolicy: "none: everything is denied (RFC 8212)", ExportPolicy: "none: everything is denied (RFC 8212)",
		Settings: map[string]string{"password": "set", "ttl-security": "2"},
	}
	server := engine.NeighborStatus{
		NeighborSample: engine.NeighborSample{
			Address: link6, RemoteASN: 65515, State: speaker.EstablishedState, Since: ago(24*10+3, 0, 0), Stats: speaker.Stats{Established: 1},
			Session:   speaker.Established{LocalAddress: netip.MustParseAddr("fd00:10::4"), RemoteID: rs0, Families: route.IPv6},
			Counts:    rib.Counts{Received: 2097152, Accepted: 1048576, Advertised: 1048575, Stale: 3, Held: 1},
			MaxPrefix: 1048576, MaxPrefixOut: 1048575, Octets: 700 << 20, MemoryClosings: 2,
		},
		Description: "Route Server, instance 0, eastasia, hub00", LocalASN: local, Dropped: 90210,
		Warnings:     []string{"10.0.7.0/24 is not sent to fd00:10:0:210::4: part of its VNet, which Azure ignores"},
		ImportPolicy: "accept everything", ExportPolicy: "accept everything",
	}
	held := engine.NeighborStatus{
		NeighborSample: engine.NeighborSample{Address: long6, RemoteASN: 4200000002, State: speaker.Idle, Shutdown: true,
			Session: speaker.Established{Families: route.IPv6}},
		LocalASN: local, ImportPolicy: "accept everything", ExportPolicy: "accept everything",
	}
	return []api.Neighbor{{NeighborStatus: primary}, {NeighborStatus: server}, {NeighborStatus: held}}
}

// badDayHeld is an Adj-RIB-Out that is full.
func badDayHeld() []engine.Path {
	at := attrs(netip.MustParseAddr("10.0.0.100"), 65001, 65001, 65001)
	sent := path("10.110.0.0/16", msee, at, ago(0, 1, 0))
	sent.Best = true
	held := path("10.120.0.0/24", msee, at, ago(0, 1, 0))
	held.Valid, held.Held, held.Reason = false, true, "held back: maximum-prefix-out 1 reached"
	return []engine.Path{sent, held}
}

func badDayPaths() []engine.Path {
	bomb := path("203.0.113.0/24", msee, attrs(msee), ago(24*2, 5, 0))
	bomb.Attrs.ASPath = route.NewASPath(12076).Prepend(4200000001, 40)
	bomb.Attrs.MED, bomb.Attrs.Origin = route.Some(4294967295), route.OriginIncomplete
	bomb.Attrs.Communities = []route.Community{12076<<16 | 5010, route.NoExport}
	bomb.Attrs.LargeCommunities = []route.LargeCommunity{{Global: 4200000001, Local1: 1, Local2: 2}}
	bomb.Attrs.ExtCommunities = []route.ExtCommunity{route.SiteOfOrigin(65001, 100)}
	bomb.Attrs.Aggregator = route.Aggregator{ASN: 12076, Address: msee}
	bomb.Attrs.AtomicAggregate = true
	bomb.Attrs.OriginatorID, bomb.Attrs.ClusterList = rs0, []netip.Addr{rs1}
	bomb.Attrs.OTC = route.Some(12076)
	bomb.Attrs.Unknown = []route.Unknown{{Flags: 0xe0, Type: 99, Value: "\x01\x02"}}
	bomb.Valid, bomb.Stale, bomb.Weight = false, true, 100
	bomb.Reason = "next hop 192.168.0.2 does not resolve"

	local := path("203.0.113.0/24", netip.Addr{}, &route.Attrs{}, time.Time{})
	local.Source, local.Best, local.Weight = route.SourceNetwork, true, 32768
	local.Reason = "highest weight"

	six := path("2001:db8:100:200::/56", link6, attrs(link6, 65515), ago(1, 2, 3))
	six.Best, six.Forwards = true, true
	host := path("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128", long6, attrs(long6, 65515, 12076, 4200000002, 4200000003, 64580), ago(1, 2, 3))
	host.Attrs.MED, host.Attrs.LocalPref = route.Some(10), route.Some(100)
	host.Best, host.Internal = true, true
	return []engine.Path{local, bomb, six, host}
}

func badDayFIB() []api.FIBRoute {
	route := func(prefix, protocol string, state fib.State, since time.Time, hops ...fib.Hop) fib.Status {
		return fib.Status{Prefix: netip.MustParsePrefix(prefix), Protocol: protocol, State: state, Since: since, Hops: hops}
	}
	fallback := route("0.0.0.0/0", "bgp", fib.Refused, ago(0, 0, 1), fib.Hop{Via: msee, Device: "bond0.1000"})
	fallback.Metric, fallback.Reason = 20, "a default route is installed only with allow-default = true"
	hole := route("192.168.100.0/24", "static", fib.Installed, ago(24*400, 0, 0))
	hole.Kind = fib.Blackhole
	three := route("203.0.113.0/24", "bgp", fib.Pending, ago(0, 0, 3), fib.Hop{Via: msee, Device: "bond0.1000", Weight: 1},
		fib.Hop{Via: netip.MustParseAddr("192.168.0.6"), Device: "bond0.1001", Weight: 2}, fib.Hop{Device: "wg0"})
	failed := route("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128", "bgp", fib.Failed, ago(30, 0, 0), fib.Hop{Via: long6, Device: "enP12345s1np0"})
	failed.Reason = "the kernel answered: network is unreachable; next attempt in 30 s"
	return []api.FIBRoute{{Status: fallback}, {Status: hole}, {Status: three}, {Status: failed}}
}

func badDayTunnels() []api.Tunnel {
	return []api.Tunnel{
		{
			Status: tunnel.Status{
				Tunnel: tunnel.Tunnel{Name: "vxlan0", VNI: 16777215, Port: 4789,
					Remotes: []netip.Addr{netip.MustParseAddr("10.10.0.4"), netip.MustParseAddr("10.10.0.5")}},
				State: "failed", Underlay: "eth0", Actual: 1450,
				Reason:    "a link of this name exists with vni 78; remove it, or give the tunnel another name",
				Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24"), netip.MustParsePrefix("fd00::1/64")},
				Warning:   "packets of more than 1350 bytes do not get through: MTU 1450 needs 1500 on eth0, which has 1400",
			},
			Peers: []api.TunnelPeer{
				{Remote: netip.MustParseAddr("10.10.0.4"), Neighbor: netip.MustParseAddr("169.254.0.2"), By: "bfd"},
				{Neighbor: netip.MustParseAddr("169.254.0.3"), Up: true, By: "bgp"},
			},
			Dropped: []nat.DropCount{
				{Reason: nat.Impostor, Hits: nat.Hits{Packets: 4, Bytes: 312}},
				{Reason: nat.Stranger, Hits: nat.Hits{Packets: 1234567890, Bytes: 123456789012}},
			},
		},
		{
			Status: tunnel.Status{Tunnel: tunnel.Tunnel{Name: "vxlan1", VNI: 78, Port: 4789, Group: netip.MustParseAddr("239.1.1.1")},
				Underlay: "eth0", State: "missing", Reason: "eth0 does not exist"},
			Unguarded: true,
		},
	}
}
