package frrconf

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/config"
)

// sessionRules are the commands about a neighbor as a whole.
var sessionRules = slices.Concat(
	[]rule{
		on("neighbor GROUP peer-group", definePeerGroup),
		about("neighbor PEER peer-group GROUP", joinGroup),
		about("neighbor PEER remote-as ASN", remoteAS),
		about("neighbor PEER description REST", description),
		about("neighbor PEER password REST", password),
		about("neighbor PEER timers connect N", leave(meaningless("nvad decides by itself when to reconnect"))),
		about("neighbor PEER timers delayopen N", leave(unsupported("waiting before the session opens"))),
		about("neighbor PEER timers KEEPALIVE HOLD", peerTimers),
		about("neighbor PEER ebgp-multihop", multihop),
		about("neighbor PEER ebgp-multihop TTL", multihop),
		about("neighbor PEER ttl-security hops N", ttlSecurity),
		about("neighbor PEER update-source SOURCE", updateSource),
		about("neighbor PEER local-as ASN REST", localAS),
		about("neighbor PEER port N", numeric("port", 1, 65535, func(s *config.Settings, n uint32) { s.Port = uint16(n) })),
		about("neighbor PEER local-role ROLE REST", localRole),
		about("neighbor PEER shutdown REST", shutdown),
		about("no neighbor PEER shutdown REST", func(_ *converter, _ *line, p *peer, _ []string) outcome {
			return p.change(func(s *config.Settings) { s.Shutdown = false })
		}),
		about("neighbor PEER advertisement-interval 0", keep),
		about("neighbor PEER advertisement-interval N", leave(unsupported("a pause between two UPDATEs"))),
	},
	toggle("neighbor PEER passive", func(s *config.Settings, on bool) { s.Passive = on }),
	toggle("neighbor PEER enforce-first-as", func(s *config.Settings, on bool) { s.EnforceFirstAS = on }),
	toggle("neighbor PEER graceful-restart", func(s *config.Settings, on bool) { s.GracefulRestart = on }),
	toggle("neighbor PEER graceful-restart-helper", func(s *config.Settings, on bool) { s.GracefulRestart = on }),
	toggle("neighbor PEER graceful-restart-disable", func(s *config.Settings, on bool) { s.GracefulRestart = !on }),
	toggle("neighbor PEER bfd", bfd),
	[]rule{about("neighbor PEER bfd MULTIPLIER RX TX", bfdTimers)},
	[]rule{about("neighbor PEER bfd profile NAME", useProfile), about("no neighbor PEER bfd profile NAME", noProfile)},
	leaveEach(unsupported("this BFD setting; see the neighbor's bfd"), "neighbor PEER bfd REST", "no neighbor PEER bfd REST"),
	leaveEach(unsupported("neighbors by interface"), "neighbor PEER interface REST"),
	leaveEach(unsupported("eBGP over a loopback without ebgp-multihop"),
		"neighbor PEER disable-connected-check", "neighbor PEER enforce-multihop"),
	leaveEach(unsupported("this capability"), "neighbor PEER capability extended-nexthop", "neighbor PEER capability orf REST",
		"neighbor PEER dont-capability-negotiate", "neighbor PEER override-capability", "neighbor PEER strict-capability-match",
		"neighbor PEER extended-optional-parameters", "no neighbor PEER capability REST"),
	leaveEach(unsupported("the segment size of the neighbor's TCP"), "neighbor PEER tcp-mss N"),
	leaveEach(unsupported("holding back routes whose path has the neighbor's ASN"), "neighbor PEER sender-as-path-loop-detection"),
	leaveEach(unsupported("graceful shutdown of one neighbor"), "neighbor PEER graceful-shutdown"),
	[]rule{about("neighbor PEER path-attribute treat-as-withdraw REST", treatAsWithdraw)},
	leaveEach(unsupported("discarding attributes"), "neighbor PEER path-attribute discard REST"),
	leaveEach(meaningless("nvad applies a changed configuration without this"), "neighbor PEER capability dynamic"),
	leaveEach(meaningless("about how FRR groups its updates"), "neighbor PEER solo"),
)

// keep handles a line that asks for what nvad does anyway.
func keep(*converter, *line, *peer, []string) outcome { return carried }

// leave returns a handler that leaves the line over.
func leave(o outcome) peerHandler {
	return func(*converter, *line, *peer, []string) outcome { return o }
}

func leaveEach(o outcome, patterns ...string) []rule {
	out := make([]rule, len(patterns))
	for i, p := range patterns {
		out[i] = about(p, leave(o))
	}
	return out
}

// toggle returns the rules of a command and of its negation.
func toggle(pattern string, f func(*config.Settings, bool)) []rule {
	with := func(yes bool) peerHandler {
		return func(c *converter, l *line, p *peer, _ []string) outcome {
			return p.change(func(s *config.Settings) { f(s, yes) })
		}
	}
	return []rule{about(pattern, with(true)), about("no "+pattern, with(false))}
}

// change adds a change of p for all families.
func (p *peer) change(e edit) outcome {
	p.session = append(p.session, e)
	return carried
}

// treatAsWithdraw leaves over a line that rejects received routes.
func treatAsWithdraw(_ *converter, _ *line, p *peer, _ []string) outcome {
	p.deaf = true
	return unsupported("rejecting routes for an attribute; so nothing is accepted from %s here", p.name)
}

// numeric returns a handler for a command with a number in a range.
func numeric(noun string, least, most uint32, set func(*config.Settings, uint32)) peerHandler {
	return func(_ *converter, _ *line, p *peer, args []string) outcome {
		n, ok := number(args[0])
		if !ok || n < least || n > most {
			return attention("%s is not a %s", args[0], noun)
		}
		return p.change(func(s *config.Settings) { set(s, n) })
	}
}

func joinGroup(c *converter, _ *line, p *peer, args []string) outcome {
	if c.bgp.groups[args[0]] == nil {
		return attention("there is no peer-group %s", args[0])
	}
	p.group = args[0]
	return carried
}

func remoteAS(_ *converter, l *line, p *peer, args []string) outcome {
	p.remote = remote{args[0], l}
	return carried
}

func description(_ *converter, _ *line, p *peer, args []string) outcome {
	if !p.address.IsValid() {
		return meaningless("a remark on a peer-group")
	}
	p.description = printable(strings.Join(args, " "))
	return carried
}

func password(c *converter, l *line, p *peer, args []string) outcome {
	key := strings.Join(args, " ")
	if key == "" || len(key) > 80 || printable(key) != key {
		return attention("TCP-MD5 takes a printable key of 1 to 80 bytes")
	}
	return p.change(func(s *config.Settings) { s.Password = key })
}

func peerTimers(c *converter, l *line, p *peer, args []string) outcome {
	keepalive, hold, o := timers(args)
	if o != carried {
		return o
	}
	return p.change(func(s *config.Settings) {
		s.HoldTime = hold
		if hold > 0 {
			s.Keepalive = keepalive
		}
	})
}

// ttlSecurity reads a number of hops. FRR refuses it after ebgp-multihop.
func ttlSecurity(_ *converter, l *line, p *peer, args []string) outcome {
	n, ok := number(args[0])
	if !ok || n < 1 || n > 254 {
		return attention("%s is not a number of hops", args[0])
	}
	return p.change(func(s *config.Settings) {
		if s.EBGPMultihop > 0 {
			l.drop(excluded)
			return
		}
		s.TTLSecurity = int(n)
	})
}

var excluded = attention("FRR refuses ebgp-multihop and ttl-security together, and keeps the first one, as this does")

// multihop reads a TTL. 1 is the default of an eBGP neighbor. FRR refuses all but 255 after
// ttl-security, which sends with 255 anyway.
func multihop(c *converter, l *line, p *peer, args []string) outcome {
	ttl := uint32(255)
	if len(args) > 0 {
		var ok bool
		if ttl, ok = number(args[0]); !ok || ttl < 1 || ttl > 255 {
			return attention("%s is not a TTL", args[0])
		}
	}
	if ttl == 1 {
		return carried
	}
	return p.change(func(s *config.Settings) {
		switch {
		case s.TTLSecurity == 0:
			s.EBGPMultihop = int(ttl)
		case ttl == 255:
			l.drop(meaningless("ttl-security sends with a TTL of 255 anyway"))
		default:
			l.drop(excluded)
		}
	})
}

// bfd turns BFD on or off. It keeps the timers of an earlier line.
func bfd(s *config.Settings, on bool) {
	switch {
	case !on:
		s.BFD = config.BFD{}
	case !s.BFD.Enabled:
		s.BFD = config.DefaultBFD()
	}
}

// bfdTimers reads the multiplier, and the intervals in milliseconds.
func bfdTimers(c *converter, l *line, p *peer, args []string) outcome {
	multiplier, ok1 := number(args[0])
	rx, ok2 := number(args[1])
	tx, ok3 := number(args[2])
	if !ok1 || !ok2 || !ok3 || multiplier < 1 || multiplier > 255 || min(rx, tx) < 10 || max(rx, tx) > 60000 {
		return attention("%s are not a multiplier and two intervals of 10 to 60000 ms", strings.Join(args, " "))
	}
	return p.change(func(s *config.Settings) {
		s.BFD = config.BFD{
			Enabled: true, Multiplier: int(multiplier),
			MinRx: time.Duration(rx) * time.Millisecond, MinTx: time.Duration(tx) * time.Millisecond,
		}
	})
}

// updateSource reads an address or a device.
func updateSource(_ *converter, _ *line, p *peer, args []string) outcome {
	a, err := netip.ParseAddr(args[0])
	return p.change(func(s *config.Settings) {
		if s.LocalAddress, s.LocalInterface = a, ""; err != nil {
			s.LocalInterface = args[0]
		}
	})
}

// localAS carries over only the form that hides the router's ASN from the neighbor, as
// local-asn does.
func localAS(c *converter, l *line, p *peer, args []string) outcome {
	asn, ok := number(args[0])
	if !ok || asn == 0 {
		return attention("%s is not an ASN", args[0])
	}
	if form := strings.ToLower(strings.Join(args[1:], " ")); form != "no-prepend replace-as" {
		return unsupported("a local-as in paths besides the router's ASN; only \"no-prepend replace-as\" can be carried over")
	}
	return p.change(func(s *config.Settings) { s.LocalASN = asn })
}

// counterpart maps the role of this router, which FRR configures, to the role of the
// neighbor, which nvad configures.
var counterpart = map[string]string{
	"provider": "customer", "customer": "provider",
	"rs-server": "rs-client", "rs-client": "rs-server",
	"peer": "peer",
}

func localRole(c *converter, l *line, p *peer, args []string) outcome {
	role := counterpart[strings.ToLower(args[0])]
	if role == "" {
		return attention("%s is not a role of RFC 9234", args[0])
	}
	strict := len(args) > 1 && args[1] == "strict-mode"
	return p.change(func(s *config.Settings) { s.Role, s.RoleStrict = role, strict })
}

func shutdown(c *converter, l *line, p *peer, args []string) outcome {
	switch {
	case len(args) > 0 && args[0] == "rtt":
		return unsupported("shutting down by round-trip time")
	case len(args) > 0:
		l.leave(meaningless("nvad's notification has no text; the shutdown itself is carried over"))
	}
	return p.change(func(s *config.Settings) { s.Shutdown = true })
}
