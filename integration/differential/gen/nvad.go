package gen

import (
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/route"
)

// Nvad is the case as nvad's configuration. Where nvad's default is stricter
// than FRR's it is told not to be.
func (c *Case) Nvad() string {
	cfg := config.Default()
	cfg.ASN, cfg.RouterID = LocalASN, RouterID
	cfg.Kernel.AllowDefault = true
	cfg.Policies = c.Library
	for i := range c.Neighbors {
		cfg.Neighbors = append(cfg.Neighbors, c.Neighbors[i].nvad())
	}
	return string(config.Print(cfg, false))
}

func (n *Neighbor) nvad() config.Neighbor {
	s := config.DefaultSettings()
	s.RemoteASN, s.LocalASN, s.Passive = n.ASN, LocalASN, true
	s.Keepalive, s.Families = s.HoldTime/3, route.IPv4
	s.AllowASSets, s.EnforceFirstAS = true, n.EnforceFirstAS
	s.AllowASIn, s.Weight = n.AllowASIn, n.Weight
	s.NextHopSelf, s.RouteReflectorClient = n.NextHopSelf, n.Reflect
	s.ASOverride, s.RemovePrivateAS = n.ASOverride, n.RemovePrivateAS
	s.Import, s.Export = n.Import, n.Export
	return config.Neighbor{Address: n.Address, Description: n.Name, Settings: s}
}
