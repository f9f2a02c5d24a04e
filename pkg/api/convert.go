package api

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/nat"
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

// text is the canonical form of an address or prefix, empty for the zero value.
func text[T interface {
	IsValid() bool
	String() string
}](v T) string {
	if !v.IsValid() {
		return ""
	}
	return v.String()
}

// printable makes s, which may hold what a neighbor sent, valid UTF-8: one string
// that is not would fail the whole answer.
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
		Asn:          s.ASN,
		RouterId:     text(s.RouterID),
		Since:        stamp(s.Since),
		Neighbors:    uint32(s.Neighbors),
		Established:  uint32(s.Established),
		Prefixes:     uint32(s.Prefixes),
		Paths:        uint32(s.Paths),
		InSync:       s.InSync,
		WaitingFor:   convert(s.Waiting, text[netip.Addr]),
		FibWanted:    uint32(s.FIBWanted),
		FibInstalled: uint32(s.FIBInstalled),
		Tunnels:      uint32(s.Tunnels),
		TunnelsUp:    uint32(s.TunnelsUp),
		Config:       configStateMessage(s.Config),

		Warnings: convert(s.Warnings, warningMessage),
		Nics:     convert(s.NICs, nicMessage),
		Memory:   &nvadv1.Memory{InUse: s.Memory.InUse, Budget: s.Memory.Budget, Closings: s.Memory.Closings},

		Problems: convert(s.Problems, func(p Problem) *nvadv1.Problem {
			return &nvadv1.Problem{Kind: p.Kind, Name: printable(p.Name), Text: printable(p.Text), Since: stamp(p.Since)}
		}),
		TunnelPeers:   uint32(s.TunnelPeers),
		TunnelPeersUp: uint32(s.TunnelPeersUp),

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

func warningMessage(w config.Warning) *nvadv1.Warning {
	return &nvadv1.Warning{File: printable(w.File), Line: uint32(w.Line), Key: printable(w.Key), Code: w.Code, Text: printable(w.Msg)}
}

func neighborMessage(v engine.NeighborView) *nvadv1.Neighbor {
	return &nvadv1.Neighbor{
		Address:            text(v.Address),
		RemoteAsn:          v.RemoteASN,
		Description:        v.Description,
		Warnings:           v.Warnings,
		State:              v.State.String(),
		Since:              stamp(v.Since),
		Reason:             printable(v.Reason),
		Shutdown:           v.Shutdown,
		Received:           uint32(v.Received),
		Accepted:           uint32(v.Accepted),
		Rejected:           uint32(v.Rejected),
		Stale:              uint32(v.Stale),
		Advertised:         uint32(v.Advertised),
		MaxPrefix:          uint32(v.MaxPrefix),
		MaxPrefixOut:       uint32(v.MaxPrefixOut),
		HeldBack:           uint32(v.Held),
		MemoryOctets:       v.Octets,
		Dropped:            v.Dropped,
		MemoryClosings:     v.MemoryClosings,
		LocalAsn:           v.LocalASN,
		LocalAddress:       text(v.LocalAddress),
		RemoteId:           text(v.RemoteID),
		PeerGroup:          v.PeerGroup,
		Domain:             v.Domain,
		LastDown:           stamp(v.LastDown),
		Flaps:              v.Flaps,
		HoldTimeSeconds:    seconds(v.HoldTime),
		KeepaliveSeconds:   seconds(v.Keepalive),
		Families:           families(v.Families),
		Capabilities:       convert(v.Capabilities, printable),
		GracefulRestart:    families(v.GracefulPeer),
		RestartTimeSeconds: seconds(v.PeerRestart),
		EndOfRib:           families(v.EndOfRIB),
		ImportPolicy:       v.ImportPolicy,
		ExportPolicy:       v.ExportPolicy,
		Settings:           v.Settings,
		Bfd:                bfdMessage(v.BFD),
		Messages: &nvadv1.Messages{
			Received:        v.Stats.In.Total(),
			Sent:            v.Stats.Out.Total(),
			UpdatesReceived: v.Stats.In.Update,
			UpdatesSent:     v.Stats.Out.Update,
			Queued:          uint32(v.Stats.Queued),
			Established:     v.Stats.Established,
			Malformed:       malformedUpdates(v),
		},
	}
}

// malformedUpdates is nil if no UPDATE was malformed.
func malformedUpdates(v engine.NeighborView) *nvadv1.MalformedUpdates {
	c := v.Stats.Malformed
	if c.Total() == 0 {
		return nil
	}
	m := &nvadv1.MalformedUpdates{
		Total: c.Total(), ByAction: map[string]uint64{}, ByClass: map[string]uint64{},
		Last: v.LastMalformed, LastAt: stamp(v.MalformedAt),
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

func pathMessage(v engine.PathView) *nvadv1.Path {
	return &nvadv1.Path{
		Prefix:       text(v.Prefix),
		Neighbor:     text(v.Neighbor),
		Source:       v.Source.String(),
		Attributes:   attributesMessage(v.Attrs),
		Weight:       v.Weight,
		Valid:        v.Valid,
		Best:         v.Best,
		Multipath:    v.Multipath,
		Internal:     v.Internal,
		Stale:        v.Stale,
		Fib:          v.FIB,
		HeldBack:     v.Held,
		Reason:       v.Reason,
		ReceivedAt:   stamp(v.Received),
		NextHops:     v.NextHops,
		AdvertisedTo: convert(v.Advertised, text[netip.Addr]),
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

func fibMessage(v engine.FIBView) *nvadv1.FIBRoute {
	return &nvadv1.FIBRoute{
		Prefix:   text(v.Prefix),
		Class:    v.Class,
		Kind:     v.Kind,
		Metric:   v.Metric,
		NextHops: convert(v.NextHops, hopMessage),
		Source:   text(v.Source),
		State:    v.State,
		Reason:   v.Reason,
		Since:    stamp(v.Since),
		Backup:   convert(v.Backup, hopMessage),
	}
}

func hopMessage(h engine.HopView) *nvadv1.NextHop {
	return &nvadv1.NextHop{Via: text(h.Via), Device: h.Device, Weight: uint32(h.Weight)}
}

func bfdMessage(v *engine.BFDView) *nvadv1.Bfd {
	if v == nil {
		return nil
	}
	return &nvadv1.Bfd{
		State: v.State, RemoteState: v.RemoteState, LocalAddress: text(v.Local), Multihop: v.Multihop,
		Since: stamp(v.Since), DetectionTimeMs: milliseconds(v.Detection), TxIntervalMs: milliseconds(v.TxInterval),
		RxIntervalMs: milliseconds(v.RxInterval), Multiplier: uint32(v.Multiplier),
		RemoteMultiplier: uint32(v.RemoteMultiplier), Flaps: v.Flaps, LastDown: v.LastDown, Error: v.Error,
		PacketsReceived: v.PacketsIn, PacketsSent: v.PacketsOut,
		Authenticated: v.Authenticated, Refused: v.Refused, LastRefused: v.LastRefused,
	}
}

func milliseconds(d time.Duration) uint32 { return uint32(d / time.Millisecond) }

func tunnelMessage(v engine.TunnelView) *nvadv1.Tunnel {
	return &nvadv1.Tunnel{
		Name:      v.Name,
		Vni:       v.VNI,
		State:     v.State,
		Reason:    v.Reason,
		Local:     text(v.Local),
		Remotes:   convert(v.Remotes, text[netip.Addr]),
		Group:     text(v.Group),
		Device:    v.Device,
		Port:      uint32(v.Port),
		Mtu:       uint32(v.MTU),
		Mac:       v.MAC,
		Addresses: convert(v.Addresses, text[netip.Prefix]),
		RxPackets: v.RxPackets,
		TxPackets: v.TxPackets,
		RxBytes:   v.RxBytes,
		TxBytes:   v.TxBytes,
		Fdb: convert(v.FDB, func(e engine.FDBView) *nvadv1.FDBEntry {
			return &nvadv1.FDBEntry{
				Mac: e.MAC, Remote: text(e.Remote), Permanent: e.Permanent, AgeSeconds: seconds(e.Age),
				Addresses: convert(e.Addresses, text[netip.Addr]),
			}
		}),
		Peers: convert(v.Peers, func(p engine.TunnelPeerView) *nvadv1.TunnelPeer {
			return &nvadv1.TunnelPeer{Remote: text(p.Remote), Neighbor: text(p.Neighbor), Up: p.Up, By: p.By, Gateway: p.Gateway, Reason: p.Reason}
		}),
		MtuWarning: v.Warning,
		Dropped: convert(v.Dropped, func(d nat.DropCount) *nvadv1.TunnelDrop {
			return &nvadv1.TunnelDrop{Reason: d.Reason, Packets: d.Packets, Bytes: d.Bytes}
		}),
		Unguarded: v.Unguarded,
	}
}

func summaryMessage(s route.Summary) *nvadv1.Summary {
	return &nvadv1.Summary{Prefix: s.Prefix.String(), Replaces: uint32(s.Replaces)}
}
