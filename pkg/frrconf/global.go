package frrconf

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// globalRules are the commands outside of all blocks.
var globalRules = slices.Concat(
	[]rule{
		on("frr version VERSION", frrVersion),
		on("frr defaults PROFILE", frrDefaults),
		on("router bgp ASN", enterBGP),
		on("router bgp ASN as-notation NOTATION", enterBGP),
		on("interface DEVICE", enterInterface),
		on("ip|ipv6 route REST", staticRoute),
		on("ip|ipv6 nht resolve-via-default", resolveVia(true)),
		on("no ip|ipv6 nht resolve-via-default", resolveVia(false)),
		on("ip router-id ADDRESS", bgpRouterID),
		on("router-id ADDRESS", bgpRouterID),
		on("ip forwarding", forwarding("net.ipv4.ip_forward")),
		on("ipv6 forwarding", forwarding("net.ipv6.conf.all.forwarding")),
	},
	prefixListRules, pathListRules, communityListRules, accessListRules, routeMapRules,
	each(meaningless("nvad is configured by its file; this is about FRR's own shell and processes"),
		"hostname REST", "domainname REST", "service REST", "no service REST", "line REST",
		"password REST", "enable REST", "username REST", "banner REST", "no banner REST",
		"agentx", "allow-external-route-update", "ip tables REST", "zebra REST", "watchfrr REST",
		"exec-timeout REST", "access-class REST", "no login", "login"),
	each(meaningless("nvad logs to the journal; see daemon.log-level"),
		"log REST", "no log REST", "debug REST", "no debug REST"),
	each(meaningless("the kernel does not forward unless it is told to, and nvad does not tell it"),
		"no ip|ipv6 forwarding"),
	each(meaningless("a limit of FRR's own work, not of routes"),
		"bgp route-map delay-timer N", "bgp update-delay REST", "bgp session-dscp N",
		"no ip|ipv6 nht hide-backup-events", "bgp send-extra-data zebra"),
	each(unsupported("nvad has no filter between BGP and the kernel's table"),
		"ip|ipv6 protocol REST", "ip|ipv6 nht PROTOCOL route-map NAME", "ip|ipv6 import-table REST"),
	each(unsupported("nvad does not route multicast"), "ip mroute REST", "ip multicast REST", "ip pim REST"),
	each(unsupported("bgp community aliases"), "bgp community alias REST"),
	each(unsupported("restarting all sessions at once; see the neighbors' settings"), "bgp graceful-restart REST", "bgp graceful-shutdown"),
	[]rule{
		on("router REST", block(unsupported("nvad speaks BGP in the default VRF only"))),
		on("vrf NAME", block(unsupported("nvad works in the default VRF only"))),
		on("bfd", block(unsupported("BFD profiles and sessions without a neighbor; see the neighbors' bfd"))),
		on("rpki", block(unsupported("RPKI"))),
		on("key chain NAME", block(meaningless("only other protocols than BGP use key chains"))),
		on("nexthop-group NAME", block(unsupported("named next-hop groups"))),
		on("segment-routing", block(unsupported("segment routing"))),
		on("pbr-map REST", block(unsupported("policy-based routing"))),
		on("mpls REST", always(unsupported("MPLS"))),
		on("vni N", always(unsupported("EVPN"))),
	},
)

// frrVersion notes the release whose defaults the file was written for: FRR
// keeps them for older files.
func frrVersion(c *converter, _ *line, args []string) outcome {
	if before(args[0], 7, 4) {
		c.bgp.requirePolicy, c.bgp.checkNetworks = false, false
	}
	c.bgp.enforceFirstAS = readable(args[0]) && !before(args[0], 9, 1)
	return meaningless("the defaults of that release are written out")
}

// before reports whether version is that of a release before major.minor; a
// version it can't read is none.
func before(version string, major, minor int) bool {
	a, b, ok := release(version)
	return ok && (a < major || a == major && b < minor)
}

func readable(version string) bool {
	_, _, ok := release(version)
	return ok
}

func release(version string) (major, minor int, ok bool) {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, err1 := strconv.Atoi(first)
	minor, err2 := strconv.Atoi(second)
	return major, minor, err1 == nil && err2 == nil
}

func frrDefaults(c *converter, _ *line, args []string) outcome {
	switch args[0] {
	case "datacenter":
		c.bgp.profileDatacenter()
		c.cfg.Kernel.ResolveDefault = true
	case "traditional":
	default:
		return attention("the profile %s is unknown; the defaults of traditional are taken", args[0])
	}
	return meaningless("the defaults of that profile are written out")
}

func resolveVia(yes bool) handler {
	return func(c *converter, _ *line, _ []string) outcome {
		c.cfg.Kernel.ResolveDefault = yes
		return carried
	}
}

func forwarding(sysctl string) handler {
	return func(c *converter, _ *line, _ []string) outcome {
		c.sysctl(sysctl, "1")
		return carried
	}
}

func (c *converter) sysctl(name, value string) {
	if c.cfg.Kernel.Sysctls == nil {
		c.cfg.Kernel.Sysctls = map[string]string{}
	}
	c.cfg.Kernel.Sysctls[name] = value
}

var interfaceRules = slices.Concat(
	[]rule{
		on("ip|ipv6 address PREFIX", interfaceAddress),
		on("no shutdown", always(carried)),
	},
	each(meaningless("a remark"), "description REST"),
	each(meaningless("only other protocols use the bandwidth"), "bandwidth N"),
)

func enterInterface(c *converter, _ *line, args []string) outcome {
	c.enter(&mode{rules: interfaceRules, device: args[0]})
	return carried
}

// interfaceAddress gives a tunnel its address; those of other devices are not
// nvad's to make.
func interfaceAddress(c *converter, l *line, args []string) outcome {
	p, err := netip.ParsePrefix(args[0])
	if err != nil {
		return attention("%s is not an address with its length", args[0])
	}
	c.hosts.add(c.mode.device, p)
	c.hosts.pending = append(c.hosts.pending, deviceAddress{l, c.mode.device, p})
	return carried
}
