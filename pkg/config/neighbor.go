package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// Neighbor is a BGP neighbor with everything that it inherits.
type Neighbor struct {
	Address     netip.Addr
	Description string
	PeerGroup   string
	// Range is the listen-range of a dynamic neighbor; invalid for one that is configured.
	Range netip.Prefix
	Settings
}

// Settings are the keys that neighbors and peer-groups share.
type Settings struct {
	RemoteASN            uint32 // 0: External, until the neighbor says which
	RemoteType           string // External or Internal, in place of a number; empty: a number
	LocalASN             uint32 // 0: the configuration's ASN
	LocalAddress         netip.Addr
	LocalInterface       string // its address, in place of LocalAddress; empty: none
	Port                 uint16
	Passive              bool
	Shutdown             bool
	EBGPMultihop         int    // TTL; 0: directly connected
	TTLSecurity          int    // hops; 0: off
	Password             string // TCP-MD5 key; read from PasswordFile if that is set
	PasswordFile         string // a relative path is in systemd's credentials directory
	HoldTime             time.Duration
	Keepalive            time.Duration
	BFD                  BFD
	Families             route.Family
	Domain               string         // loop domain, carried over iBGP as Site-of-Origin; empty: none
	VNet                 []netip.Prefix // address space of the VNet that this Route Server serves
	NextHopSelf          bool
	NextHopSelfForce     bool // also for routes learned over iBGP
	RouteReflectorClient bool
	AllowASIn            int // how many times a received path may contain this NVA's ASN
	ASOverride           bool
	RemovePrivateAS      bool
	ReplacePrivateAS     bool // with RemovePrivateAS: overwrite them with this NVA's ASN instead
	EnforceFirstAS       bool
	AllowASSets          bool // accept paths with an AS_SET (against RFC 9774)
	GracefulRestart      bool
	RestartTime          time.Duration
	StalePathTime        time.Duration
	DefaultOriginate     bool
	DefaultOriginateMap  string        // route-map; empty: none
	MaximumPrefix        int           // 0: unlimited
	MaximumPrefixAction  string        // shutdown, warn or discard
	MaximumPrefixCount   string        // CountReceived or CountAccepted
	MaximumPrefixWarning int           // percent of MaximumPrefix
	MaximumPrefixRestart time.Duration // how long a shutdown lasts; 0: until it is re-enabled
	MaximumPrefixOut     int           // of each family; 0: unlimited
	MaximumASPath        int           // ASNs; 0: unlimited
	MaximumAttributes    int           // octets of one route's attributes; 0: unlimited
	// MaximumPrefixOutCount says how the neighbor counts: CountPrefixes or CountIncoming.
	MaximumPrefixOutCount string
	Weight                uint32
	Role                  string // of the neighbor (RFC 9234); empty: none
	RoleStrict            bool   // refuse a neighbor that announces no role
	// If neither the neighbor nor its group sets Import and Export, they accept
	// everything for iBGP and deny everything for eBGP (RFC 8212).
	Import policy.Chain
	Export policy.Chain
}

// DefaultSettings returns the settings of a neighbor without any key set. The timers
// are those of Azure Route Server and FRR.
func DefaultSettings() Settings {
	return Settings{
		Port:            179,
		HoldTime:        180 * time.Second,
		EnforceFirstAS:  true,
		GracefulRestart: true,
		RestartTime:     120 * time.Second,
		StalePathTime:   360 * time.Second, // FRR's

		MaximumPrefix:        azureTableLimit,
		MaximumPrefixAction:  ActionDiscard, // an NVA that closes the session carries no traffic at all
		MaximumPrefixCount:   CountReceived,
		MaximumPrefixWarning: 75, // FRR's

		MaximumPrefixOutCount: CountPrefixes,

		MaximumASPath:     255,  // in one segment
		MaximumAttributes: 4096, // in a message without RFC 8654
	}
}

// OwnASN returns the ASN that nvad uses towards the neighbor.
func (s *Settings) OwnASN(c *Config) uint32 {
	if s.LocalASN != 0 {
		return s.LocalASN
	}
	return c.ASN
}

func neighborFields(n *Neighbor) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "address", Value: tomlfile.Address(&n.Address, tomlfile.Unicast), Example: `"10.0.210.4"`, Required: true, Shown: true, Impact: SessionReset,
			Doc: "Address of the neighbor."},
		{Key: "peer-group", Value: tomlfile.Text(&n.PeerGroup, checkName), Example: `"route-server"`, Shown: true, Impact: SoftRefresh,
			Doc: "Peer-group from which the neighbor inherits. Its own keys take precedence."},
		{Key: "description", Value: tomlfile.Text(&n.Description, nil), Example: `"Route Server instance 0"`,
			Doc: "Free text, shown in tables."},
	}
}

// settingsTopics are the keys that neighbors and peer-groups share, by topic, in the
// order of the normalised form. The reference has a heading for each topic.
var settingsTopics = []struct {
	title  string
	fields func(*Settings) []tomlfile.Field
}{
	{"Session", sessionFields},
	{"Loops, paths and next hops", pathFields},
	{"Graceful restart", restartFields},
	{"Default route", defaultFields},
	{"Limits on routes", limitFields},
	{"Policy and role", policyFields},
}

func settingsFields(s *Settings) (out []tomlfile.Field) {
	for _, topic := range settingsTopics {
		out = append(out, topic.fields(s)...)
	}
	return out
}

// readNeighbors reads the peer-groups first, then the neighbors that inherit from them:
// those with a table of their own, then those that a group lists, then ranges of them.
func readNeighbors(t *tomlfile.Table, cfg *Config) {
	r := neighborReader{cfg: cfg, groups: map[string]*tomlfile.Table{}}
	if sub := t.Sub("peer-group"); sub != nil {
		sub.Each(r.group)
	}
	for _, sub := range t.Tables("neighbor", "address") {
		r.neighbor(sub)
	}
	for _, name := range tomlfile.SortedKeys(r.groups) {
		r.listed(name)
		r.ranges(name)
	}
}

// neighborReader reads neighbors into cfg.
type neighborReader struct {
	cfg    *Config
	groups map[string]*tomlfile.Table
}

func (r *neighborReader) neighbor(t *tomlfile.Table) {
	var n Neighbor
	tomlfile.ReadFields(t, neighborFields(&n))
	n.Settings = inherited(r.cfg, n.PeerGroup)
	tomlfile.ReadFields(t, settingsFields(&n.Settings))
	t.Done()
	r.add(n, t)
}

// add adds a neighbor. t is its table, or nil if a group lists it.
func (r *neighborReader) add(n Neighbor, t *tomlfile.Table) {
	r.cfg.Neighbors = append(r.cfg.Neighbors, r.complete(n, t))
}

// complete fills in what n neither sets nor inherits.
func (r *neighborReader) complete(n Neighbor, t *tomlfile.Table) Neighbor {
	given := func(key string) bool {
		group := r.groups[n.PeerGroup]
		return t != nil && t.Has(key) || group != nil && group.Has(key)
	}
	base := derived(r.cfg, n)
	n.Keepalive, n.Families, n.Domain, n.RemoteASN = base.Keepalive, base.Families, base.Domain, base.RemoteASN
	if !given("import") {
		n.Import = base.Import
	}
	if !given("export") {
		n.Export = base.Export
	}
	return n
}

// inherited returns the settings with which a neighbor of a peer-group starts.
func inherited(cfg *Config, group string) Settings {
	if g, ok := cfg.Groups[group]; ok {
		return g.Settings
	}
	return DefaultSettings()
}

// derived returns n's settings, with the defaults that depend on other keys.
func derived(cfg *Config, n Neighbor) Settings {
	s := n.Settings
	if s.Keepalive == 0 {
		s.Keepalive = s.HoldTime / 3
	}
	if s.Families == 0 {
		s.Families = route.IPv4
		if n.Address.Is6() {
			s.Families = route.IPv6
		}
	}
	if s.Domain == autoDomain {
		s.Domain = domainOf(n.Address)
	}
	if s.RemoteType == Internal {
		s.RemoteASN = s.OwnASN(cfg)
	}
	if s.RemoteASN == n.OwnASN(cfg) {
		s.Import = orAccept(s.Import)
		s.Export = orAccept(s.Export)
	}
	return s
}

func orAccept(c policy.Chain) policy.Chain {
	if c == (policy.Chain{}) {
		c.Accept = true
	}
	return c
}

// checkName refuses names of lists, route-maps and peer-groups that would break a line of
// text.
func checkName(s string) error {
	bad := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if s == "" || len(s) > 128 || strings.IndexFunc(s, bad) >= 0 {
		return fmt.Errorf("want a name of 1 to 128 characters without spaces, got %s", tomlfile.Show(s))
	}
	return nil
}

func (v *checker) neighbor(i int) {
	n := &v.cfg.Neighbors[i]
	key := v.src.Elem("neighbor", i, n.Address)
	if n.Address.IsValid() {
		v.distinct("neighbor", "address", i, n.Address, func(j int) bool { return v.cfg.Neighbors[j].Address == n.Address })
		v.neighborAddress(i, key+".address", n)
	}
	v.remoteASN(key, n)
	v.timers(i, n)
	v.security(i, n)
	v.kind(i, n)
	v.defaultOriginate(i, n)
	v.azureASN(i, n)
}

// places returns the keys that may have set a setting of neighbor i, as neighborAt counts
// them, in the order in which they take effect: those of the neighbor, of its group, and
// the group's preset.
func (c *Config) places(i int, keys ...string) string {
	n := c.neighborAt(i)
	var places []string
	for _, table := range []string{c.source.Elem("neighbor", i, n.Address), "peer-group." + n.PeerGroup} {
		for _, key := range keys {
			places = append(places, table+"."+key)
		}
	}
	return strings.Join(append(places, "peer-group."+n.PeerGroup+".preset"), " ")
}

// remoteASN requires the key in the neighbor or its group. A group that does not exist
// has its own error.
func (v *checker) remoteASN(key string, n *Neighbor) {
	group, exists := v.cfg.Groups[n.PeerGroup]
	given := v.has(key+".remote-asn") || v.has("peer-group."+n.PeerGroup+".remote-asn") || group.Preset != ""
	if !given && (exists || n.PeerGroup == "") {
		v.fail(key+".remote-asn", "required key is missing: set it in the neighbor or its peer-group")
	}
}

func (v *checker) neighborAddress(i int, key string, n *Neighbor) {
	if n.Address.Is6() && n.Address.IsLinkLocalUnicast() {
		v.fail(key, "%s is a link-local address, which nvad does not support for neighbors; use another address", n.Address)
	}
	if n.Address == v.cfg.RouterID {
		v.fail(key, "%s is this NVA's own router-id; enter the neighbor's address", n.Address)
	}
	if n.Address == n.LocalAddress {
		v.fail(key, "%s is also local-address; enter the neighbor's address", n.Address)
	}
	for _, t := range v.cfg.Tunnels {
		for _, p := range t.Addresses {
			if p.Addr() == n.Address {
				v.fail(key, "%s is this NVA's own address on %s; enter the neighbor's address", n.Address, t.Name)
			}
		}
	}
	if l := n.LocalAddress; l.IsValid() && l.Is4() != n.Address.Is4() {
		v.fail(v.cfg.places(i, "local-address"), "%s is not in the address family of neighbor %s", l, n.Address)
	}
	if n.Address.Is6() && !n.Families.Has(route.IPv6) {
		v.fail(v.cfg.places(i, "families"), "neighbor %s needs \"ipv6\": over an IPv6 session, IPv4 routes have no next hop", n.Address)
	}
}
