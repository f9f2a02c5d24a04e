package daemon

import (
	"context"

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
		if t.MSSClamp != config.MSSOff {
			r.Clamps = append(r.Clamps, nat.Clamp{Device: t.Name, Size: int(t.MSSClamp)})
		}
	}
	return r
}

func natEndpoint(e config.Endpoint) nat.Endpoint {
	return nat.Endpoint{Addr: e.Addr, Ports: nat.Ports(e.Ports)}
}

// NAT implements api.Reader.
func (d *daemon) NAT(ctx context.Context) ([]nat.Status, error) { return d.ask.nat(ctx) }

func (d *daemon) askNAT(ctx context.Context) ([]nat.Status, error) { return d.plane.NAT(ctx) }
