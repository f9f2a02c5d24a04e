package config

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Kernel has the settings of the forwarding plane as a whole.
type Kernel struct {
	Protocol       int // rtm_protocol of BGP routes
	StaticProtocol int // rtm_protocol of static routes
	Metric         uint32
	IPForward      bool          // set net.ipv4.ip_forward and net.ipv6.conf.all.forwarding
	AllowDefault   bool          // install learned default routes
	DefaultAlone   bool          // with AllowDefault: only while no other program has one
	Displace       bool          // the metric decides between nvad's and other programs' routes
	Protected      []netip.Addr  // never diverted, besides those of Azure's platform
	ResolveDefault bool          // let next hops resolve through the default route
	ScanInterval   time.Duration // between full comparisons with the kernel
	NextHopGroups  Toggle        // use next-hop objects of the kernel
	MaxPaths       int           // next hops of an ECMP route
	MultipathRelax bool          // ECMP also over paths through different neighboring ASes
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
	Name: "kernel", Doc: "Routes and other settings of the kernel.",
	Of: func(c *Config) *Kernel { return &c.Kernel }, Fields: kernelFields,
}

func kernelFields(k *Kernel) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "protocol", Value: tomlfile.Number(&k.Protocol, 5, 255), Impact: Restart,
			Doc: "Protocol number of BGP routes in the kernel (rtm_protocol), by which nvad recognises its own routes."},
		{Key: "static-protocol", Value: tomlfile.Number(&k.StaticProtocol, 5, 255), Impact: Restart,
			Doc: "Protocol number of static routes in the kernel. It must differ from protocol."},
		{Key: "metric", Value: tomlfile.Number(&k.Metric, 1, tomlfile.MaxUint32-1), Impact: Restart,
			Doc: "Metric of BGP routes in the kernel. Among the routes for a prefix, the kernel uses the one with the lowest metric."},
		{Key: "ip-forward", Value: tomlfile.Bool(&k.IPForward), Example: "true", Shown: true,
			Doc: "Turn on IP forwarding: net.ipv4.ip_forward and net.ipv6.conf.all.forwarding. If false, both stay as they are."},
		{Key: "allow-default", Value: tomlfile.BoolOr(&k.AllowDefault, &k.DefaultAlone, "alone"),
			Doc: "Install a default route that was learned from a neighbor: true, beside the one from DHCP, and the lower metric wins; " +
				`"alone", only while no other program has one, as FRR does.`},
		{Key: "displace", Value: tomlfile.Bool(&k.Displace),
			Doc: "Let the metric decide between nvad's routes and those of other programs for the same prefix. If false, whatever " +
				"the metrics, nvad installs no route for a connected prefix, and no BGP route where DHCP, networkd or ip route " +
				"has installed one."},
		{Key: "protected", Value: tomlfile.Addresses(&k.Protected), Example: `["10.0.0.1"]`,
			Doc: "Addresses that no route may divert, besides Azure's 168.63.129.16 and 169.254.169.254."},
		{Key: "resolve-default", Value: tomlfile.Bool(&k.ResolveDefault),
			Doc: "Let next hops resolve through the default route if no other route contains them."},
		{Key: "scan-interval", Value: tomlfile.Seconds(&k.ScanInterval, 1, 86400, nil), Impact: Restart,
			Doc: "Seconds between full comparisons with the kernel. Each repairs changes by other programs that nvad has not noticed."},
		{Key: "nexthop-groups", Value: toggle(&k.NextHopGroups), Impact: Restart,
			Doc: `Use next-hop objects of the kernel, so that many routes change in one step. "auto" does so unless ` +
				"systemd-networkd manages a link: before version 256, a restart of networkd deletes the next-hop objects of " +
				"other programs, and the routes with them."},
		{Key: "max-paths", Value: tomlfile.Number(&k.MaxPaths, 1, 256),
			Doc: "Maximum number of next hops of a route (ECMP)."},
		{Key: "multipath-relax", Value: tomlfile.Bool(&k.MultipathRelax),
			Doc: "Share traffic between equally good paths whatever ASes they lead through, as long as their AS_PATHs have the same " +
				"length. If false, it is shared only between eBGP paths of one neighboring AS, and between iBGP paths with the same AS_PATH."},
		{Key: "sysctls", Value: sysctls(&k.Sysctls), Example: `{ "net.ipv4.conf.all.send_redirects" = "0" }`,
			Doc: "Sysctls to set, by name."},
	}
}

// Toggle is a setting that nvad decides if it is [Auto].
type Toggle uint8

// Values of a [Toggle].
const (
	Auto Toggle = iota
	On
	Off
)

// toggle returns a Value for "auto", true or false.
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

// sysctls returns a Value for a table of strings by the name of the sysctl.
func sysctls(p *map[string]string) tomlfile.Value {
	return tomlfile.TableOf(p, "table of values", func(name string, c tomlfile.Cell) (string, bool) {
		if strings.Contains(name, "..") || strings.ContainsAny(name, " \t\n") || !strings.Contains(name, ".") {
			c.Fail("%s is not the name of a sysctl; write it in quotes, as in \"net.ipv4.conf.all.rp_filter\"", tomlfile.Show(name))
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
		v.fail("kernel.static-protocol kernel.protocol", "protocol and static-protocol must differ, but both are %d; nvad tells BGP routes from static ones by it", k.Protocol)
	}
}

// forwarding warns if the file has tunnels or NAT for packets of other machines, but
// does not turn on forwarding. If ip-forward is in the file, even as false, the author
// has decided. A tunnel without a neighbor and without a static route through it may
// serve this host alone, so it does not count.
func (w *warner) forwarding() {
	k := &w.cfg.Kernel
	if k.IPForward || w.src.Has("kernel.ip-forward") || forwards(k.Sysctls) {
		return
	}
	warn := func(key, what string) {
		w.warn("no-forwarding", key, "%s is for packets of other machines, but kernel.ip-forward is not set: unless something else turned forwarding on, "+
			"the kernel drops them; set kernel.ip-forward = true, or false if it is turned on elsewhere", what)
	}
	for i := range w.cfg.Tunnels {
		if t := &w.cfg.Tunnels[i]; len(w.cfg.Inside(t)) > 0 {
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

// forwards reports whether one of sysctls turns forwarding on.
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
