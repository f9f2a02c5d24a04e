package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Static is a static route. Exactly one of Via (with or without Device), Device
// (on-link) and Blackhole is set. Routes for the same prefix differ in their metric.
type Static struct {
	Prefix    netip.Prefix
	Via       netip.Addr
	Device    string
	Blackhole bool
	Metric    uint32     // 0: the metric of BGP routes
	Source    netip.Addr // of this NVA's own packets (RTA_PREFSRC)
}

var staticTable = tomlfile.Array[Config, Static]{
	Key: "static-route", ID: "prefix", Doc: "Static routes, one table each.",
	Of: func(c *Config) *[]Static { return &c.Statics }, Name: staticName, Fields: staticFields,
}

func staticFields(s *Static) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "prefix", Value: tomlfile.Prefix(&s.Prefix), Example: `"10.0.210.0/24"`, Required: true, Shown: true,
			Doc: "Destination."},
		{Key: "via", Value: tomlfile.Address(&s.Via, tomlfile.Unicast), Example: `"10.0.0.1"`, Shown: true,
			Doc: "Gateway. Set exactly one of via, device and blackhole; only device may be set together with via."},
		{Key: "device", Value: tomlfile.Text(&s.Device, tomlfile.Interface), Example: `"eth0"`,
			Doc: "Device of the gateway or, without via, of an on-link route."},
		{Key: "blackhole", Value: tomlfile.Bool(&s.Blackhole),
			Doc: "Drop the packets."},
		{Key: "metric", Value: tomlfile.Number(&s.Metric, 0, tomlfile.MaxUint32-1),
			Doc: "Metric in the kernel; 0 means kernel.metric. Of several routes for a prefix, nvad installs the one with the " +
				"lowest metric whose gateway is reachable."},
		{Key: "source", Value: tomlfile.Address(&s.Source, tomlfile.Unicast), Example: `"10.0.0.4"`,
			Doc: "Preferred source address of this NVA's own packets."},
	}
}

// staticName returns prefix and metric, by which the kernel tells routes apart.
func staticName(s *Static) string {
	if s.Metric == 0 {
		return s.Prefix.String()
	}
	return fmt.Sprintf("%s metric %d", s.Prefix, s.Metric)
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
		return o.Prefix == s.Prefix && v.cfg.MetricOf(o) == v.cfg.MetricOf(*s)
	})
	via, device := v.has(key+".via"), v.has(key+".device")
	switch {
	case !via && !device && !s.Blackhole:
		v.fail(key+".via", "required key is missing: set via, device, or blackhole = true")
	case s.Blackhole && (via || device):
		v.fail(key+".blackhole", "a blackhole route has neither via nor device; remove them")
	}
	if s.Via.IsValid() && s.Via.Is4() != s.Prefix.Addr().Is4() {
		v.fail(key+".via", "%s is not in the address family of %s", s.Via, s.Prefix)
	}
	if s.Via.IsValid() && !device && s.Prefix.IsSingleIP() && s.Prefix.Contains(s.Via) {
		v.fail(key+".via", "%s would be reached through this route itself; set device as well", s.Via)
	}
	if s.Source.IsValid() && s.Source.Is4() != s.Prefix.Addr().Is4() {
		v.fail(key+".source", "%s is not in the address family of %s", s.Source, s.Prefix)
	}
}
