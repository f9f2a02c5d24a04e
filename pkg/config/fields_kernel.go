package config

import "fmt"

// configFields are the keys above the first table.
var configFields = []field[Config]{
	{
		key: "asn", example: "65001", shown: true, impact: Restart,
		doc:  "Autonomous system number of this NVA. Required if there are neighbors.",
		bind: func(c *Config) value { return asn{&c.ASN} },
	},
	{
		key: "router-id", example: `"10.0.0.4"`, impact: Restart,
		doc: "BGP identifier, written as an IPv4 address: as a rule one of this NVA, but any except 0.0.0.0 will do (RFC 6286), unique among its neighbors. Default: local of the first tunnel that gives it, " +
			"or else the first address of the first tunnel's device, or of the device that the default route leads through.",
		bind: func(c *Config) value { return address{&c.RouterID, checkRouterID} },
	},
}

var daemonFields = []field[Daemon]{
	{
		key: "socket", impact: Restart,
		doc:  "Unix socket that nvactl talks to.",
		bind: func(d *Daemon) value { return text{&d.Socket, checkPath} },
	},
	{
		key: "socket-group", example: `"nvad-view"`, impact: Restart,
		doc: "Group of the socket, whose members may look. Default: that of the socket's directory if the directory has the setgid bit, " +
			"as /run/nvad of the package has (nvad-view), else the group nvad runs as.",
		bind: func(d *Daemon) value { return text{p: &d.SocketGroup} },
	},
	{
		key:  "log-level",
		doc:  `"debug", "info", "warn" or "error".`,
		bind: func(d *Daemon) value { return oneOf(&d.LogLevel, "debug", "info", "warn", "error") },
	},
	{
		key:  "preserve-fib",
		doc:  "Leave routes and tunnels in the kernel when nvad stops, so that it can restart unnoticed.",
		bind: func(d *Daemon) value { return boolean{&d.PreserveFIB} },
	},
}

var kernelFields = []field[Kernel]{
	{
		key: "protocol", impact: Restart,
		doc:  "Route protocol number of BGP routes, by which nvad knows its own.",
		bind: func(k *Kernel) value { return number(&k.Protocol, 5, 255) },
	},
	{
		key: "static-protocol", impact: Restart,
		doc:  "The same for static routes.",
		bind: func(k *Kernel) value { return number(&k.StaticProtocol, 5, 255) },
	},
	{
		key: "metric", impact: Restart,
		doc:  "Metric of BGP routes in the kernel.",
		bind: func(k *Kernel) value { return number(&k.Metric, 1, maxUint32-1) },
	},
	{
		key: "ip-forward", example: "true", shown: true,
		doc:  "Turn on net.ipv4.ip_forward and net.ipv6.conf.all.forwarding; false leaves both as they are.",
		bind: func(k *Kernel) value { return boolean{&k.IPForward} },
	},
	{
		key:  "allow-default",
		doc:  "Install a default route that was learned from a neighbor, beside the one that DHCP gave: the lower metric decides.",
		bind: func(k *Kernel) value { return boolean{&k.AllowDefault} },
	},
	{
		key: "displace",
		doc: "Let the metric decide between nvad's routes and those of others for the same prefix. Otherwise, whatever the metrics, " +
			"nvad installs no route for a connected prefix, and no BGP route where DHCP, networkd or ip route have set one.",
		bind: func(k *Kernel) value { return boolean{&k.Displace} },
	},
	{
		key: "protected", example: `["10.0.0.1"]`,
		doc:  "Addresses that no route may divert, besides 168.63.129.16 and 169.254.169.254.",
		bind: func(k *Kernel) value { return addresses{&k.Protected, unicast} },
	},
	{
		key:  "resolve-default",
		doc:  "Let next hops resolve through the default route.",
		bind: func(k *Kernel) value { return boolean{&k.ResolveDefault} },
	},
	{
		key: "scan-interval", impact: Restart,
		doc:  "Seconds between full comparisons with the kernel.",
		bind: func(k *Kernel) value { return seconds{p: &k.ScanInterval, lo: 1, hi: 86400} },
	},
	{
		key: "nexthop-groups", impact: Restart,
		doc: "Use kernel next-hop objects, so that many routes change in one step. \"auto\" does not where systemd-networkd " +
			"manages a link: before version 256 its restart deletes the objects of others, and the routes with them.",
		bind: func(k *Kernel) value { return toggle{&k.NextHopGroups} },
	},
	{
		key:  "max-paths",
		doc:  "Most next hops of a route (ECMP).",
		bind: func(k *Kernel) value { return number(&k.MaxPaths, 1, 256) },
	},
	{
		key: "sysctls", example: `{ "net.ipv4.conf.all.send_redirects" = "0" }`,
		doc:  "Sysctls to set, by name.",
		bind: func(k *Kernel) value { return sysctls{&k.Sysctls} },
	},
}

var drainFields = []field[Drain]{
	{
		key: "prepends", impact: SoftRefresh,
		doc: "How often eBGP neighbors see the own ASN on top of the path during a drain: for Azure Route Server, " +
			"the shorter path wins. All neighbors see GRACEFUL_SHUTDOWN (RFC 8326), iBGP ones LOCAL_PREF 0.",
		bind: func(d *Drain) value { return number(&d.Prepends, 0, 32) },
	},
	{
		key:  "hold",
		doc:  "Seconds from the beginning of a drain until traffic is taken to have moved: \"nvactl drain --wait\" returns.",
		bind: func(d *Drain) value { return seconds{p: &d.Hold, lo: 0, hi: 3600} },
	},
}

func checkPath(s string) error {
	if len(s) < 2 || s[0] != '/' {
		return fmt.Errorf("want an absolute path, got %s", show(s))
	}
	return nil
}
