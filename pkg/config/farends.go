package config

import (
	"cmp"
	"net/netip"
	"slices"
)

// FarEnd is another end of a tunnel that static routes lead to.
type FarEnd struct {
	Local  netip.Addr // the tunnel's own address in the subnet of both
	Remote netip.Addr
}

// FarEnds is the gateways of static routes that lie in a subnet of t, in the order
// of the routes.
func (c *Config) FarEnds(t *Tunnel) []FarEnd {
	var out []FarEnd
	for _, s := range c.Statics {
		if !s.Via.IsValid() || s.Device != "" && s.Device != t.Name {
			continue
		}
		i := slices.IndexFunc(t.Addresses, func(p netip.Prefix) bool { return p.Contains(s.Via) && p.Addr() != s.Via })
		if i < 0 {
			continue
		}
		if end := (FarEnd{t.Addresses[i].Addr(), s.Via}); !slices.Contains(out, end) {
			out = append(out, end)
		}
	}
	return out
}

// MetricOf is the metric that s has in the kernel.
func (c *Config) MetricOf(s Static) uint32 { return cmp.Or(s.Metric, c.Kernel.Metric) }
