package config

import (
	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// pathFields are the keys that accept and change paths, besides policies.
var pathFields = []tomlfile.Field[Settings]{
	{
		Key: "domain", Example: `"ars-hub00"`, Shown: true, Impact: SoftRefresh,
		Doc: "Loop domain: routes learned from one neighbor of a domain are never sent to another neighbor of it. Both " +
			`instances of a Route Server belong to one domain. "auto" names it after the /27 (IPv6: /64) of the neighbor's ` +
			"address, which both instances share.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Text(&s.Domain, checkDomain) },
	},
	{
		Key: "vnet", Example: `["10.0.0.0/16"]`, Impact: SoftRefresh,
		Doc: "Address space of the VNet that this Route Server serves. Azure ignores routes for it and for its parts, so nvad " +
			"holds them back.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Prefixes(&s.VNet) },
	},
	{
		Key: "next-hop-self", Impact: SoftRefresh,
		Doc:  `Send this NVA as the next hop to an iBGP neighbor: true for routes learned from eBGP neighbors, "force" for all.`,
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.BoolOr(&s.NextHopSelf, &s.NextHopSelfForce, "force") },
	},
	{
		Key: "route-reflector-client", Impact: SoftRefresh,
		Doc:  "Reflect iBGP routes to and from this iBGP neighbor (RFC 4456).",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Bool(&s.RouteReflectorClient) },
	},
	{
		Key: "allowas-in", Impact: SoftRefresh,
		Doc:  "How many times a received path may contain this NVA's own ASN.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Number(&s.AllowASIn, 0, 10) },
	},
	{
		Key: "as-override", Impact: SoftRefresh,
		Doc:  "Replace the neighbor's ASN with this NVA's in the paths sent to it, so that the neighbor does not reject them as loops.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Bool(&s.ASOverride) },
	},
	{
		Key: "remove-private-as", Impact: SoftRefresh,
		Doc: `Remove private ASNs (RFC 6996), including 65515, from the paths sent to the neighbor; "replace" overwrites each ` +
			`with this NVA's ASN, which keeps the length. The neighbor's own ASN stays. FRR calls this "remove-private-AS all".`,
		Bind: func(s *Settings) tomlfile.Value {
			return tomlfile.BoolOr(&s.RemovePrivateAS, &s.ReplacePrivateAS, "replace")
		},
	},
	{
		Key: "enforce-first-as", Impact: SoftRefresh,
		Doc:  "Reject paths of an eBGP neighbor that do not begin with its ASN.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Bool(&s.EnforceFirstAS) },
	},
	{
		Key: "allow-as-sets", Impact: SoftRefresh,
		Doc:  "Accept paths with an AS_SET, which RFC 9774 abolishes.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Bool(&s.AllowASSets) },
	},
}

// defaultFields are the keys of the default route to a neighbor.
var defaultFields = []tomlfile.Field[Settings]{
	{
		Key: "default-originate", Impact: SoftRefresh,
		Doc:  "Send a default route, whether or not the table has one. It bypasses export policy.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Bool(&s.DefaultOriginate) },
	},
	{
		Key: "default-originate-map", Example: `"tag-own"`, Impact: SoftRefresh,
		Doc:  "Route-map that sets the attributes of this default route, or denies it.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Text(&s.DefaultOriginateMap, checkName) },
	},
}

// policyFields are the keys of policy.
var policyFields = []tomlfile.Field[Settings]{
	{
		Key: "weight", Impact: SoftRefresh,
		Doc:  "Preference of the neighbor's routes on this NVA, compared before everything else; the highest wins. It is never sent.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Number(&s.Weight, 0, tomlfile.MaxUint16) },
	},
	{
		Key: "role", Example: `"provider"`, Impact: SessionReset,
		Doc: "Role of the neighbor towards this NVA (RFC 9234): " + tomlfile.OrList(roles) +
			". Both ends announce their roles and must agree. Routes from providers, peers and route servers are then sent " +
			"to customers only (Only to Customer).",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.OneOf(&s.Role, roles...) },
	},
	{
		Key: "import", Example: `{ deny-asns = "reserved" }`, Shown: true, Impact: SoftRefresh,
		Doc: `Which routes to accept: "accept", "deny", or a table of deny-asns, prefix-list, as-path-list and route-map. ` +
			`Default: "accept" for iBGP, "deny" for eBGP (RFC 8212).`,
		Bind: func(s *Settings) tomlfile.Value { return chain(&s.Import) },
	},
	{
		Key: "export", Example: `{ prefix-list = "rs-hub00", route-map = "to-azure" }`, Shown: true, Impact: SoftRefresh,
		Doc:  "Which routes to send; the values and the default are those of import.",
		Bind: func(s *Settings) tomlfile.Value { return chain(&s.Export) },
	},
}

// roles lists the roles of RFC 9234.
var roles = []string{"provider", "customer", "peer", "rs-server", "rs-client"}

func checkDomain(s string) error {
	if s == "" {
		return nil // overrides the domain of the peer-group
	}
	return checkName(s)
}

var chainFields = []tomlfile.Field[policy.Chain]{
	{Key: "deny-asns", Example: `"reserved"`, Doc: `Deny paths with an ASN that is "reserved", "private", or either if both are listed.`,
		Bind: func(c *policy.Chain) tomlfile.Value { return tomlfile.Words(&c.DenyASNs, true, "reserved", "private") }},
	{Key: "prefix-list", Example: `"rs-hub00"`, Doc: "Deny prefixes that this list does not permit.",
		Bind: func(c *policy.Chain) tomlfile.Value { return tomlfile.Text(&c.PrefixList, checkName) }},
	{Key: "as-path-list", Example: `"azure-asns"`, Doc: "Deny paths that this list does not permit.",
		Bind: func(c *policy.Chain) tomlfile.Value { return tomlfile.Text(&c.ASPathList, checkName) }},
	{Key: "route-map", Example: `"to-azure"`, Doc: "Run this route-map.",
		Bind: func(c *policy.Chain) tomlfile.Value { return tomlfile.Text(&c.RouteMap, checkName) }},
}

// chain returns a Value for import or export: a word, or a table of lists.
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
				c.Fail(`the table is empty: set a list or a route-map, or write "accept" to accept every route`)
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

// OriginChain returns the chain that an originated route passes; routeMap may be empty.
func OriginChain(routeMap string) policy.Chain {
	return policy.Chain{Accept: true, RouteMap: routeMap}
}

// OriginSession returns the session with which to compile an [OriginChain]: one without a
// neighbor.
func (c *Config) OriginSession() policy.Session { return policy.Session{LocalASN: c.ASN} }

// DefaultChain returns the chain that the default route to a neighbor passes; the zero
// Chain if it is sent none.
func (s *Settings) DefaultChain() policy.Chain {
	if !s.DefaultOriginate {
		return policy.Chain{}
	}
	return OriginChain(s.DefaultOriginateMap)
}

// Session returns the session with which to compile the import or export chain of n.
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

// kind reports keys that only eBGP or only iBGP neighbors have.
func (v *checker) kind(i int, n *Neighbor) {
	own := n.OwnASN(v.cfg)
	if n.RemoteASN == 0 || own == 0 {
		return
	}
	ibgp := n.RemoteASN == own
	switch {
	case ibgp && n.Role != "":
		v.fail(v.cfg.places(i, "role"), "roles are for eBGP only (RFC 9234), but this neighbor is in AS %d itself; remove role", own)
	case !ibgp && n.RouteReflectorClient:
		v.fail(v.cfg.places(i, "route-reflector-client"), "only an iBGP neighbor can be a route reflector client, but AS %d is not %d; remove the key", n.RemoteASN, own)
	}
}

// defaultOriginate reports a route-map without a default route, unless the neighbor
// overrides default-originate of its group.
func (v *checker) defaultOriginate(i int, n *Neighbor) {
	if n.DefaultOriginateMap != "" && !n.DefaultOriginate && !v.has(v.src.Elem("neighbor", i, n.Address)+".default-originate") {
		v.fail(v.cfg.places(i, "default-originate-map"), "default-originate-map has no effect without default-originate = true; set it, or remove the route-map")
	}
}

func (w *warner) neighbor(i int) {
	n := &w.cfg.Neighbors[i]
	if n.RemoteASN == routeServerASN {
		w.routeServer(i)
	}
	w.outsideTunnel(i)
	if n.Address.Is4() && n.Families.Has(route.IPv6) {
		w.warn("family", w.cfg.places(i, "families"), "IPv6 routes over an IPv4 session have no usable next hop; set one with next-hop-ipv6 in a route-map, or remove \"ipv6\"")
	}
	if n.RemoteASN == n.OwnASN(w.cfg) {
		return
	}
	w.noPolicy(i, "import", n.Import)
	w.noPolicy(i, "export", n.Export)
}

// noPolicy warns of an eBGP neighbor whose import or export is not set; "deny" is a
// policy.
func (w *warner) noPolicy(i int, key string, c policy.Chain) {
	given := w.src.Has(w.src.First(w.cfg.places(i, key)))
	if c == (policy.Chain{}) && !given {
		own := w.src.Elem("neighbor", i, w.cfg.Neighbors[i].Address)
		effect := "accepted from"
		if key == "export" {
			effect = "sent to"
		}
		w.warn("no-policy", own+"."+key, "without %[2]s policy, no route is %[1]s an eBGP neighbor (RFC 8212); set %[2]s", effect, key)
	}
}
