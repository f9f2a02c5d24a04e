package frrconf

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/nvad/nvad/pkg/route"
)

// bgp holds the router bgp block. It begins with the defaults of FRR's traditional
// profile.
type bgp struct {
	asn      uint32
	routerID netip.Addr
	entered  bool

	holdTime, keepalive time.Duration
	requirePolicy       bool // RFC 8212
	policyTold          bool // the file says requirePolicy, not the release alone
	checkNetworks       bool // originate a network only while there is a route to it
	networksTold        bool
	refuseASSets        bool
	enforceFirstAS      bool
	shutdown            bool // of all neighbors
	defaultShutdown     bool // of neighbors that do not say otherwise
	graceful            bool
	restartTime         time.Duration
	stalePathTime       time.Duration
	activate            [families]bool // default for neighbors
	maxPaths            [2]*pathLimit  // eBGP, iBGP

	peers  map[string]*peer
	order  []*peer
	groups map[string]*peer

	ranges      []*listened
	listenLimit int // 0: FRR's default
}

// pathLimit is a maximum-paths line.
type pathLimit struct {
	line *line
	n    int
}

// family is an index of the address families.
type family int

const (
	ipv4 family = iota
	ipv6
	families
)

// routeFamilies are the address families as nvad has them.
var routeFamilies = [families]route.Family{route.IPv4, route.IPv6}

func familyOfAddr(a netip.Addr) family {
	if a.Is4() {
		return ipv4
	}
	return ipv6
}

// maxPaths is the largest number of next hops in nvad, and the default of Debian's FRR.
const maxPaths = 256

func newBGP() bgp {
	return bgp{
		holdTime: 180 * time.Second, keepalive: 60 * time.Second,
		requirePolicy: true, checkNetworks: true, graceful: true, restartTime: 120 * time.Second, stalePathTime: 360 * time.Second,
		activate: [families]bool{ipv4: true},
		peers:    map[string]*peer{}, groups: map[string]*peer{},
	}
}

// profileDatacenter applies "frr defaults datacenter".
func (b *bgp) profileDatacenter() {
	b.holdTime, b.keepalive, b.requirePolicy, b.policyTold = 9*time.Second, 3*time.Second, false, true
}

// bgpRules are the commands of the router bgp block. In old files it also has the
// commands of an address family, which is IPv4.
var bgpRules = slices.Concat(
	[]rule{
		on("bgp router-id ADDRESS", bgpRouterID),
		on("timers bgp KEEPALIVE HOLD", bgpTimers),
		on("address-family ipv4 unicast", enterFamily(ipv4)),
		on("address-family ipv4", enterFamily(ipv4)),
		on("address-family ipv6 unicast", enterFamily(ipv6)),
		on("address-family ipv6", enterFamily(ipv6)),
		on("address-family REST", block(unsupported("nvad speaks IPv4 and IPv6 unicast"))),
		on("vnc REST", block(unsupported("VNC"))),
		on("segment-routing srv6", block(unsupported("segment routing"))),
		on("bgp graceful-restart restart-time N", gracefulSeconds(func(b *bgp) *time.Duration { return &b.restartTime })),
		on("bgp graceful-restart stalepath-time N", gracefulSeconds(func(b *bgp) *time.Duration { return &b.stalePathTime })),
		on("bgp graceful-restart", assign(func(b *bgp) *bool { return &b.graceful }, true)),
		on("bgp graceful-restart-disable", assign(func(b *bgp) *bool { return &b.graceful }, false)),
		on("bgp bestpath as-path multipath-relax REST", multipathRelax),
		on("no bgp bestpath as-path multipath-relax REST", func(c *converter, _ *line, _ []string) outcome {
			c.cfg.Kernel.MultipathRelax = false
			return carried
		}),
		on("bgp listen range PREFIX peer-group GROUP", listenRange),
		on("bgp listen limit N", listenLimit),
		on("bgp shutdown REST", assign(func(b *bgp) *bool { return &b.shutdown }, true)),
		on("no bgp shutdown REST", assign(func(b *bgp) *bool { return &b.shutdown }, false)),
		on("bgp default local-preference 100", always(carried)),
		on("bgp client-to-client reflection", always(carried)),
		on("bgp bestpath compare-routerid", always(carried)), // age never counts
	},
	onOff("bgp default shutdown", func(b *bgp) *bool { return &b.defaultShutdown }),
	onOff("bgp default ipv4-unicast", func(b *bgp) *bool { return &b.activate[ipv4] }),
	onOff("bgp default ipv6-unicast", func(b *bgp) *bool { return &b.activate[ipv6] }),
	told(func(b *bgp) *bool { return &b.policyTold }, onOff("bgp ebgp-requires-policy", func(b *bgp) *bool { return &b.requirePolicy })),
	told(func(b *bgp) *bool { return &b.networksTold }, onOff("bgp network import-check", func(b *bgp) *bool { return &b.checkNetworks })),
	told(func(b *bgp) *bool { return &b.networksTold }, onOff("bgp network import-check exact", func(b *bgp) *bool { return &b.checkNetworks })),
	onOff("bgp enforce-first-as", func(b *bgp) *bool { return &b.enforceFirstAS }),
	onOff("bgp reject-as-sets", func(b *bgp) *bool { return &b.refuseASSets }),
	bgpMeaningless, bgpUnsupported,
	sessionRules, familyRules,
)

// bgpUnsupported are the commands for which nvad has no key.
var bgpUnsupported = slices.Concat(
	each(unsupported("local preference is 100 where no policy sets it"), "bgp default local-preference N"),
	each(unsupported("a decision process that differs from RFC 4271"),
		"bgp bestpath as-path ignore", "bgp bestpath as-path confed", "bgp bestpath med REST",
		"bgp bestpath bandwidth REST", "bgp bestpath peer-type multipath-relax", "bgp always-compare-med"),
	each(unsupported("the cluster-id of a route reflector is its router-id"), "bgp cluster-id ID"),
	each(unsupported("nvad always reflects routes between clients"), "no bgp client-to-client reflection"),
	each(unsupported("confederations"), "bgp confederation REST"),
	each(unsupported("details of graceful restart"),
		"bgp graceful-restart REST", "no bgp graceful-restart REST", "bgp long-lived-graceful-restart REST", "bgp graceful-shutdown"),
	each(unsupported("keeping sessions when their link goes down"), "no bgp fast-external-failover"),
	each(unsupported("a MED for all routes"), "bgp max-med REST"),
	each(attention("FRR installs no BGP route in the kernel; nvad installs all that import policy accepts"), "bgp no-rib"),
	each(unsupported("families other than IPv4 and IPv6 unicast"), "bgp default REST"),
	each(unsupported("eBGP over a loopback without ebgp-multihop"), "bgp disable-ebgp-connected-route-check"),
	each(unsupported("advertising only what the kernel has"), "bgp suppress-fib-pending"),
	each(unsupported("changing routes by a policy that a reflector sends to clients"), "no bgp route-reflector allow-outbound-policy"),
	each(unsupported("a lower limit for the neighbor's hold time"), "bgp minimum-holdtime N"),
	each(unsupported("EVPN"), "advertise-all-vni", "bgp evpn REST"),
)

// bgpMeaningless are the commands that nvad does not need.
var bgpMeaningless = slices.Concat(
	each(meaningless("nvad always logs changes of neighbors"), "bgp log-neighbor-changes", "no bgp log-neighbor-changes"),
	each(meaningless("nvad always compares MED within a neighboring AS, in any order of arrival"), "bgp deterministic-med", "no bgp deterministic-med"),
	each(meaningless("only about what FRR shows"), "bgp default show-hostname", "no bgp default show-hostname",
		"bgp default show-nexthop-hostname", "no bgp default show-nexthop-hostname"),
	each(meaningless("nvad sends nothing twice"), "bgp suppress-duplicates", "no bgp suppress-duplicates"),
	each(meaningless("pace of FRR's own work"), "coalesce-time N", "read-quanta N", "write-quanta N", "update-delay REST",
		"bgp update-delay REST", "bgp default subgroup-pkt-queue-max N", "bgp route-map delay-timer N", "bgp session-dscp N", "bgp fast-convergence"),
	each(meaningless("about the wording of FRR's notifications"), "bgp hard-administrative-reset", "no bgp hard-administrative-reset",
		"bgp graceful-restart notification", "no bgp graceful-restart notification"),
	each(meaningless("nvad resets the session of a link that goes down"), "bgp fast-external-failover"),
	each(meaningless("nvad keeps its routes in the kernel when it stops; see daemon.preserve-fib"), "bgp graceful-restart preserve-fw-state"),
	each(meaningless("policy always applies to what a reflector sends"), "bgp route-reflector allow-outbound-policy"),
)

// assign returns a handler that sets a flag.
func assign(at func(*bgp) *bool, value bool) handler {
	return func(c *converter, _ *line, _ []string) outcome {
		*at(&c.bgp) = value
		return carried
	}
}

// onOff returns the rules of a command that sets a flag, and of its negation.
func onOff(pattern string, at func(*bgp) *bool) []rule {
	return []rule{on(pattern, assign(at, true)), on("no "+pattern, assign(at, false))}
}

// told returns rules that also record that the file itself says something.
func told(at func(*bgp) *bool, rules []rule) []rule {
	for i, r := range rules {
		rules[i].do = func(c *converter, l *line, args []string) outcome {
			*at(&c.bgp) = true
			return r.do(c, l, args)
		}
	}
	return rules
}

func enterBGP(c *converter, _ *line, args []string) outcome {
	asn, ok := number(args[0])
	switch {
	case !ok || asn == 0:
		return c.skip(attention("%s is not an ASN", args[0]))
	case c.bgp.entered && asn != c.bgp.asn:
		return c.skip(unsupported("a second router bgp"))
	}
	c.bgp.asn, c.bgp.entered = asn, true
	c.enter(&mode{rules: bgpRules})
	return carried
}

// enterBGPAgain reads "router bgp" without an ASN, which FRR 10 accepts for the instance
// that exists.
func enterBGPAgain(c *converter, _ *line, _ []string) outcome {
	if !c.bgp.entered {
		return c.skip(attention("there is no ASN"))
	}
	c.enter(&mode{rules: bgpRules})
	return carried
}

func enterFamily(f family) handler {
	return func(c *converter, _ *line, _ []string) outcome {
		c.enter(&mode{rules: familyRules, family: f})
		return carried
	}
}

func bgpRouterID(c *converter, _ *line, args []string) outcome {
	a, err := netip.ParseAddr(args[0])
	if err != nil || !a.Is4() {
		return attention("%s is not a router-id", args[0])
	}
	c.bgp.routerID = a
	return carried
}

func bgpTimers(c *converter, _ *line, args []string) outcome {
	keepalive, hold, o := timers(args)
	if o == carried {
		c.bgp.keepalive, c.bgp.holdTime = keepalive, hold
	}
	return o
}

// timers reads keepalive and hold time. FRR sends at least three keepalives in the hold
// time, whatever the configured interval.
func timers(args []string) (keepalive, hold time.Duration, o outcome) {
	k, ok1 := number(args[0])
	h, ok2 := number(args[1])
	if !ok1 || !ok2 || k > 65535 || h > 65535 || h == 1 || h == 2 {
		return 0, 0, attention("%s and %s are no timers: a hold time is 0 or 3 to 65535 seconds", args[0], args[1])
	}
	if third := h / 3; k == 0 || k > third {
		k = third
	}
	return time.Duration(k) * time.Second, time.Duration(h) * time.Second, carried
}

func gracefulSeconds(at func(*bgp) *time.Duration) handler {
	return func(c *converter, _ *line, args []string) outcome {
		n, ok := number(args[0])
		if !ok || n < 1 || n > 4095 {
			return attention("%s is not a time of 1 to 4095 seconds", args[0])
		}
		*at(&c.bgp) = time.Duration(n) * time.Second
		return carried
	}
}

// number reads an unsigned 32-bit number.
func number(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

// maximumPaths reads "maximum-paths [ibgp] N"; which is 0 for eBGP, 1 for iBGP.
func maximumPaths(which int) handler {
	return func(c *converter, l *line, args []string) outcome {
		n, ok := number(args[0])
		if !ok || n < 1 || n > maxPaths {
			return attention("%s is not a number of paths from 1 to %d", args[0], maxPaths)
		}
		if c.mode.family != ipv4 {
			return unsupported("a number of paths for IPv6 alone; that of IPv4 applies to both")
		}
		c.bgp.maxPaths[which] = &pathLimit{l, int(n)}
		return carried
	}
}

func multipathRelax(c *converter, l *line, args []string) outcome {
	c.cfg.Kernel.MultipathRelax = true
	if slices.Contains(args, "as-set") {
		l.leave(unsupported("joining the AS_PATHs of paths that share traffic to a set; the paths do share it"))
	}
	return carried
}

// finishPaths takes the lower of the limits for eBGP and iBGP, as one path too many is
// worse than one too few.
func (c *converter) finishPaths() {
	limit := maxPaths
	for which, own := range c.bgp.maxPaths {
		internal := which == 1
		if own == nil || !c.hasNeighbors(internal) {
			continue
		}
		limit = min(limit, own.n)
		if other := c.bgp.maxPaths[1-which]; c.hasNeighbors(!internal) && (other == nil || other.n != own.n) {
			own.line.leave(attention("nvad has one number of paths for eBGP and iBGP: the lower one is used"))
		}
	}
	c.cfg.Kernel.MaxPaths = limit
}

func (c *converter) hasNeighbors(internal bool) bool {
	for _, n := range c.allNeighbors() {
		if (n.RemoteASN == n.OwnASN(c.cfg)) == internal {
			return true
		}
	}
	return false
}
