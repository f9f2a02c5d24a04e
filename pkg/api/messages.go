package api

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/bmp"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func convert[A any, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}

// text is the canonical form of an address or prefix; empty for the zero value.
func text[T interface {
	IsValid() bool
	String() string
}](v T) string {
	if !v.IsValid() {
		return ""
	}
	return v.String()
}

// printable makes s valid UTF-8. It may contain text that a neighbor sent, and one
// invalid string would make gRPC refuse the whole answer.
func printable(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func seconds(d time.Duration) uint32 { return uint32(d / time.Second) }

func families(f route.Family) []string {
	var out []string
	for _, one := range []route.Family{route.IPv4, route.IPv6} {
		if f.Has(one) {
			out = append(out, one.String())
		}
	}
	return out
}

func optional(o route.Optional) *uint32 {
	if !o.Set {
		return nil
	}
	return &o.Value
}

func statusMessage(s Status) *nvadv1.Status {
	return &nvadv1.Status{
		Host:         printable(s.Host),
		Time:         stamp(s.Time),
		Asn:          s.ASN,
		RouterId:     text(s.RouterID),
		Since:        stamp(s.Since),
		Neighbors:    uint32(s.Neighbors),
		Established:  uint32(s.Established),
		Prefixes:     uint32(s.Prefixes),
		Paths:        uint32(s.Paths),
		InSync:       s.InSync,
		WaitingFor:   convert(s.Waiting, text[netip.Addr]),
		FibWanted:    uint32(s.FIB.Wanted),
		FibInstalled: uint32(s.FIB.Installed),
		Tunnels:      uint32(s.Tunnels),
		TunnelsUp:    uint32(s.TunnelsUp),
		Config:       configStateMessage(s.Config),

		Warnings: convert(s.Warnings, warningMessage),
		Nics:     convert(s.NICs, nicMessage),
		Memory:   &nvadv1.Memory{InUse: s.Memory.InUse, Budget: s.Memory.Budget, Closings: s.Memory.Closings},

		Problems: convert(s.Problems, func(p Problem) *nvadv1.Problem {
			return &nvadv1.Problem{Kind: p.Kind, Name: printable(p.Name), Text: printable(p.Text), Since: stamp(p.Since)}
		}),
		Unhealthy:     convert(s.Unhealthy, printable),
		TunnelPeers:   uint32(s.TunnelPeers),
		TunnelPeersUp: uint32(s.TunnelPeersUp),
		Azure:         azureState(s.Azure),
		Stations:      convert(s.Stations, stationMessage),

		DrainingSince:  stamp(s.Drain.Since),
		DrainingReason: printable(s.Drain.Reason),
	}
}

func nicMessage(n nic.Status) *nvadv1.Nic {
	return &nvadv1.Nic{
		Device: printable(n.Device), Table: n.Table, Gateway: text(n.Gateway), State: n.State, Reason: printable(n.Reason),
		Addresses: convert(n.Addresses, text[netip.Addr]),
	}
}

func stationMessage(s bmp.Status) *nvadv1.Station {
	return &nvadv1.Station{
		Address: s.Address.String(), Policy: s.Policy.String(), Connected: s.Connected, Since: stamp(s.Since), Reason: printable(s.Reason),
		Connections: s.Connections, Overflows: s.Overflows, MessagesSent: s.Messages, BytesSent: s.Octets, BytesWaiting: uint64(s.Waiting),
	}
}

func warningMessage(w config.Warning) *nvadv1.Warning {
	return &nvadv1.Warning{File: printable(w.File), Line: uint32(w.Line), Key: printable(w.Key), Code: w.Code, Text: printable(w.Msg)}
}

func neighborMessage(n Neighbor) *nvadv1.Neighbor {
	return &nvadv1.Neighbor{
		Address:            text(n.Address),
		RemoteAsn:          n.RemoteASN,
		Description:        n.Description,
		Warnings:           n.Warnings,
		State:              n.State.String(),
		Since:              stamp(n.Since),
		Reason:             printable(n.Reason),
		Shutdown:           n.Shutdown,
		Received:           uint32(n.Counts.Received),
		Accepted:           uint32(n.Counts.Accepted),
		Rejected:           uint32(n.Counts.Received - n.Counts.Accepted),
		Stale:              uint32(n.Counts.Stale),
		Advertised:         uint32(n.Counts.Advertised),
		MaxPrefix:          uint32(n.MaxPrefix),
		MaxPrefixOut:       uint32(n.MaxPrefixOut),
		HeldBack:           uint32(n.Counts.Held),
		MemoryOctets:       n.Octets,
		Dropped:            n.Dropped,
		MemoryClosings:     n.MemoryClosings,
		LocalAsn:           n.LocalASN,
		LocalAddress:       text(n.Session.LocalAddress),
		RemoteId:           text(n.Session.RemoteID),
		PeerGroup:          n.PeerGroup,
		Domain:             n.Domain,
		ListenRange:        text(n.Range),
		LastDown:           stamp(n.LastDown),
		Flaps:              n.Flaps,
		HoldTimeSeconds:    seconds(n.Session.HoldTime),
		KeepaliveSeconds:   seconds(n.Session.Keepalive),
		Families:           families(n.Session.Families),
		Capabilities:       convert(n.Session.Capabilities, printable),
		GracefulRestart:    families(n.Session.GracefulPeer),
		RestartTimeSeconds: seconds(n.Session.PeerRestart),
		EndOfRib:           families(n.EndOfRIB),
		ImportPolicy:       n.ImportPolicy,
		ExportPolicy:       n.ExportPolicy,
		Settings:           n.Settings,
		Bfd:                bfdMessage(n.BFD),
		Messages: &nvadv1.Messages{
			Received:        n.Stats.In.Total(),
			Sent:            n.Stats.Out.Total(),
			UpdatesReceived: n.Stats.In.Update,
			UpdatesSent:     n.Stats.Out.Update,
			Queued:          uint32(n.Stats.Queued),
			Established:     n.Stats.Established,
			Malformed:       malformedUpdates(n),
		},
	}
}

func rangeMessage(r engine.Range) *nvadv1.ListenRange {
	return &nvadv1.ListenRange{
		Prefix: text(r.Prefix), PeerGroup: r.PeerGroup, Established: uint32(r.Established),
		Places: uint32(r.Places), Limit: uint32(r.Limit), Refused: r.Refused,
	}
}

// malformedUpdates returns nil if no UPDATE was malformed.
func malformedUpdates(n Neighbor) *nvadv1.MalformedUpdates {
	c := n.Stats.Malformed
	if c.Total() == 0 {
		return nil
	}
	m := &nvadv1.MalformedUpdates{
		Total: c.Total(), ByAction: map[string]uint64{}, ByClass: map[string]uint64{},
		Last: n.LastMalformed, LastAt: stamp(n.MalformedAt),
	}
	for i, n := range c.ByAction {
		if n > 0 {
			m.ByAction[speaker.Action(i).String()] = n
		}
	}
	for i, n := range c.ByClass {
		if n > 0 {
			m.ByClass[speaker.Class(i).String()] = n
		}
	}
	return m
}

func bfdMessage(s *bfd.Status) *nvadv1.Bfd {
	if s == nil {
		return nil
	}
	return &nvadv1.Bfd{
		State: s.State.String(), RemoteState: s.RemoteState.String(), LocalAddress: text(s.Key.Local), Multihop: s.Key.Multihop,
		Since: stamp(s.Since), DetectionTimeMs: milliseconds(s.DetectionTime), TxIntervalMs: milliseconds(s.TxInterval),
		RxIntervalMs: milliseconds(s.RxInterval), Multiplier: uint32(s.Multiplier),
		RemoteMultiplier: uint32(s.RemoteMultiplier), Flaps: s.Flaps, LastDown: s.LastDown, Error: s.Error,
		PacketsReceived: s.PacketsIn, PacketsSent: s.PacketsOut,
		Authenticated: s.Authenticated, Refused: s.Refused, LastRefused: s.LastRefused,
	}
}

func milliseconds(d time.Duration) uint32 { return uint32(d / time.Millisecond) }

func summaryMessage(s route.Summary) *nvadv1.Summary {
	return &nvadv1.Summary{Prefix: s.Prefix.String(), Replaces: uint32(s.Replaces)}
}

func pathMessage(p engine.Path) *nvadv1.Path {
	return &nvadv1.Path{
		Prefix:       text(p.Prefix),
		Neighbor:     text(p.Neighbor),
		Source:       p.Source.String(),
		Attributes:   attributesMessage(p.Attrs),
		Weight:       p.Weight,
		Valid:        p.Valid,
		Best:         p.Best,
		Multipath:    p.Multipath,
		Internal:     p.Internal,
		Stale:        p.Stale,
		Fib:          p.Forwards,
		HeldBack:     p.Held,
		Reason:       p.Reason,
		ReceivedAt:   stamp(p.At),
		NextHops:     p.NextHops,
		AdvertisedTo: convert(p.Advertised, text[netip.Addr]),
	}
}

func attributesMessage(a *route.Attrs) *nvadv1.Attributes {
	if a == nil {
		return nil
	}
	m := &nvadv1.Attributes{
		AsPath:           a.ASPath.String(),
		Origin:           a.Origin.String(),
		NextHop:          text(a.NextHop),
		Med:              optional(a.MED),
		LocalPref:        optional(a.LocalPref),
		Communities:      convert(a.Communities, route.Community.String),
		LargeCommunities: convert(a.LargeCommunities, route.LargeCommunity.String),
		ExtCommunities:   convert(a.ExtCommunities, route.ExtCommunity.String),
		AtomicAggregate:  a.AtomicAggregate,
		OriginatorId:     text(a.OriginatorID),
		ClusterList:      convert(a.ClusterList, text[netip.Addr]),
		OnlyToCustomer:   optional(a.OTC),
		Unknown: convert(a.Unknown, func(u route.Unknown) *nvadv1.UnknownAttribute {
			return &nvadv1.UnknownAttribute{Type: uint32(u.Type), Flags: uint32(u.Flags), Value: []byte(u.Value)}
		}),
	}
	if a.Aggregator.Address.IsValid() {
		m.Aggregator = fmt.Sprintf("%d %s", a.Aggregator.ASN, a.Aggregator.Address)
	}
	return m
}

func fibMessage(r fib.Status) *nvadv1.FIBRoute {
	return &nvadv1.FIBRoute{
		Prefix: text(r.Prefix), Class: r.Protocol, Kind: r.Kind.String(), Metric: r.Metric, Source: text(r.Source),
		Distance: uint32(r.Distance),
		NextHops: convert(r.Hops, hopMessage), Backup: convert(r.Backup, hopMessage),
		State: r.State.String(), Reason: r.Reason, Since: stamp(r.Since),
	}
}

func hopMessage(h fib.Hop) *nvadv1.NextHop {
	return &nvadv1.NextHop{Via: text(h.Via), Device: h.Device, Weight: uint32(h.Weight)}
}

// linkNames maps the index of each link to its name.
type linkNames map[int]string

func namesOf(links []fib.Link) linkNames {
	names := make(linkNames, len(links))
	for _, l := range links {
		names[l.Index] = l.Name
	}
	return names
}

// wanted is a route as the forwarding plane was told to install it.
func (names linkNames) wanted(prefix netip.Prefix, r *fib.Route) *nvadv1.FIBRoute {
	if r == nil {
		return nil
	}
	m := &nvadv1.FIBRoute{Prefix: text(prefix), Class: r.Class.String(), Kind: r.Kind.String(), Distance: uint32(r.Distance), Metric: r.Metric, Source: text(r.Source)}
	for _, h := range r.Hops {
		m.NextHops = append(m.NextHops, hopMessage(fib.Hop{Via: h.Via, Device: names[h.Link], Weight: h.Weight}))
	}
	return m
}

func (names linkNames) lookup(l Lookup) *nvadv1.Lookup {
	out := &nvadv1.Lookup{Address: text(l.Address), Way: names.way(l.Way), Azure: azureView(l.Azure)}
	if t := l.Tunnel; t != nil {
		out.Tunnel = &nvadv1.Encapsulation{
			Device: t.Name, Vni: t.VNI, Source: text(t.Source), Port: port(t.Status), Mtu: uint32(t.Actual), Learned: t.Learned,
			Encrypted: t.WireGuard != nil,
			Outer: convert(t.Outer, func(o Outer) *nvadv1.OuterPacket {
				return &nvadv1.OuterPacket{Destination: text(o.Remote), Way: names.way(o.Way)}
			}),
		}
	}
	return out
}

func (names linkNames) way(w Way) *nvadv1.Way {
	m := &nvadv1.Way{
		Fate: string(w.Fate), Via: text(w.Via), Device: names[w.Link], Source: text(w.Source),
		Prefix: text(w.Prefix), Protocol: w.Own, Own: w.Own != "", Metric: w.Metric,
		Neighbor: text(w.Neighbor), AsPath: w.ASPath.String(),
	}
	if w.Own == "" && w.Prefix.IsValid() {
		m.Protocol = fib.ProtocolName(w.Protocol)
	}
	return m
}
