package config

import (
	"fmt"
	"strings"
	"unicode"
)

var neighborFields = []field[Neighbor]{
	{
		key: "address", example: `"10.0.210.4"`, required: true, shown: true, impact: SessionReset,
		doc:  "Address of the neighbor.",
		bind: func(n *Neighbor) value { return address{&n.Address, unicast} },
	},
	{
		key: "peer-group", example: `"route-server"`, shown: true, impact: SoftRefresh,
		doc:  "Peer-group whose keys it inherits; what it gives itself wins.",
		bind: func(n *Neighbor) value { return text{&n.PeerGroup, checkName} },
	},
	{
		key: "description", example: `"Route Server instance 0"`,
		doc:  "Free text for tables.",
		bind: func(n *Neighbor) value { return text{p: &n.Description} },
	},
}

// listKey is the key of Group.Listed.
const listKey = "neighbors"

// groupFields are the keys that only a peer-group has.
var groupFields = []field[Group]{
	{
		key: "preset", example: `"azure-route-server"`,
		doc: "What the neighbors are, which says all that they need: " + orList(presetNames()) + ". A key that is given here or in a neighbor " +
			"counts before the preset's. `nvactl config show --expanded` writes it out.",
		bind: func(g *Group) value { return oneOf(&g.Preset, presetNames()...) },
	},
	{
		key: listKey, example: `["10.0.210.4", "10.0.210.5"]`,
		doc:  "Addresses of neighbors that need no table of their own.",
		bind: func(g *Group) value { return addresses{&g.Listed, unicast} },
	},
}

// settingsFields are the keys that neighbors and peer-groups share.
var settingsFields = []field[Settings]{
	{
		key: "remote-asn", example: "65515", shown: true, impact: SessionReset,
		doc:  "The neighbor's ASN. Required in the neighbor or its peer-group.",
		bind: func(s *Settings) value { return asn{&s.RemoteASN} },
	},
	{
		key: "local-asn", example: "65002", impact: SessionReset,
		doc:  "ASN to show this neighbor in place of asn.",
		bind: func(s *Settings) value { return asn{&s.LocalASN} },
	},
	{
		key: "local-address", example: `"10.0.0.4"`, impact: SessionReset,
		doc:  "Source address of the session. Default: as the kernel routes.",
		bind: func(s *Settings) value { return address{&s.LocalAddress, unicast} },
	},
	{
		key: "port", impact: SessionReset,
		doc:  "TCP port of the neighbor.",
		bind: func(s *Settings) value { return number(&s.Port, 1, maxUint16) },
	},
	{
		key: "passive", impact: SessionReset,
		doc:  "Wait for the neighbor to connect.",
		bind: func(s *Settings) value { return boolean{&s.Passive} },
	},
	{
		key: "shutdown", impact: SessionReset,
		doc:  "Keep the session down.",
		bind: func(s *Settings) value { return boolean{&s.Shutdown} },
	},
	{
		key: "ebgp-multihop", example: "255", shown: true, impact: SessionReset,
		doc:  "TTL towards an eBGP neighbor that is not on a connected subnet; Route Server needs 2 or more.",
		bind: func(s *Settings) value { return number(&s.EBGPMultihop, 1, 255) },
	},
	{
		key: "ttl-security", impact: SessionReset,
		doc:  "Refuse packets from more than so many hops away (RFC 5082); 0 is off. Not with ebgp-multihop.",
		bind: func(s *Settings) value { return number(&s.TTLSecurity, 0, 254) },
	},
	{
		key: "password", example: `"secret"`, impact: SessionReset,
		doc:  "TCP-MD5 key, 1 to 80 bytes.",
		bind: func(s *Settings) value { return secret{&s.Password} },
	},
	{
		key: "password-file", example: `"bgp-key"`, impact: SessionReset,
		doc:  "File with the TCP-MD5 key; a relative path is in systemd's credentials directory.",
		bind: func(s *Settings) value { return text{&s.PasswordFile, notEmpty} },
	},
	{
		key: "hold-time", impact: SessionReset,
		doc:  "Seconds without a message until the session is given up; 0 is never.",
		bind: func(s *Settings) value { return seconds{&s.HoldTime, 0, maxUint16, checkHoldTime} },
	},
	{
		key: "keepalive", example: "60", impact: SessionReset,
		doc:  "Seconds between keepalives. Default: a third of hold-time.",
		bind: func(s *Settings) value { return seconds{p: &s.Keepalive, lo: 1, hi: maxUint16 / 3} },
	},
	{
		key: "bfd", example: "{ min-tx = 100, min-rx = 100 }",
		doc: "Watch the neighbor with BFD (RFC 5880): true, or a table of min-tx and min-rx in milliseconds (300), multiplier (3), " +
			"min-ttl and key-file. " +
			"When it stops answering its routes go at once, whatever graceful-restart says.",
		bind: func(s *Settings) value { return bfd{&s.BFD} },
	},
	{
		key: "families", example: `["ipv4"]`, impact: SessionReset,
		doc:  `Address families: "ipv4", "ipv6" or both. Default: that of the neighbor's address.`,
		bind: func(s *Settings) value { return families{&s.Families} },
	},
	{
		key: "domain", example: `"ars-hub00"`, shown: true, impact: SoftRefresh,
		doc: "Loop domain: what was learned in a domain is never sent back into it. Both instances of a Route Server are one. " +
			`"auto" names it after the /27 (IPv6: /64) of the neighbor's address, which both instances share.`,
		bind: func(s *Settings) value { return text{&s.Domain, checkDomain} },
	},
	{
		key: "vnet", example: `["10.0.0.0/16"]`, impact: SoftRefresh,
		doc: "Address space of the VNet that this Route Server serves. Azure ignores what it is told of it, and of parts of it: " +
			"nvad holds that back, and says so.",
		bind: func(s *Settings) value { return prefixes{&s.VNet} },
	},
	{
		key: "next-hop-self", impact: SoftRefresh,
		doc:  `Send this NVA as the next hop to an iBGP neighbor: true for what eBGP taught, "force" for all.`,
		bind: func(s *Settings) value { return nextHopSelf{s} },
	},
	{
		key: "route-reflector-client", impact: SoftRefresh,
		doc:  "Reflect iBGP routes to and from this iBGP neighbor (RFC 4456).",
		bind: func(s *Settings) value { return boolean{&s.RouteReflectorClient} },
	},
	{
		key: "allowas-in", impact: SoftRefresh,
		doc:  "Accept paths that hold the own ASN so many times.",
		bind: func(s *Settings) value { return number(&s.AllowASIn, 0, 10) },
	},
	{
		key: "as-override", impact: SoftRefresh,
		doc:  "Send the own ASN wherever a path holds the neighbor's.",
		bind: func(s *Settings) value { return boolean{&s.ASOverride} },
	},
	{
		key: "remove-private-as", impact: SoftRefresh,
		doc: `Send paths without private ASNs (RFC 6996), 65515 among them; "replace" writes the own ASN over each, which keeps the length. ` +
			"The neighbor's own ASN stays. FRR calls this \"remove-private-AS all\".",
		bind: func(s *Settings) value { return removePrivateAS{s} },
	},
	{
		key: "enforce-first-as", impact: SoftRefresh,
		doc:  "Refuse paths of an eBGP neighbor that do not begin with its ASN.",
		bind: func(s *Settings) value { return boolean{&s.EnforceFirstAS} },
	},
	{
		key: "allow-as-sets", impact: SoftRefresh,
		doc:  "Accept paths with an AS_SET, which RFC 9774 abolishes.",
		bind: func(s *Settings) value { return boolean{&s.AllowASSets} },
	},
	{
		key: "graceful-restart", impact: SessionReset,
		doc:  "Announce graceful restart (RFC 4724): routes survive a restart of either side.",
		bind: func(s *Settings) value { return boolean{&s.GracefulRestart} },
	},
	{
		key: "restart-time", impact: SessionReset,
		doc:  "Seconds that the neighbor shall keep routes while nvad restarts.",
		bind: func(s *Settings) value { return seconds{p: &s.RestartTime, lo: 1, hi: 4095} },
	},
	{
		key: "stalepath-time",
		doc: "Seconds for which routes of a neighbor that restarts are kept at most, until it has announced them again. It may ask " +
			"for up to 4095, in which traffic may go to a router that is gone; three times the usual restart time is enough for a large table.",
		bind: func(s *Settings) value { return seconds{p: &s.StalePathTime, lo: 1, hi: 4095} },
	},
	{
		key: "default-originate", impact: SoftRefresh,
		doc:  "Send a default route, whether or not the table has one. It passes no export policy.",
		bind: func(s *Settings) value { return boolean{&s.DefaultOriginate} },
	},
	{
		key: "default-originate-map", example: `"tag-own"`, impact: SoftRefresh,
		doc:  "Route-map that sets its attributes, or denies it.",
		bind: func(s *Settings) value { return text{&s.DefaultOriginateMap, checkName} },
	},
	{
		key: "maximum-prefix", impact: SoftRefresh,
		doc: "Most prefixes to take from the neighbor; 0 is no limit. The default is what Azure Route Server holds in all: " +
			"neither it, an ExpressRoute circuit nor an NVA that passes its routes on sends more. Raise it for a full Internet table.",
		bind: func(s *Settings) value { return number(&s.MaximumPrefix, 0, maxUint32) },
	},
	{
		key: "maximum-prefix-action", impact: SoftRefresh,
		doc: `What exceeding it does: "discard" keeps the session and rejects the rest until there is room, "shutdown" ends the session, "warn" only logs it. ` +
			"Of what is rejected, as many prefixes as maximum-prefix are kept, to be accepted when there is room; the others are counted and dropped. " +
			`Once there is room for them, nvad requests them by ROUTE-REFRESH (RFC 2918), at most once a minute; "nvactl reset" does where the neighbor does not support it.`,
		bind: func(s *Settings) value {
			return oneOf(&s.MaximumPrefixAction, ActionShutdown, ActionWarn, ActionDiscard)
		},
	},
	{
		key:  "maximum-prefix-warning",
		doc:  "Percent of maximum-prefix from which on it is logged, once.",
		bind: func(s *Settings) value { return number(&s.MaximumPrefixWarning, 1, 100) },
	},
	{
		key:  "maximum-prefix-restart",
		doc:  "Seconds after which a session that exceeded it is tried again; 0 leaves it down until it is enabled.",
		bind: func(s *Settings) value { return seconds{p: &s.MaximumPrefixRestart, lo: 0, hi: maxUint16 * 60} },
	},
	{
		key: "maximum-prefix-out", impact: SoftRefresh,
		doc:  "Most prefixes of each family to send. What does not fit is held back until there is room: shorter prefixes go first, then lower addresses. 0 is no limit.",
		bind: func(s *Settings) value { return number(&s.MaximumPrefixOut, 0, maxUint32) },
	},
	{
		key: "maximum-prefix-out-count", impact: SessionReset,
		doc: `How the neighbor counts: "prefixes", each once, or "current-plus-incoming", as Azure Route Server does: ` +
			"what is sent again counts twice until nothing has been sent for a while, so that changes are spread over time where they would exceed maximum-prefix-out.",
		bind: func(s *Settings) value { return oneOf(&s.MaximumPrefixOutCount, CountPrefixes, CountIncoming) },
	},
	{
		key: "maximum-as-path", impact: SessionReset,
		doc: "Most ASNs in the AS_PATH of a route from the neighbor; one with more is treated as withdrawn, and counted. 0 is no limit. " +
			"As many as one segment holds is far more than any network is deep: longer ones come from mistakes and attacks.",
		bind: func(s *Settings) value { return number(&s.MaximumASPath, 0, maxUint16) },
	},
	{
		key: "maximum-attribute-octets", impact: SessionReset,
		doc: "Most octets of path attributes of a route from the neighbor, without its prefixes; one with more is treated as withdrawn, and counted. 0 is no limit. " +
			"What does not fit into 4096 octets could not be sent on to a neighbor without extended messages (RFC 8654), " +
			"and a few routes of 65 kB would fill the memory in spite of maximum-prefix.",
		bind: func(s *Settings) value { return number(&s.MaximumAttributes, 0, maxUint16) },
	},
	{
		key: "weight", impact: SoftRefresh,
		doc:  "Local preference among neighbors that is never sent; the highest wins.",
		bind: func(s *Settings) value { return number(&s.Weight, 0, maxUint16) },
	},
	{
		key: "role", example: `"provider"`, impact: SessionReset,
		doc: "What the neighbor is to this NVA (RFC 9234): " + orList(roles) + ". It is announced, so that both ends agree, " +
			"and routes of providers, peers and route servers go to customers alone (Only to Customer).",
		bind: func(s *Settings) value { return oneOf(&s.Role, roles...) },
	},
	{
		key: "import", example: `{ deny-asns = "reserved" }`, shown: true, impact: SoftRefresh,
		doc:  `What to take: "accept", "deny", or a table of deny-asns, prefix-list, as-path-list and route-map. Default: "accept" for iBGP, "deny" for eBGP (RFC 8212).`,
		bind: func(s *Settings) value { return chain{&s.Import} },
	},
	{
		key: "export", example: `{ prefix-list = "rs-hub00", route-map = "to-azure" }`, shown: true, impact: SoftRefresh,
		doc:  "What to send; as import.",
		bind: func(s *Settings) value { return chain{&s.Export} },
	},
}

// Values of Settings.MaximumPrefixOutCount.
const (
	CountPrefixes = "prefixes"
	CountIncoming = "current-plus-incoming"
)

// Values of Settings.MaximumPrefixAction.
const (
	ActionShutdown = "shutdown"
	ActionWarn     = "warn"
	ActionDiscard  = "discard"
)

// roles are those of RFC 9234.
var roles = []string{"provider", "customer", "peer", "rs-server", "rs-client"}

func notEmpty(s string) error {
	if s == "" {
		return fmt.Errorf("want a string that is not empty")
	}
	return nil
}

// checkName holds names of lists, route-maps and peer-groups to what fits in
// a line of text.
func checkName(s string) error {
	bad := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if s == "" || len(s) > 128 || strings.IndexFunc(s, bad) >= 0 {
		return fmt.Errorf("want a name of 1 to 128 characters without spaces, got %s", show(s))
	}
	return nil
}

func checkDomain(s string) error {
	if s == "" {
		return nil // undoes what the peer-group says
	}
	return checkName(s)
}

// checkHoldTime is RFC 4271 section 4.2.
func checkHoldTime(n int64) error {
	if n == 1 || n == 2 {
		return fmt.Errorf("want 0 or at least 3 seconds (RFC 4271), got %d", n)
	}
	return nil
}
