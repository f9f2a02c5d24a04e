package config

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Kernel is what concerns the forwarding plane as a whole.
type Kernel struct {
	Protocol       int // rtm_protocol of BGP routes
	StaticProtocol int // rtm_protocol of static routes
	Metric         uint32
	IPForward      bool          // set net.ipv4.ip_forward and net.ipv6.conf.all.forwarding
	AllowDefault   bool          // a learned default route may be installed
	Displace       bool          // the lower metric decides beside other programs' routes
	Protected      []netip.Addr  // never re-routed; besides 168.63.129.16 and 169.254.169.254
	ResolveDefault bool          // next hops may resolve through the default route
	ScanInterval   time.Duration // between full comparisons with the kernel
	NextHopGroups  Toggle        // use kernel next-hop objects
	MaxPaths       int           // next hops of an ECMP route
	Sysctls        map[string]string
}

var defaultKernel = Kernel{
	Protocol:       186, // "bgp" of iproute2 and FRR
	StaticProtocol: 200, // assigned by neither iproute2 nor FRR
	Metric:         20,  // FRR's distance of eBGP
	ScanInterval:   30 * time.Second,
	MaxPaths:       16,
}

var kernelTable = tomlfile.Single[Config, Kernel]{
	Name: "kernel", Doc: "The forwarding plane.",
	Of: func(c *Config) *Kernel { return &c.Kernel }, Fields: kernelFields,
}

var kernelFields = []tomlfile.Field[Kernel]{
	{
		Key: "protocol", Impact: Restart,
		Doc:  "Route protocol number of BGP routes, by which nvad knows its own.",
		Bind: func(k *Kernel) tomlfile.Value { return tomlfile.Number(&k.Protocol, 5, 255) },
	},
	{
		Key: "static-protocol", Impact: Restart,
		Doc:  "The same for static routes.",
		Bind: func(k *Kernel) tomlfile.Value { return tomlfile.Number(&k.StaticProtocol, 5, 255) },
	},
	{
		Key: "metric", Impact: Restart,
		Doc:  "Metric of BGP routes in the kernel.",
		Bind: func(k *Kernel) tomlfile.Value { return tomlfile.Number(&k.Metric, 1, tomlfile.MaxUint32-1) },
	},
	{
		Key: "ip-forward", Example: "true", Shown: true,
		Doc:  "Turn on net.ipv4.ip_forward and net.ipv6.conf.all.forwarding; false leaves both as they are.",
		Bind: func(k *Kernel) tomlfile.Value { return tomlfile.Bool(&k.IPForward) },
	},
	{
		Key:  "allow-default",
		Doc:  "Install a default route that was learned from a neighbor, beside the one that DHCP gave: the lower metric decides.",
		Bind: func(k *Kernel) tomlfile.Value { return tomlfile.Bool(&k.AllowDefault) },
	},
	{
		Key: "displace",
		Doc: "Let the metric decide between nvad's routes and those of others for the same prefix. Otherwise, whatever the metrics, " +
			"nvad installs no route for a connected prefix, and no BGP route where DHCP, networkd or ip route have set one.",
		Bind: func(k *Kernel) tomlfile.Value { return tomlfile.Bool(&k.Displace) },
	},
	{
		Key: "protected", Example: `["10.0.0.1"]`,
		Doc:  "Addresses that no route may divert, besides 168.63.129.16 and 169.254.169.254.",
		Bind: func(k *Kernel) tomlfile.Value { return tomlfile.Addresses(&k.Protected) },
	},
	{
		Key:  "resolve-default",
		Doc:  "Let next hops resolve through the default route.",
		Bind: func(k *Kernel) tomlfile.Value { return tomlfile.Bool(&k.ResolveDefault) },
	},
	{
		Key: "scan-interval", Impact: Restart,
		Doc:  "Seconds between full comparisons with the kernel.",
		Bind: func(k *Kernel) tomlfile.Value { return tomlfile.Seconds(&k.ScanInterval, 1, 86400, nil) },
	},
	{
		Key: "nexthop-groups", Impact: Restart,
		Doc: "Use kernel next-hop objects, so that many routes change in one step. \"auto\" does not where systemd-networkd " +
			"manages a link: before version 256 its restart deletes the objects of others, and the routes with them.",
		Bind: func(k *Kernel) tomlfile.Value { return toggle(&k.NextHopGroups) },
	},
	{
		Key:  "max-paths",
		Doc:  "Most next hops of a route (ECMP).",
		Bind: func(k *Kernel) tomlfile.Value { return tomlfile.Number(&k.MaxPaths, 1, 256) },
	},
	{
		Key: "sysctls", Example: `{ "net.ipv4.conf.all.send_redirects" = "0" }`,
		Doc:  "Sysctls to set, by name.",
		Bind: func(k *Kernel) tomlfile.Value { return sysctls(&k.Sysctls) },
	},
}

// Toggle is a setting that may be left to nvad.
type Toggle uint8

// Values of a [Toggle].
const (
	Auto Toggle = iota
	On
	Off
)

// toggle returns "auto", true or false.
func toggle(p *Toggle) tomlfile.Value {
	const kind = `"auto", true or false`
	forms := [...]any{Auto: "auto", On: true, Off: false}
	return tomlfile.Custom(kind, func(c tomlfile.Cell) {
		for v, form := range forms {
			if c.Val == form {
				*p = Toggle(v)
				return
			}
		}
		c.Want(kind)
	}, func() string { return [...]string{Auto: `"auto"`, On: "true", Off: "false"}[*p] })
}

// sysctls returns a table of strings by the name of the sysctl.
func sysctls(p *map[string]string) tomlfile.Value {
	return tomlfile.TableOf(p, "table of values", func(name string, c tomlfile.Cell) (string, bool) {
		if strings.Contains(name, "..") || strings.ContainsAny(name, " \t\n") || !strings.Contains(name, ".") {
			c.Fail("%s is not the name of a sysctl (quote it: \"net.ipv4.conf.all.rp_filter\")", tomlfile.Show(name))
			return "", false
		}
		switch val := c.Val.(type) {
		case string:
			return val, true
		case int64:
			return strconv.FormatInt(val, 10), true
		}
		c.Want("a string or a number")
		return "", false
	}, tomlfile.Quote)
}

func (v *checker) kernel() {
	k := v.cfg.Kernel
	if k.Protocol == k.StaticProtocol {
		v.fail("kernel.static-protocol kernel.protocol", "protocol and static-protocol must differ, both are %d", k.Protocol)
	}
}

// forwarding reports a file whose tunnels or NAT are for other machines' packets,
// which the kernel drops unless it forwards. Key and value in the file, be it false,
// say that the author has thought of it. A tunnel without a neighbor and without a
// static route through it may serve this host alone.
func (w *warner) forwarding() {
	k := &w.cfg.Kernel
	if k.IPForward || w.src.Has("kernel.ip-forward") || forwards(k.Sysctls) {
		return
	}
	warn := func(key, what string) {
		w.warn("no-forwarding", key, "%s is for packets of other machines, and kernel.ip-forward is not set: the kernel drops them unless something else "+
			"turned forwarding on; set kernel.ip-forward = true, or false if it is turned on elsewhere", what)
	}
	for i := range w.cfg.Tunnels {
		if t := &w.cfg.Tunnels[i]; len(w.cfg.within(t)) > 0 {
			warn(w.src.Elem("tunnel", i, t.Name), "this tunnel")
			return
		}
	}
	switch c := w.cfg; {
	case len(c.Masquerades) > 0:
		warn(w.src.Elem("masquerade", 0, c.Masquerades[0].Out), "masquerade")
	case len(c.SNATs) > 0:
		warn(w.src.Elem("snat", 0, c.SNATs[0].Source), "snat")
	case len(c.DNATs) > 0:
		warn(w.src.Elem("dnat", 0, c.DNATs[0].To), "dnat")
	}
}

// forwards reports whether sysctls of the file turn forwarding on.
func forwards(sysctls map[string]string) bool {
	for name, value := range sysctls {
		name = strings.ReplaceAll(name, "/", ".")
		ip := name == "net.ipv4.ip_forward" || name == "net.ipv4.conf.all.forwarding" || name == "net.ipv6.conf.all.forwarding"
		if ip && value != "0" {
			return true
		}
	}
	return false
}
