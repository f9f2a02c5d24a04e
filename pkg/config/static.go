package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Static is a static route. Exactly one of Via (with or without Device), Device
// (on-link) and Blackhole is set. Routes for the same prefix differ in distance or metric.
type Static struct {
	Prefix    netip.Prefix
	Via       []Gateway // which share the traffic
	Device    string    // of gateways without one of their own, or of an on-link route
	Blackhole bool
	Distance  uint8      // administrative distance, see fib.DistanceEBGP
	Metric    uint32     // 0: the metric of BGP routes
	Source    netip.Addr // of this NVA's own packets (RTA_PREFSRC)
}

// Gateway is a next hop of a static route.
type Gateway struct {
	Address netip.Addr
	Device  string // empty: that of the route, or the one that leads to Address
}

// String returns the gateway in the form of the file, which is iproute2's.
func (g Gateway) String() string {
	if g.Device == "" {
		return g.Address.String()
	}
	return g.Address.String() + " dev " + g.Device
}

// Equal reports whether s and o are the same route.
func (s Static) Equal(o Static) bool { return reflect.DeepEqual(s, o) }

// Hops returns the next hops of s with their devices. An on-link route has one without an
// address, a blackhole one without either.
func (s Static) Hops() []Gateway {
	if len(s.Via) == 0 {
		return []Gateway{{Device: s.Device}}
	}
	out := slices.Clone(s.Via)
	for i := range out {
		out[i].Device = cmp.Or(out[i].Device, s.Device)
	}
	return out
}

func defaultStatic() Static { return Static{Distance: 1} }

var staticTable = tomlfile.Array[Config, Static]{
	Key: "static-route", ID: "prefix", Doc: "Static routes, one table each.", New: defaultStatic,
	Of: func(c *Config) *[]Static { return &c.Statics }, Name: staticName, Fields: staticFields,
}

func staticFields(s *Static) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "prefix", Value: tomlfile.Prefix(&s.Prefix), Example: `"10.0.210.0/24"`, Required: true, Shown: true,
			Doc: "Destination."},
		{Key: "via", Value: gateways(&s.Via), Example: `"10.0.0.1"`, Shown: true,
			Doc: "Gateway, or a list of gateways that share the traffic (ECMP): [\"10.0.0.1\", \"10.1.0.1 dev eth1\"]. A gateway that " +
				"is not reached, or that BFD found dead, is left out until it is back. Set exactly one of via, device and blackhole; " +
				"only device may be set together with via."},
		{Key: "device", Value: tomlfile.Text(&s.Device, tomlfile.Interface), Example: `"eth0"`,
			Doc: "Device of the gateways that name none or, without via, of an on-link route."},
		{Key: "blackhole", Value: tomlfile.Bool(&s.Blackhole),
			Doc: "Drop the packets."},
		{Key: "distance", Value: tomlfile.Number(&s.Distance, 1, 254),
			Doc: "Administrative distance. Of all routes for a prefix, nvad installs the one with the lowest distance: eBGP " +
				"routes have 20, iBGP routes 200. At the same distance, a static route goes before BGP. So a route with distance 250 " +
				"stands in only while nothing better is there (a floating static route). It also gives way to another program's " +
				"route if its distance is above 20."},
		{Key: "metric", Value: tomlfile.Number(&s.Metric, 0, tomlfile.MaxUint32-1),
			Doc: "Metric in the kernel; 0 means kernel.metric. Of several static routes for a prefix with the same distance, nvad " +
				"installs the one with the lowest metric whose gateway is reachable."},
		{Key: "source", Value: tomlfile.Address(&s.Source, tomlfile.Unicast), Example: `"10.0.0.4"`,
			Doc: "Preferred source address of this NVA's own packets."},
	}
}

// gateways returns a Value for one gateway, or a list of them.
func gateways(p *[]Gateway) tomlfile.Value {
	const one = "an IP address, with or without a device (10.0.0.1 dev eth0)"
	return tomlfile.List[Gateway]{
		Kind: "address, or list", Want: one + ", or a list of them", Alone: true, NotEmpty: true,
		TOML: func(g Gateway) string { return tomlfile.Quote(g.String()) },
		Parse: func(c tomlfile.Cell) (g Gateway, ok bool) {
			s, ok := c.Text(one)
			if !ok {
				return g, false
			}
			var device bool
			if c.Val, g.Device, device = strings.Cut(s, " dev "); device {
				if err := tomlfile.Interface(g.Device); err != nil {
					c.Fail("%v", err)
					return g, false
				}
			}
			g.Address, ok = tomlfile.ParseAddress(c, tomlfile.Unicast)
			return g, ok
		},
	}.At(p)
}

// staticName returns prefix, distance and metric, in which no two static routes agree.
func staticName(s *Static) string {
	name := s.Prefix.String()
	if s.Distance > 1 {
		name += fmt.Sprintf(" distance %d", s.Distance)
	}
	if s.Metric != 0 {
		name += fmt.Sprintf(" metric %d", s.Metric)
	}
	return name
}

// MetricOf returns the metric of s in the kernel.
func (c *Config) MetricOf(s Static) uint32 { return cmp.Or(s.Metric, c.Kernel.Metric) }

// HasStatic reports whether a static route, other than a default route, covers a.
func (c *Config) HasStatic(a netip.Addr) bool {
	return slices.ContainsFunc(c.Statics, func(s Static) bool { return s.Prefix.Bits() > 0 && s.Prefix.Contains(a) })
}

func (v *checker) static(i int) {
	s := &v.cfg.Statics[i]
	key := v.src.Elem("static-route", i, s.Prefix)
	if !s.Prefix.IsValid() {
		return
	}
	v.distinct("static-route", "prefix", i, s.Prefix, func(j int) bool {
		o := v.cfg.Statics[j]
		return o.Prefix == s.Prefix && o.Distance == s.Distance && v.cfg.MetricOf(o) == v.cfg.MetricOf(*s)
	})
	via, device := v.has(key+".via"), v.has(key+".device")
	switch {
	case !via && !device && !s.Blackhole:
		v.fail(key+".via", "required key is missing: set via, device, or blackhole = true")
	case s.Blackhole && (via || device):
		v.fail(key+".blackhole", "a blackhole route has neither via nor device; remove them")
	}
	for _, g := range s.Hops() {
		switch a := g.Address; {
		case a.IsValid() && a.Is4() != s.Prefix.Addr().Is4():
			v.fail(key+".via", "%s is not in the address family of %s", a, s.Prefix)
		case a.IsValid() && g.Device == "" && s.Prefix.IsSingleIP() && s.Prefix.Contains(a):
			v.fail(key+".via", "%s would be reached through this route itself; set device as well", a)
		}
	}
	if s.Source.IsValid() && s.Source.Is4() != s.Prefix.Addr().Is4() {
		v.fail(key+".source", "%s is not in the address family of %s", s.Source, s.Prefix)
	}
}
