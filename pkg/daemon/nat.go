package daemon

import (
	"context"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/nat"
)

// natRules is what the configuration asks of nvad's nftables table.
func natRules(cfg *config.Config) nat.Rules {
	var r nat.Rules
	for _, m := range cfg.Masquerades {
		r.Masquerades = append(r.Masquerades, nat.Masquerade(m))
	}
	for _, s := range cfg.SNATs {
		r.SNATs = append(r.SNATs, nat.SNAT{Source: s.Source, Out: s.Out, To: natEndpoint(s.To)})
	}
	protocols := map[string]nat.Protocol{"any": nat.AnyProtocol, "tcp": nat.TCP, "udp": nat.UDP}
	for _, d := range cfg.DNATs {
		r.DNATs = append(r.DNATs, nat.DNAT{
			In: d.In, Destination: d.Destination, Protocol: protocols[d.Protocol],
			Ports: nat.Ports(d.Ports), To: natEndpoint(d.To),
		})
	}
	for _, t := range cfg.Tunnels {
		r.Overlays = append(r.Overlays, overlay(cfg, &t))
		if t.MSSClamp != config.MSSOff {
			r.Clamps = append(r.Clamps, nat.Clamp{Device: t.Name, Size: int(t.MSSClamp)})
		}
	}
	return r
}

// overlay is what may enter a tunnel and come out of it.
func overlay(cfg *config.Config, t *config.Tunnel) nat.Overlay {
	o := nat.Overlay{Device: t.Name, Under: t.Device, VNI: t.VNI, Port: t.Port, Remotes: t.Remotes, Subnets: t.Addresses}
	for _, other := range cfg.Tunnels {
		holds := func(p netip.Prefix) bool { return p.Addr() == t.Local }
		if t.Device == "" && slices.ContainsFunc(other.Addresses, holds) {
			o.Under = other.Name // a tunnel within a tunnel
		}
	}
	for _, p := range t.Peers {
		o.Peers = append(o.Peers, nat.Peer(p))
	}
	return o
}

func natEndpoint(e config.Endpoint) nat.Endpoint {
	return nat.Endpoint{Addr: e.Addr, Ports: nat.Ports(e.Ports)}
}

// NAT implements api.Reader. What guards the tunnels is shown with them. The answer
// is shared with others who ask.
func (d *daemon) NAT(ctx context.Context) ([]nat.Status, error) {
	list, err := d.ask.nat(ctx)
	return slices.DeleteFunc(slices.Clone(list), func(s nat.Status) bool { return s.Rule.Tunnel != "" }), err
}

func (d *daemon) askNAT(ctx context.Context) ([]nat.Status, error) { return d.plane.NAT(ctx) }
