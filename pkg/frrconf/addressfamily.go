package frrconf

import (
	"slices"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
)

// familyRules are the commands of an address family.
var familyRules = slices.Concat(
	[]rule{
		on("network PREFIX REST", networkStatement),
		on("maximum-paths N", maximumPaths(0)),
		on("maximum-paths ibgp N", maximumPaths(1)),
		on("maximum-paths ibgp N equal-cluster-length", func(c *converter, l *line, args []string) outcome {
			l.leave(unsupported("sharing traffic only between routes reflected equally often; the number of paths is carried over"))
			return maximumPaths(1)(c, l, args)
		}),
		about("neighbor PEER activate", activate(true)),
		about("no neighbor PEER activate", activate(false)),
		about("neighbor PEER prefix-list NAME DIRECTION", attach("prefix-list")),
		about("neighbor PEER distribute-list NAME DIRECTION", attach("access-list")),
		about("neighbor PEER filter-list NAME DIRECTION", attach("as-path-list")),
		about("neighbor PEER route-map NAME DIRECTION", attach("route-map")),
		about("neighbor PEER allowas-in REST", allowASIn),
		about("neighbor PEER remove-private-AS REST", removePrivateAS),
		about("neighbor PEER weight N", weight),
		about("neighbor PEER maximum-prefix N REST", maximumPrefix),
		about("neighbor PEER maximum-prefix-out N", maximumPrefixOut),
		about("neighbor PEER send-community REST", keep), // nvad always sends them, and so does FRR by default
	},
	familyToggle("neighbor PEER next-hop-self", func(s *config.Settings, on bool) { s.NextHopSelf, s.NextHopSelfForce = on, false }),
	familyToggle("neighbor PEER next-hop-self force|all", func(s *config.Settings, on bool) { s.NextHopSelf, s.NextHopSelfForce = on, on }),
	familyToggle("neighbor PEER route-reflector-client", func(s *config.Settings, on bool) { s.RouteReflectorClient = on }),
	familyToggle("neighbor PEER as-override", func(s *config.Settings, on bool) { s.ASOverride = on }),
	leaveEach(meaningless("nvad always keeps what it received"), "neighbor PEER soft-reconfiguration inbound"),
	leaveEach(meaningless("nvad receives one path for each prefix"), "neighbor PEER disable-addpath-rx"),
	originateRules,
	leaveEach(unsupported("withholding communities; a route-map can take them off"), "no neighbor PEER send-community REST"),
	leaveEach(unsupported("several paths for one prefix"), "neighbor PEER addpath-tx-all-paths", "neighbor PEER addpath-tx-bestpath-per-AS"),
	leaveEach(unsupported("attributes that pass unchanged"), "neighbor PEER attribute-unchanged REST", "neighbor PEER nexthop-local unchanged"),
	leaveEach(unsupported("clients of a route server"), "neighbor PEER route-server-client"),
	leaveEach(unsupported("parts of an aggregate for one neighbor"), "neighbor PEER unsuppress-map NAME"),
	[]rule{about("neighbor PEER advertise-map REST", advertiseMap)},
	leaveEach(unsupported("a Site-of-Origin by hand; see the neighbor's domain"), "neighbor PEER soo VALUE"),
	each(attention("FRR keeps routes out of the kernel by it; nvad installs all that import policy accepts"), "table-map NAME"),
	each(unsupported("distances of BGP routes; see kernel.metric"), "distance REST"),
	each(unsupported("VPNs"), "import REST", "export REST", "rd REST", "rt REST", "label REST", "nexthop REST"),
	each(unsupported("flap damping"), "bgp dampening REST"),
)

// changeIn adds a change of p for one family.
func (p *peer) changeIn(f family, l *line, e edit) outcome {
	p.families[f].edits = append(p.families[f].edits, e)
	p.families[f].lines = append(p.families[f].lines, l)
	return carried
}

func familyToggle(pattern string, f func(*config.Settings, bool)) []rule {
	with := func(yes bool) peerHandler {
		return func(c *converter, l *line, p *peer, _ []string) outcome {
			return p.changeIn(c.mode.family, l, func(s *config.Settings) { f(s, yes) })
		}
	}
	return []rule{about(pattern, with(true)), about("no "+pattern, with(false))}
}

func activate(yes bool) peerHandler {
	return func(c *converter, _ *line, p *peer, _ []string) outcome {
		p.families[c.mode.family].active = &yes
		return carried
	}
}

// advertiseMap leaves over a line that holds routes back while others exist.
func advertiseMap(c *converter, _ *line, p *peer, _ []string) outcome {
	p.families[c.mode.family].mute = true
	return unsupported("advertising by condition; so %s is sent nothing here", p.name)
}

// attach adds a list to a neighbor's policy. FRR evaluates access-list or prefix-list,
// then as-path list, then route-map, which is the order of a Chain.
func attach(kind string) peerHandler {
	return func(c *converter, l *line, p *peer, args []string) outcome {
		name, direction := args[0], strings.ToLower(args[1])
		if direction != "in" && direction != "out" {
			return attention("%s is not a direction", args[1])
		}
		if before := p.families[c.mode.family].filters(direction, kind); before != kind {
			return attention("FRR refuses it beside the %s of this neighbor", before)
		}
		c.refer(l, kind, name)
		if kind == "route-map" {
			c.policies.used(name, direction)
		}
		return p.changeIn(c.mode.family, l, func(s *config.Settings) {
			chain := &s.Import
			if direction == "out" {
				chain = &s.Export
			}
			target := name
			if kind == "access-list" { // which needs all lists to be known
				target = c.policies.accessName(name)
			}
			*place(chain, kind) = target
		})
	}
}

// filters returns the kind of list that filters prefixes in a direction, kind if there is none
// before it. FRR accepts no second kind.
func (f *peerFamily) filters(direction, kind string) string {
	if kind != "prefix-list" && kind != "access-list" {
		return kind
	}
	if f.filter == nil {
		f.filter = map[string]string{}
	}
	if f.filter[direction] == "" {
		f.filter[direction] = kind
	}
	return f.filter[direction]
}

// place returns the field of a Chain for a list of a kind.
func place(chain *policy.Chain, kind string) *string {
	switch kind {
	case "as-path-list":
		return &chain.ASPathList
	case "route-map":
		return &chain.RouteMap
	}
	return &chain.PrefixList
}

// allowASIn reads how often the router's ASN may occur: three times by default.
func allowASIn(c *converter, l *line, p *peer, args []string) outcome {
	times := uint32(3)
	if len(args) > 0 {
		var ok bool
		if args[0] == "origin" {
			return unsupported("allowing the router's ASN as the origin only")
		}
		if times, ok = number(args[0]); !ok || times > 10 {
			return attention("%s is not a number from 1 to 10", args[0])
		}
	}
	return p.changeIn(c.mode.family, l, func(s *config.Settings) { s.AllowASIn = int(times) })
}

// removePrivateAS carries over the forms that nvad has: every private ASN is removed, or
// replaced.
func removePrivateAS(c *converter, l *line, p *peer, args []string) outcome {
	form := strings.ToLower(strings.Join(args, " "))
	if form != "all" && form != "all replace-as" {
		return unsupported("removing private ASNs only where a path has no other; \"all\" can be carried over")
	}
	return p.changeIn(c.mode.family, l, func(s *config.Settings) {
		s.RemovePrivateAS, s.ReplacePrivateAS = true, form != "all"
	})
}

func weight(c *converter, l *line, p *peer, args []string) outcome {
	n, ok := number(args[0])
	if !ok || n > 65535 {
		return attention("%s is not a weight", args[0])
	}
	return p.changeIn(c.mode.family, l, func(s *config.Settings) { s.Weight = n })
}

// maximumPrefix reads the limit, the percentage for a warning, and the action.
func maximumPrefix(c *converter, l *line, p *peer, args []string) outcome {
	n, ok := number(args[0])
	if !ok || n == 0 {
		return attention("%s is not a number of prefixes", args[0])
	}
	limit := config.Settings{MaximumPrefix: int(n), MaximumPrefixWarning: config.DefaultSettings().MaximumPrefixWarning,
		MaximumPrefixAction: config.ActionShutdown, MaximumPrefixCount: config.CountAccepted}
	for words := args[1:]; len(words) > 0; words = words[1:] {
		v, isNumber := number(words[0])
		switch {
		case words[0] == "warning-only":
			limit.MaximumPrefixAction = config.ActionWarn
		case words[0] == "force":
			limit.MaximumPrefixCount = config.CountReceived
		case words[0] == "restart" && len(words) > 1:
			words = words[1:]
			minutes, ok := number(words[0])
			if !ok || minutes == 0 || minutes > 65535 {
				return attention("%s is not a number of minutes", words[0])
			}
			limit.MaximumPrefixRestart = time.Duration(minutes) * time.Minute
		case isNumber && v >= 1 && v <= 100:
			limit.MaximumPrefixWarning = int(v)
		default:
			return attention("%s is no option of maximum-prefix", words[0])
		}
	}
	return p.changeIn(c.mode.family, l, func(s *config.Settings) {
		s.MaximumPrefixCount = limit.MaximumPrefixCount
		s.MaximumPrefix, s.MaximumPrefixAction = limit.MaximumPrefix, limit.MaximumPrefixAction
		s.MaximumPrefixWarning, s.MaximumPrefixRestart = limit.MaximumPrefixWarning, limit.MaximumPrefixRestart
	})
}

func maximumPrefixOut(c *converter, l *line, p *peer, args []string) outcome {
	n, ok := number(args[0])
	if !ok || n == 0 {
		return attention("%s is not a number of prefixes", args[0])
	}
	return p.changeIn(c.mode.family, l, func(s *config.Settings) { s.MaximumPrefixOut = int(n) })
}
