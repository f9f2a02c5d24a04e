package apitest

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Now is the moment at which the pictures were taken.
var Now = time.Date(2024, 5, 17, 12, 0, 0, 0, time.UTC)

var (
	rs0 = netip.MustParseAddr("10.0.210.4")
	rs1 = netip.MustParseAddr("10.0.210.5")
	far = netip.MustParseAddr("169.254.0.2")
)

func ago(hours, minutes, seconds int) time.Time {
	return Now.Add(-time.Duration(hours)*time.Hour - time.Duration(minutes)*time.Minute - time.Duration(seconds)*time.Second)
}

// Hub00 is the NVA of the hub 10.0.0.0/16, once both Route Server instances and
// the NVA of the far hub are established.
func Hub00() *Daemon {
	return &Daemon{
		At: api.Status{
			Host: "vm-hub00",
			Status: engine.Status{
				ASN: 65001, RouterID: netip.MustParseAddr("10.0.0.4"), Since: ago(0, 36, 35),
				Neighbors: 3, Established: 3, Prefixes: 3, Paths: 5, InSync: true,
				Memory: engine.MemoryView{InUse: 14 << 20, Budget: 1800 << 20},
			},
			FIBWanted: 5, FIBInstalled: 4, Tunnels: 1, TunnelsUp: 1, TunnelPeers: 1, TunnelPeersUp: 1,
		},
		TOML:    "asn       = 65001\nrouter-id = \"10.0.0.4\"\n",
		Peers:   hub00Neighbors(),
		Tables:  hub00Tables(),
		Kernel:  hub00FIB(),
		Devices: hub00Tunnels(),
		Rules: []nat.Status{
			{Chain: "prerouting", Rule: nat.Rule{Why: "dnat tcp 8080", In: "eth0", Protocol: nat.TCP, Ports: nat.Ports{Low: 8080, High: 8080}, Do: nat.DestinationTo,
				To: nat.Endpoint{Addr: netip.MustParseAddr("10.100.0.4"), Ports: nat.Ports{Low: 80, High: 80}}}, Hits: nat.Hits{Packets: 12, Bytes: 720}},
			{Chain: "postrouting", Rule: nat.Rule{Why: "masquerade eth0", Out: "eth0", Do: nat.Jump, Chain: "masquerade-1"}, Missing: true},
			{Chain: "masquerade-1", Rule: nat.Rule{Why: "masquerade eth0", Do: nat.MasqueradeSource}, Hits: nat.Hits{Packets: 1234567890, Bytes: 1234567890123}},
			{Chain: "forward", Rule: nat.Rule{Why: "mss-clamp vxlan0", Out: "vxlan0", Protocol: nat.TCP, Do: nat.ClampSize}, Hits: nat.Hits{Packets: 3, Bytes: 180}},
		},
		Interfaces: []fib.Link{
			{Index: 1, Name: "lo", Up: true, MTU: 65536, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}},
			{Index: 2, Name: "eth0", Up: true, MTU: 1500, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.4/24")}},
			{Index: 3, Name: "vxlan0", Up: true, MTU: 1450, Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")}},
		},
		Effect:   hub00Effect(),
		Stories:  hub00Stories(),
		Ways:     hub00Ways(),
		Versions: versions(), File: "/etc/nvad/nvad.toml",
		Changes: []api.Change{
			{What: "neighbor 10.0.210.4: hold-time 180s -> 60s", Impact: "session reset"},
			{What: "neighbor 10.0.210.5: hold-time 180s -> 60s", Impact: "session reset"},
			{What: "prefix-list rs-hub00", Impact: "soft refresh"},
		},
		Cautions: api.Cautions{New: 1, Warnings: []config.Warning{
			{File: "/etc/nvad/nvad.toml", Line: 31, Key: "prefix-list.from-spokes", Code: "unused", Msg: "is used by nothing"},
			{File: "/etc/nvad/nvad.toml", Line: 12, Key: "neighbor.10.0.210.4.address", Code: "one-instance",
				Msg: "only one of the two instances of Route Server 10.0.210.0 is a neighbor, so that half of the traffic is lost; add the other one"},
		}},
	}
}

func hub00Neighbors() []engine.NeighborView {
	rs := engine.NeighborView{
		Address: rs0, Description: "Route Server, instance 0", PeerGroup: "route-server", Domain: "ars-hub00",
		RemoteASN: 65515, LocalASN: 65001, LocalAddress: netip.MustParseAddr("10.0.0.4"), RemoteID: rs0,
		State: speaker.EstablishedState, Since: ago(0, 23, 27),
		Stats:    speaker.Stats{In: speaker.Messages{Open: 1, Update: 4, Keepalive: 27}, Out: speaker.Messages{Open: 1, Update: 2, Keepalive: 26}, Established: 1},
		HoldTime: 180 * time.Second, Keepalive: 60 * time.Second, Families: route.IPv4,
		Capabilities: []string{"multiprotocol ipv4 unicast", "route refresh", "4-octet AS number"},
		Received:     3, Accepted: 2, Rejected: 1, Advertised: 1, MaxPrefix: 4000,
		ImportPolicy: "accept; deny paths with a reserved ASN",
		ExportPolicy: "prefix-list rs-hub00, then route-map to-azure",
		Settings:     map[string]string{"ebgp-multihop": "255"},
	}
	second := rs
	second.Address, second.RemoteID, second.Description = rs1, rs1, "Route Server, instance 1"
	second.Received, second.Rejected = 2, 0
	return []engine.NeighborView{rs, second, {
		Address: far, Description: "vm-hub10", PeerGroup: "nva",
		RemoteASN: 65001, LocalASN: 65001, LocalAddress: netip.MustParseAddr("169.254.0.1"),
		RemoteID: netip.MustParseAddr("10.10.0.4"),
		State:    speaker.EstablishedState, Since: ago(0, 8, 25), LastDown: ago(0, 8, 31), Flaps: 1,
		Reason: "hold timer expired (sent Hold Timer Expired)",
		Stats: speaker.Stats{In: speaker.Messages{Open: 1, Update: 3, Keepalive: 37}, Out: speaker.Messages{Open: 1, Update: 3, Keepalive: 36}, Established: 2,
			Malformed: speaker.MalformedCounts{
				ByAction: [speaker.Actions]uint64{speaker.AttributeDiscard: 1, speaker.TreatAsWithdraw: 2},
				ByClass:  [speaker.Classes]uint64{speaker.WrongLength: 2, speaker.WrongFlags: 1},
			}},
		LastMalformed: "treated as withdrawn: COMMUNITIES has 3 octets (RFC 7606 7.8)", MalformedAt: ago(0, 3, 4),
		HoldTime: 90 * time.Second, Keepalive: 30 * time.Second, Families: route.IPv4,
		Capabilities: []string{"multiprotocol ipv4 unicast", "route refresh", "graceful restart", "4-octet AS number"},
		GracefulPeer: route.IPv4, PeerRestart: 120 * time.Second, EndOfRIB: route.IPv4,
		Received: 1, Accepted: 1, Advertised: 1,
		ImportPolicy: "accept everything", ExportPolicy: "prefix-list vm-hub10",
		Settings: map[string]string{"next-hop-self": "true"},
		BFD: &engine.BFDView{
			State: "Up", RemoteState: "Up", Local: netip.MustParseAddr("169.254.0.1"), Since: ago(0, 8, 25),
			Detection: 900 * time.Millisecond, TxInterval: 300 * time.Millisecond, RxInterval: 300 * time.Millisecond,
			Multiplier: 3, RemoteMultiplier: 3, Flaps: 1, LastDown: "nothing received for 900ms",
			PacketsIn: 1961, PacketsOut: 1964, Authenticated: true,
			Refused: 4, LastRefused: "authentication hash does not fit",
		},
	}}
}

func attrs(nextHop netip.Addr, path ...uint32) *route.Attrs {
	return &route.Attrs{ASPath: route.NewASPath(path...), NextHop: nextHop}
}

// internal is attrs with what iBGP adds to them.
func internal(a *route.Attrs) *route.Attrs {
	b := *a
	b.LocalPref = route.Some(100)
	return &b
}

func path(prefix string, from netip.Addr, a *route.Attrs, age time.Time) engine.PathView {
	return engine.PathView{Prefix: netip.MustParsePrefix(prefix), Neighbor: from, Attrs: a, Valid: true, Received: age}
}

func hub00Tables() map[api.RouteKind][]engine.PathView {
	const hub, onPrem, remote = "10.0.0.0/16", "10.100.0.0/16", "10.110.0.0/16"
	gateway := []string{"via 10.0.0.1 dev eth0"}
	accepted := []engine.PathView{
		path(hub, rs0, attrs(rs0, 65515), ago(0, 23, 27)),
		path(hub, rs1, attrs(rs1, 65515), ago(0, 23, 27)),
		path(onPrem, rs0, attrs(rs0, 65515, 12076, 65515), ago(0, 8, 26)),
		path(onPrem, rs1, attrs(rs1, 65515, 12076, 65515), ago(0, 8, 26)),
		path(remote, far, internal(attrs(far, 65515, 12076, 65515)), ago(0, 8, 25)),
	}
	for i := range accepted {
		p := &accepted[i]
		p.FIB = true
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
	tables := map[api.RouteKind][]engine.PathView{
		api.LocRIB:     accepted,
		api.Accepted:   accepted,
		api.Received:   append(append([]engine.PathView{}, accepted...), bogon),
		api.Rejected:   {bogon},
		api.Advertised: {replaced},
	}
	return tables
}

func hub00FIB() []engine.FIBView {
	hop := func(via, device string) []engine.HopView {
		return []engine.HopView{{Via: netip.MustParseAddr(via), Device: device, Weight: 1}}
	}
	prefix := netip.MustParsePrefix
	return []engine.FIBView{
		{Prefix: prefix("10.0.0.0/16"), Class: "bgp", Kind: "unicast", Metric: 20, NextHops: hop("10.0.0.1", "eth0"),
			State: "installed", Since: ago(0, 23, 27)},
		{Prefix: prefix("10.0.210.0/24"), Class: "static", Kind: "unicast", Metric: 20, NextHops: hop("10.0.0.1", "eth0"),
			State: "installed", Since: ago(0, 36, 35)},
		{Prefix: prefix("10.10.0.0/16"), Class: "bgp", Kind: "unicast", Metric: 20, NextHops: hop("169.254.0.2", "vxlan0"),
			State: "refused", Since: ago(0, 8, 25),
			Reason: "would send 10.10.0.4, a remote of tunnel vxlan0, into the tunnel itself"},
		{Prefix: prefix("10.100.0.0/16"), Class: "bgp", Kind: "unicast", Metric: 20, NextHops: hop("10.0.0.1", "eth0"),
			Backup: hop("169.254.0.2", "vxlan0"), State: "installed", Since: ago(0, 8, 26)},
		{Prefix: prefix("10.110.0.0/16"), Class: "bgp", Kind: "unicast", Metric: 20, NextHops: hop("169.254.0.2", "vxlan0"),
			State: "installed", Since: ago(0, 8, 25)},
	}
}

func hub00Tunnels() []engine.TunnelView {
	remote := netip.MustParseAddr("10.10.0.4")
	return []engine.TunnelView{{
		Name: "vxlan0", VNI: 77, Remotes: []netip.Addr{remote}, Device: "eth0",
		Local: netip.MustParseAddr("10.0.0.4"), Port: 4789, MTU: 1450, MAC: "9a:5f:72:27:62:4b",
		Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")}, State: "up",
		RxPackets: 1284, TxPackets: 1301, RxBytes: 108562, TxBytes: 110241,
		FDB: []engine.FDBView{
			{MAC: "00:00:00:00:00:00", Remote: remote, Permanent: true},
			{MAC: "12:65:71:58:64:64", Remote: remote, Permanent: true, Addresses: []netip.Addr{netip.MustParseAddr("169.254.0.2")}},
		},
		Peers: []engine.TunnelPeerView{{Remote: remote, Neighbor: far, Up: true, By: "bfd"}},
	}}
}
