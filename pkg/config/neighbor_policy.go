package config

import (
	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// pathFields say how paths are accepted and changed, besides by policy.
var pathFields = []tomlfile.Field[Settings]{
	{
		Key: "domain", Example: `"ars-hub00"`, Shown: true, Impact: SoftRefresh,
		Doc: "Loop domain: what was learned in a domain is never sent back into it. Both instances of a Route Server are one. " +
			`"auto" names it after the /27 (IPv6: /64) of the neighbor's address, which both instances share.`,
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Text(&s.Domain, checkDomain) },
	},
	{
		Key: "vnet", Example: `["10.0.0.0/16"]`, Impact: SoftRefresh,
		Doc: "Address space of the VNet that this Route Server serves. Azure ignores what it is told of it, and of parts of it: " +
			"nvad holds that back, and says so.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Prefixes(&s.VNet) },
	},
	{
		Key: "next-hop-self", Impact: SoftRefresh,
		Doc:  `Send this NVA as the next hop to an iBGP neighbor: true for what eBGP taught, "force" for all.`,
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.BoolOr(&s.NextHopSelf, &s.NextHopSelfForce, "force") },
	},
	{
		Key: "route-reflector-client", Impact: SoftRefresh,
		Doc:  "Reflect iBGP routes to and from this iBGP neighbor (RFC 4456).",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Bool(&s.RouteReflectorClient) },
	},
	{
		Key: "allowas-in", Impact: SoftRefresh,
		Doc:  "Accept paths that hold the own ASN so many times.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Number(&s.AllowASIn, 0, 10) },
	},
	{
		Key: "as-override", Impact: SoftRefresh,
		Doc:  "Send the own ASN wherever a path holds the neighbor's.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Bool(&s.ASOverride) },
	},
	{
		Key: "remove-private-as", Impact: SoftRefresh,
		Doc: `Send paths without private ASNs (RFC 6996), 65515 among them; "replace" writes the own ASN over each, which keeps the length. ` +
			"The neighbor's own ASN stays. FRR calls this \"remove-private-AS all\".",
		Bind: func(s *Settings) tomlfile.Value {
			return tomlfile.BoolOr(&s.RemovePrivateAS, &s.ReplacePrivateAS, "replace")
		},
	},
	{
		Key: "enforce-first-as", Impact: SoftRefresh,
		Doc:  "Refuse paths of an eBGP neighbor that do not begin with its ASN.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Bool(&s.EnforceFirstAS) },
	},
	{
		Key: "allow-as-sets", Impact: SoftRefresh,
		Doc:  "Accept paths with an AS_SET, which RFC 9774 abolishes.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Bool(&s.AllowASSets) },
	},
}

// defaultFields are the keys of the default route that a neighbor is sent.
var defaultFields = []tomlfile.Field[Settings]{
	{
		Key: "default-originate", Impact: SoftRefresh,
		Doc:  "Send a default route, whether or not the table has one. It passes no export policy.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Bool(&s.DefaultOriginate) },
	},
	{
		Key: "default-originate-map", Example: `"tag-own"`, Impact: SoftRefresh,
		Doc:  "Route-map that sets its attributes, or denies it.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Text(&s.DefaultOriginateMap, checkName) },
	},
}

// policyFields are the keys of policy.
var policyFields = []tomlfile.Field[Settings]{
	{
		Key: "weight", Impact: SoftRefresh,
		Doc:  "Local preference among neighbors that is never sent; the highest wins.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Number(&s.Weight, 0, tomlfile.MaxUint16) },
	},
	{
		Key: "role", Example: `"provider"`, Impact: SessionReset,
		Doc: "What the neighbor is to this NVA (RFC 9234): " + tomlfile.OrList(roles) + ". It is announced, so that both ends agree, " +
			"and routes of providers, peers and route servers go to customers alone (Only to Customer).",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.OneOf(&s.Role, roles...) },
	},
	{
		Key: "import", Example: `{ deny-asns = "reserved" }`, Shown: true, Impact: SoftRefresh,
		Doc:  `What to take: "accept", "deny", or a table of deny-asns, prefix-list, as-path-list and route-map. Default: "accept" for iBGP, "deny" for eBGP (RFC 8212).`,
		Bind: func(s *Settings) tomlfile.Value { return chain(&s.Import) },
	},
	{
		Key: "export", Example: `{ prefix-list = "rs-hub00", route-map = "to-azure" }`, Shown: true, Impact: SoftRefresh,
		Doc:  "What to send; as import.",
		Bind: func(s *Settings) tomlfile.Value { return chain(&s.Export) },
	},
}

// roles are those of RFC 9234.
var roles = []string{"provider", "customer", "peer", "rs-server", "rs-client"}

func checkDomain(s string) error {
	if s == "" {
		return nil // undoes what the peer-group says
	}
	return checkName(s)
}

var chainFields = []tomlfile.Field[policy.Chain]{
	{Key: "deny-asns", Example: `"reserved"`, Doc: `Deny paths with an ASN that is "reserved", "private", or in either of a list of both.`,
		Bind: func(c *policy.Chain) tomlfile.Value { return tomlfile.Words(&c.DenyASNs, true, "reserved", "private") }},
	{Key: "prefix-list", Example: `"rs-hub00"`, Doc: "Deny prefixes that are not in this list.",
		Bind: func(c *policy.Chain) tomlfile.Value { return tomlfile.Text(&c.PrefixList, checkName) }},
	{Key: "as-path-list", Example: `"azure-asns"`, Doc: "Deny paths that are not in this list.",
		Bind: func(c *policy.Chain) tomlfile.Value { return tomlfile.Text(&c.ASPathList, checkName) }},
	{Key: "route-map", Example: `"to-azure"`, Doc: "Run this route-map.",
		Bind: func(c *policy.Chain) tomlfile.Value { return tomlfile.Text(&c.RouteMap, checkName) }},
}

// chain returns import or export: a word, or a table of lists.
func chain(p *policy.Chain) tomlfile.Value {
	return tomlfile.Custom("word or table", func(c tomlfile.Cell) {
		switch val := c.Val.(type) {
		case string:
			var word string
			tomlfile.OneOf(&word, "accept", "deny").Set(c)
			*p = policy.Chain{Accept: word == "accept"}
		case map[string]any:
			*p = policy.Chain{Accept: true}
			tomlfile.InlineTable(p, chainFields).Set(c)
			if len(val) == 0 {
				c.Fail(`want a list or a route-map; "accept" passes everything`)
			}
		default:
			c.Want(`"accept", "deny" or a table`)
		}
	}, func() string {
		switch *p {
		case policy.Chain{}:
			return `"deny"`
		case policy.Chain{Accept: true}:
			return `"accept"`
		}
		return tomlfile.InlineTable(p, chainFields).TOML()
	})
}

// OriginChain is what a route passes where it is originated; routeMap may be
// empty.
func OriginChain(routeMap string) policy.Chain {
	return policy.Chain{Accept: true, RouteMap: routeMap}
}

// OriginSession is what the policy compiler needs to know for an OriginChain:
// there is no neighbor.
func (c *Config) OriginSession() policy.Session { return policy.Session{LocalASN: c.ASN} }

// DefaultChain is what the default route passes that n is sent; the zero Chain
// if none is.
func (s *Settings) DefaultChain() policy.Chain {
	if !s.DefaultOriginate {
		return policy.Chain{}
	}
	return OriginChain(s.DefaultOriginateMap)
}

// Session is what the policy compiler needs to know of the session with n, in
// one direction.
func (c *Config) Session(n *Neighbor, export bool) policy.Session {
	return policy.Session{
		LocalASN:     n.OwnASN(c),
		PeerASN:      n.RemoteASN,
		Neighbor:     n.Address,
		LocalAddress: n.LocalAddress,
		PeerGroup:    n.PeerGroup,
		Role:         n.Role,
		Export:       export,
	}
}

// kind reports keys that only eBGP or only iBGP has.
func (v *checker) kind(key string, n *Neighbor) {
	own := n.OwnASN(v.cfg)
	if n.RemoteASN == 0 || own == 0 {
		return
	}
	ibgp := n.RemoteASN == own
	switch {
	case ibgp && n.Role != "":
		v.fault(key, n, []string{"role"}, "an iBGP neighbor has no role (RFC 9234)")
	case !ibgp && n.RouteReflectorClient:
		v.fault(key, n, []string{"route-reflector-client"}, "only an iBGP neighbor can be a client; AS %d is not %d", n.RemoteASN, own)
	}
}

// defaultOriginate looks at the default route that n is sent. A neighbor may
// switch off what its group asks for.
func (v *checker) defaultOriginate(key string, n *Neighbor) {
	if n.DefaultOriginateMap != "" && !n.DefaultOriginate && !v.has(key+".default-originate") {
		v.fault(key, n, []string{"default-originate-map"}, "default-originate-map needs default-originate = true")
	}
}

func (w *warner) neighbor(i int) {
	n := &w.cfg.Neighbors[i]
	if n.RemoteASN == routeServerASN {
		w.routeServer(i)
	}
	w.outsideTunnel(i)
	if n.Address.Is4() && n.Families.Has(route.IPv6) {
		w.warn("family", w.places(i, "families"), "IPv6 routes over an IPv4 session have no usable next hop unless a route-map sets one")
	}
	if n.RemoteASN == n.OwnASN(w.cfg) {
		return
	}
	w.noPolicy(i, "import", n.Import)
	w.noPolicy(i, "export", n.Export)
}

// noPolicy reports an eBGP neighbor whose import or export nobody gives;
// "deny" is a policy.
func (w *warner) noPolicy(i int, key string, c policy.Chain) {
	given := w.src.Has(w.src.First(w.places(i, key)))
	if c == (policy.Chain{}) && !given {
		own := w.src.Elem("neighbor", i, w.cfg.Neighbors[i].Address)
		effect := "accepted from"
		if key == "export" {
			effect = "sent to"
		}
		w.warn("no-policy", own+"."+key, "no route is %s an eBGP neighbor without %s policy (RFC 8212); set %[2]s", effect, key)
	}
}
