package frrconf

import (
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config"
)

// globalRules are the commands outside all blocks.
var globalRules = slices.Concat(
	[]rule{
		on("frr version VERSION", always(meaningless("the defaults of that release are written out"))),
		on("frr defaults PROFILE", frrDefaults),
		on("router bgp ASN", enterBGP),
		on("router bgp ASN as-notation NOTATION", enterBGP),
		on("router bgp", enterBGPAgain),
		on("interface DEVICE", enterInterface),
		on("interface DEVICE vrf NAME", block(unsupported("nvad works in the default VRF only"))),
		on("vrf default", enterDefaultVRF),
		on("ip|ipv6 route REST", staticRoute),
		on("ip|ipv6 protocol PROTOCOL route-map NAME", readProtocolMap),
		on("no zebra nexthop kernel enable", noNextHopGroups),
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
		"agentx", "allow-external-route-update", "ip tables REST", "zebra REST", "no zebra REST", "watchfrr REST",
		"exec-timeout REST", "access-class REST", "no login", "login"),
	each(meaningless("nvad logs to the journal; see daemon.log-level"),
		"log REST", "no log REST", "debug REST", "no debug REST"),
	each(meaningless("the kernel does not forward unless it is told to, and nvad does not change that"),
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
		on("bfd", enterBFD),
		on("rpki", block(unsupported("RPKI"))),
		on("key chain NAME", block(meaningless("only other protocols than BGP use key chains"))),
		on("nexthop-group NAME", block(unsupported("named next-hop groups"))),
		on("segment-routing", block(unsupported("segment routing"))),
		on("pbr-map REST", block(unsupported("policy-based routing"))),
		on("mpls REST", always(unsupported("MPLS"))),
		on("vni N", always(unsupported("EVPN"))),
	},
)

func frrDefaults(c *converter, _ *line, args []string) outcome {
	switch args[0] {
	case "datacenter":
		c.bgp.profileDatacenter()
		c.cfg.Kernel.ResolveDefault = true
	case "traditional":
	default:
		return attention("the profile %s is unknown: the defaults of traditional are used", args[0])
	}
	return meaningless("the defaults of that profile are written out")
}

func noNextHopGroups(c *converter, _ *line, _ []string) outcome {
	c.cfg.Kernel.NextHopGroups = config.Off
	return carried
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
		on("ip|ipv6 address PREFIX label NAME", interfaceAddress),
		on("no shutdown", always(carried)),
	},
	each(attention("without this file, the device is up: take it down by netplan or networkd"), "shutdown"),
	each(unsupported("addresses of a point-to-point link; set them by netplan or networkd"), "ip|ipv6 address ADDRESS peer PREFIX"),
	each(meaningless("a remark"), "description REST"),
	each(meaningless("only other protocols use the bandwidth"), "bandwidth N"),
	each(meaningless("nvad always notices when a link goes down"), "link-detect", "no link-detect"),
	each(meaningless("only other protocols than BGP use it"), "ip ospf REST", "ipv6 ospf6 REST", "ip rip REST", "ip|ipv6 router REST", "isis REST",
		"no ip ospf REST", "no isis REST"),
	each(unsupported("router advertisements"), "ipv6 nd REST", "no ipv6 nd REST"),
	each(unsupported("MPLS"), "mpls REST"),
	each(unsupported("multicast"), "ip|ipv6 igmp REST", "ip|ipv6 pim REST", "ip|ipv6 mld REST", "multicast"),
)

// enterDefaultVRF begins a block of commands that mean the same outside of it.
func enterDefaultVRF(c *converter, _ *line, _ []string) outcome {
	c.enter(&mode{})
	return carried
}

func enterInterface(c *converter, _ *line, args []string) outcome {
	c.enter(&mode{rules: interfaceRules, device: args[0]})
	return carried
}

// interfaceAddress records an address. If the device turns out to be a tunnel, nvad will
// set it; the addresses of other devices are left to the system.
func interfaceAddress(c *converter, l *line, args []string) outcome {
	p, err := netip.ParsePrefix(args[0])
	if err != nil {
		return attention("%s is not an address with its length", args[0])
	}
	c.hosts.add(c.mode.device, p)
	c.hosts.pending = append(c.hosts.pending, deviceAddress{l, c.mode.device, p})
	return carried
}

// static is a static route and its line.
type static struct {
	config.Static
	line *line
}

func staticRoute(c *converter, l *line, args []string) outcome {
	s := &static{line: l, Static: config.Static{Distance: 1}}
	dest, rest, o := destination(args, l.words[0] == "ipv6")
	if o != carried {
		return o
	}
	s.Prefix = dest
	if rest, o = s.nextHop(rest); o != carried {
		return o
	}
	if o := s.options(rest); o != carried {
		return o
	}
	c.statics = append(c.statics, s)
	return carried
}

// destination returns the prefix, or the address and mask, at the beginning of args.
func destination(args []string, ipv6 bool) (netip.Prefix, []string, outcome) {
	if len(args) < 2 {
		return netip.Prefix{}, nil, attention("the route is not complete")
	}
	rest := args[1:]
	text := args[0]
	if bits, ok := maskBits(args[1]); ok && !strings.Contains(text, "/") {
		text, rest = text+"/"+strconv.Itoa(bits), args[2:]
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil || p.Addr().Is4() == ipv6 || p.Addr().Is4In6():
		return p, nil, attention("%s is not a prefix", args[0])
	case len(rest) > 0 && rest[0] == "from":
		return p, nil, unsupported("routes by source address")
	}
	return p.Masked(), rest, carried
}

// maskBits returns the length of a netmask; s may also be the length itself.
func maskBits(s string) (int, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return n, n >= 0 && n <= 128
	}
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, false
	}
	b := a.As4()
	mask := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := bits.LeadingZeros32(^mask)
	return n, mask == ^uint32(0)<<(32-n)
}

// nextHop reads the next hop of a route, and returns the words after it.
func (s *static) nextHop(words []string) ([]string, outcome) {
	if len(words) == 0 {
		return nil, attention("the route has no next hop")
	}
	first, rest := words[0], words[1:]
	via, err := netip.ParseAddr(first)
	switch {
	case strings.EqualFold(first, "reject"):
		s.Blackhole = true
		s.line.leave(attention("nvad drops the packets silently, where FRR's reject tells the sender"))
	case strings.EqualFold(first, "Null0"), strings.EqualFold(first, "blackhole"):
		s.Blackhole = true
	case err != nil:
		s.Device = first
	default:
		s.Via = []config.Gateway{{Address: via}}
		if len(rest) > 0 && !routeOption(rest[0]) {
			s.Device, rest = rest[0], rest[1:]
		}
	}
	if s.Via != nil && strings.EqualFold(s.Device, "Null0") {
		return nil, attention("a gateway on Null0")
	}
	return rest, carried
}

// routeOption reports whether a word after the gateway is an option and no device.
func routeOption(word string) bool {
	if _, err := strconv.Atoi(word); err == nil {
		return true
	}
	return slices.Contains([]string{"tag", "table", "vrf", "label", "nexthop-vrf", "onlink", "color", "bfd", "segments"}, word)
}

// options reads the distance and other options.
func (s *static) options(words []string) outcome {
	for i := 0; i < len(words); i++ {
		if n, err := strconv.Atoi(words[i]); err == nil {
			if n < 1 || n > 254 {
				return unsupported("a static route with distance %d, which FRR never installs", n)
			}
			s.Distance = uint8(n)
			continue
		}
		switch {
		case words[i] == "tag" && i+1 < len(words):
			i++
			s.line.leave(unsupported("tags of static routes; the route itself is carried over"))
		default:
			return unsupported("%s of a static route", words[i])
		}
	}
	return carried
}

// finishStatics joins routes that differ in the next hop only, over which FRR balances
// traffic. nvad does so between gateways, not between devices without one.
func (c *converter) finishStatics() {
	for _, s := range c.statics {
		same := func(o config.Static) bool {
			return o.Prefix == s.Prefix && o.Distance == s.Distance && o.Metric == s.Metric
		}
		i := slices.IndexFunc(c.cfg.Statics, same)
		if i < 0 {
			c.cfg.Statics = append(c.cfg.Statics, s.Static)
			continue
		}
		switch first := &c.cfg.Statics[i]; {
		case first.Equal(s.Static):
		case first.Via == nil || s.Via == nil:
			s.line.drop(unsupported("a static route with several next hops, one of them without a gateway; the first one is carried over"))
		case !slices.Contains(first.Hops(), s.Hops()[0]):
			first.Via, first.Device = append(first.Hops(), s.Hops()...), ""
		}
	}
}
