package config

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Static is a static route. Exactly one of Via (with or without Device),
// Device (on-link) and Blackhole is given. Routes for one prefix differ in their
// metric.
type Static struct {
	Prefix    netip.Prefix
	Via       netip.Addr
	Device    string
	Blackhole bool
	Metric    uint32     // 0: that of BGP routes
	Source    netip.Addr // RTA_PREFSRC
}

var staticTable = tomlfile.Array[Config, Static]{
	Key: "static-route", ID: "prefix", Doc: "Static routes; one table each.",
	Of: func(c *Config) *[]Static { return &c.Statics }, Name: staticName, Fields: staticFields,
}

var staticFields = []tomlfile.Field[Static]{
	{
		Key: "prefix", Example: `"10.0.210.0/24"`, Required: true, Shown: true,
		Doc:  "Destination.",
		Bind: func(s *Static) tomlfile.Value { return tomlfile.Prefix(&s.Prefix) },
	},
	{
		Key: "via", Example: `"10.0.0.1"`, Shown: true,
		Doc:  "Gateway. Exactly one of via, device and blackhole is given; device may stand beside via.",
		Bind: func(s *Static) tomlfile.Value { return tomlfile.Address(&s.Via, tomlfile.Unicast) },
	},
	{
		Key: "device", Example: `"eth0"`,
		Doc:  "Device of an on-link route, or of the gateway.",
		Bind: func(s *Static) tomlfile.Value { return tomlfile.Text(&s.Device, tomlfile.Interface) },
	},
	{
		Key:  "blackhole",
		Doc:  "Drop the packets.",
		Bind: func(s *Static) tomlfile.Value { return tomlfile.Bool(&s.Blackhole) },
	},
	{
		Key: "metric",
		Doc: "Metric in the kernel; 0 is that of BGP routes (kernel.metric). Of several routes for a prefix the kernel has the one of " +
			"lowest metric whose gateway is reached.",
		Bind: func(s *Static) tomlfile.Value { return tomlfile.Number(&s.Metric, 0, tomlfile.MaxUint32-1) },
	},
	{
		Key: "source", Example: `"10.0.0.4"`,
		Doc:  "Preferred source address of this NVA's own packets.",
		Bind: func(s *Static) tomlfile.Value { return tomlfile.Address(&s.Source, tomlfile.Unicast) },
	},
}

// staticName is what the kernel tells routes apart by.
func staticName(s *Static) string {
	if s.Metric == 0 {
		return s.Prefix.String()
	}
	return fmt.Sprintf("%s metric %d", s.Prefix, s.Metric)
}

// MetricOf is the metric that s has in the kernel.
func (c *Config) MetricOf(s Static) uint32 { return cmp.Or(s.Metric, c.Kernel.Metric) }

// HasStatic reports whether a static route of the file, not a default one,
// covers a.
func (c *Config) HasStatic(a netip.Addr) bool {
	for _, s := range c.Statics {
		if s.Prefix.Bits() > 0 && s.Prefix.Contains(a) {
			return true
		}
	}
	return false
}

func (v *checker) static(i int) {
	s := &v.cfg.Statics[i]
	key := v.src.Elem("static-route", i, s.Prefix)
	if !s.Prefix.IsValid() {
		return
	}
	v.distinct("static-route", "prefix", i, s.Prefix, func(j int) bool {
		o := v.cfg.Statics[j]
		return o.Prefix == s.Prefix && v.cfg.MetricOf(o) == v.cfg.MetricOf(*s)
	})
	via, device := v.has(key+".via"), v.has(key+".device")
	switch {
	case !via && !device && !s.Blackhole:
		v.fail(key+".via", "required key is missing: one of via, device and blackhole = true")
	case s.Blackhole && (via || device):
		v.fail(key+".blackhole", "a blackhole has neither via nor device")
	}
	if s.Via.IsValid() && s.Via.Is4() != s.Prefix.Addr().Is4() {
		v.fail(key+".via", "%s is not of the address family of %s", s.Via, s.Prefix)
	}
	if s.Via.IsValid() && !device && s.Prefix.IsSingleIP() && s.Prefix.Contains(s.Via) {
		v.fail(key+".via", "%s is reached through this route itself", s.Via)
	}
	if s.Source.IsValid() && s.Source.Is4() != s.Prefix.Addr().Is4() {
		v.fail(key+".source", "%s is not of the address family of %s", s.Source, s.Prefix)
	}
}
