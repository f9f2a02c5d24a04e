package config

import (
	"fmt"
	"strconv"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// pathFields are the keys that accept and change paths, besides policies.
func pathFields(s *Settings) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "domain", Value: tomlfile.Text(&s.Domain, checkDomain), Example: `"ars-hub00"`, Shown: true, Impact: SoftRefresh,
			Doc: "Loop domain: routes learned from one neighbor of a domain are never sent to another neighbor of it. Both " +
				`instances of a Route Server belong to one domain. "auto" names it after the /27 (IPv6: /64) of the neighbor's ` +
				"address, which both instances share."},
		{Key: "vnet", Value: tomlfile.Prefixes(&s.VNet), Example: `["10.0.0.0/16"]`, Impact: SoftRefresh,
			Doc: "Address space of the VNet that this Route Server serves. Azure ignores routes for it and for its parts, so nvad " +
				"holds them back."},
		{Key: "next-hop-self", Value: tomlfile.BoolOr(&s.NextHopSelf, &s.NextHopSelfForce, "force"), Impact: SoftRefresh,
			Doc: `Send this NVA as the next hop to an iBGP neighbor: true for routes learned from eBGP neighbors, "force" for all.`},
		{Key: "route-reflector-client", Value: tomlfile.Bool(&s.RouteReflectorClient), Impact: SoftRefresh,
			Doc: "Reflect iBGP routes to and from this iBGP neighbor (RFC 4456)."},
		{Key: "allowas-in", Value: tomlfile.Number(&s.AllowASIn, 0, 10), Impact: SoftRefresh,
			Doc: "How many times a received path may contain this NVA's own ASN."},
		{Key: "as-override", Value: tomlfile.Bool(&s.ASOverride), Impact: SoftRefresh,
			Doc: "Replace the neighbor's ASN with this NVA's in the paths sent to it, so that the neighbor does not reject them as loops."},
		{Key: "remove-private-as", Value: tomlfile.BoolOr(&s.RemovePrivateAS, &s.ReplacePrivateAS, "replace"), Impact: SoftRefresh,
			Doc: `Remove private ASNs (RFC 6996), including 65515, from the paths sent to the neighbor; "replace" overwrites each ` +
				`with this NVA's ASN, which keeps the length. The neighbor's own ASN stays. FRR calls this "remove-private-AS all".`},
		{Key: "enforce-first-as", Value: tomlfile.Bool(&s.EnforceFirstAS), Impact: SoftRefresh,
			Doc: "Reject paths of an eBGP neighbor that do not begin with its ASN."},
		{Key: "allow-as-sets", Value: tomlfile.Bool(&s.AllowASSets), Impact: SoftRefresh,
			Doc: "Accept paths with an AS_SET, which RFC 9774 abolishes."},
	}
}

// defaultFields are the keys of the default route to a neighbor.
func defaultFields(s *Settings) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "default-originate", Value: tomlfile.Bool(&s.DefaultOriginate), Impact: SoftRefresh,
			Doc: "Send a default route, whether or not the table has one. It bypasses export policy."},
		{Key: "default-originate-map", Value: tomlfile.Text(&s.DefaultOriginateMap, checkName), Example: `"tag-own"`, Impact: SoftRefresh,
			Doc: "Route-map that sets the attributes of this default route, or denies it."},
	}
}

// policyFields are the keys of policy.
func policyFields(s *Settings) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "weight", Value: tomlfile.Number(&s.Weight, 0, tomlfile.MaxUint16), Impact: SoftRefresh,
			Doc: "Preference of the neighbor's routes on this NVA, compared before everything else; the highest wins. It is never sent."},
		{Key: "role", Value: tomlfile.OneOf(&s.Role, roles...), Example: `"provider"`, Impact: SessionReset,
			Doc: "Role of the neighbor towards this NVA (RFC 9234): " + tomlfile.OrList(roles) +
				". Both ends announce their roles and must agree. Routes from providers, peers and route servers are then sent " +
				"to customers only (Only to Customer)."},
		{Key: "role-strict", Value: tomlfile.Bool(&s.RoleStrict), Impact: SessionReset,
			Doc: "Refuse a neighbor that announces no role (RFC 9234 strict mode), with OPEN Message Error, Role Mismatch. Needs role."},
		{Key: "import", Value: chain(&s.Import), Example: `{ deny-asns = "reserved" }`, Shown: true, Impact: SoftRefresh,
			Doc: `Which routes to accept: "accept", "deny", or a table of deny-asns, prefix-list, as-path-list and route-map. ` +
				`Default: "accept" for iBGP, "deny" for eBGP (RFC 8212).`},
		{Key: "export", Value: chain(&s.Export), Example: `{ prefix-list = "rs-hub00", route-map = "to-azure" }`, Shown: true, Impact: SoftRefresh,
			Doc: "Which routes to send; the values and the default are those of import."},
	}
}

// roles lists the roles of RFC 9234.
var roles = []string{"provider", "customer", "peer", "rs-server", "rs-client"}

func checkDomain(s string) error {
	if s == "" {
		return nil // overrides the domain of the peer-group
	}
	return checkName(s)
}

func chainFields(c *policy.Chain) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "deny-asns", Value: tomlfile.Words(&c.DenyASNs, true, "reserved", "private"), Example: `"reserved"`,
			Doc: `Deny paths with an ASN that is "reserved", "private", or either if both are listed.`},
		{Key: "prefix-list", Value: tomlfile.Text(&c.PrefixList, checkName), Example: `"rs-hub00"`,
			Doc: "Deny prefixes that this list does not permit."},
		{Key: "as-path-list", Value: tomlfile.Text(&c.ASPathList, checkName), Example: `"azure-asns"`,
			Doc: "Deny paths that this list does not permit."},
		{Key: "route-map", Value: tomlfile.Text(&c.RouteMap, checkName), Example: `"to-azure"`,
			Doc: "Run this route-map."},
	}
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
	if n.RemoteASN == 0 && n.RemoteType != External || own == 0 {
		return
	}
	ibgp := n.RemoteASN == own
	switch {
	case n.RoleStrict && n.Role == "":
		v.fail(v.cfg.places(i, "role-strict"), "role-strict has no effect without role; set role, or remove role-strict")
	case ibgp && n.Role != "":
		v.fail(v.cfg.places(i, "role"), "roles are for eBGP only (RFC 9234), but this neighbor is in AS %d itself; remove role", own)
	case !ibgp && n.RouteReflectorClient:
		v.fail(v.cfg.places(i, "route-reflector-client"), "only an iBGP neighbor can be a route reflector client, but %s is not %d; remove the key", n.remote(), own)
	}
}

// remote says which ASN the neighbor has.
func (s *Settings) remote() string {
	if s.RemoteASN == 0 {
		return strconv.Quote(s.RemoteType)
	}
	return fmt.Sprintf("AS %d", s.RemoteASN)
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
	w.policy(i)
}

// policy warns of neighbor i, as neighborAt counts them, if it is external and lacks a
// policy.
func (w *warner) policy(i int) {
	n := w.cfg.neighborAt(i)
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
		own := w.src.Elem("neighbor", i, w.cfg.neighborAt(i).Address)
		if i >= len(w.cfg.Neighbors) {
			own = "peer-group." + w.cfg.neighborAt(i).PeerGroup
		}
		effect := "accepted from"
		if key == "export" {
			effect = "sent to"
		}
		w.warn("no-policy", own+"."+key, "without %[2]s policy, no route is %[1]s an eBGP neighbor (RFC 8212); set %[2]s", effect, key)
	}
}
