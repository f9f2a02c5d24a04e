package api

import (
	"context"
	"net/netip"

	"github.com/nvad/nvad/pkg/engine"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// LookupAddress implements nvadv1.NvadServer.
func (s *readServer) LookupAddress(ctx context.Context, req *nvadv1.LookupRequest) (*nvadv1.Lookup, error) {
	addr, err := netip.ParseAddr(req.GetAddress())
	if err != nil || addr.Zone() != "" {
		return nil, statusOf(Invalid("%q is not an address (want one like 10.110.0.4)", req.GetAddress()))
	}
	v, err := s.reader.Lookup(ctx, addr.Unmap())
	if err != nil {
		return nil, statusOf(err)
	}
	return lookupMessage(v), nil
}

func lookupMessage(v engine.LookupView) *nvadv1.Lookup {
	out := &nvadv1.Lookup{Address: text(v.Address), Way: wayMessage(v.WayView)}
	if t := v.Tunnel; t != nil {
		out.Tunnel = &nvadv1.Encapsulation{
			Device: t.Name, Vni: t.VNI, Source: text(t.Source), Port: uint32(t.Port), Mtu: uint32(t.MTU), Learned: t.Learned,
			Outer: convert(t.Outer, func(o engine.OuterView) *nvadv1.OuterPacket {
				return &nvadv1.OuterPacket{Destination: text(o.Remote), Way: wayMessage(o.WayView)}
			}),
		}
	}
	return out
}

func wayMessage(v engine.WayView) *nvadv1.Way {
	return &nvadv1.Way{
		Fate:     v.Fate,
		Via:      text(v.Via),
		Device:   v.Device,
		Source:   text(v.Source),
		Prefix:   text(v.Prefix),
		Protocol: v.Protocol,
		Own:      v.Own,
		Metric:   v.Metric,
		Neighbor: text(v.Neighbor),
		AsPath:   v.ASPath.String(),
	}
}
