package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// Neighbor is one BGP neighbor with everything it inherits.
type Neighbor struct {
	Address     netip.Addr
	Description string
	PeerGroup   string
	Settings
}

// Settings are the keys that a neighbor and a peer-group share.
type Settings struct {
	RemoteASN            uint32
	LocalASN             uint32 // 0: the configuration's ASN
	LocalAddress         netip.Addr
	Port                 uint16
	Passive              bool
	Shutdown             bool
	EBGPMultihop         int    // TTL; 0: directly connected
	TTLSecurity          int    // hops; 0: off
	Password             string // TCP-MD5 key; with PasswordFile, what was read from there
	PasswordFile         string // that holds it; a relative path is in systemd's credentials directory
	HoldTime             time.Duration
	Keepalive            time.Duration
	BFD                  BFD
	Families             route.Family
	Domain               string         // loop domain; see design: Site-of-Origin
	VNet                 []netip.Prefix // address space of the VNet that the neighbor, a Route Server, serves
	NextHopSelf          bool
	NextHopSelfForce     bool // also iBGP-learned routes
	RouteReflectorClient bool
	AllowASIn            int // how often the own ASN may be in a received path
	ASOverride           bool
	RemovePrivateAS      bool
	ReplacePrivateAS     bool // with RemovePrivateAS: by the own ASN
	EnforceFirstAS       bool
	AllowASSets          bool // accept paths with AS_SET (RFC 9774 says no)
	GracefulRestart      bool
	RestartTime          time.Duration
	StalePathTime        time.Duration
	DefaultOriginate     bool
	DefaultOriginateMap  string        // route-map; empty: none
	MaximumPrefix        int           // 0: unlimited
	MaximumPrefixAction  string        // shutdown, warn or discard
	MaximumPrefixWarning int           // percent of MaximumPrefix
	MaximumPrefixRestart time.Duration // that a shutdown lasts; 0: for good
	MaximumPrefixOut     int           // of each family; 0: unlimited
	MaximumASPath        int           // ASNs; 0: unlimited
	MaximumAttributes    int           // octets of one route's attributes; 0: unlimited
	// MaximumPrefixOutCount is how the neighbor counts: CountPrefixes or CountIncoming.
	MaximumPrefixOutCount string
	Weight                uint32
	Role                  string // RFC 9234 role of the neighbor, or empty
	// Import and Export accept everything if neither the iBGP neighbor nor its
	// group gives them, and deny everything for eBGP (RFC 8212).
	Import policy.Chain
	Export policy.Chain
}

// DefaultSettings is what a neighbor has that sets nothing. The timers are
// those that Azure Route Server proposes, and FRR's.
func DefaultSettings() Settings {
	return Settings{
		Port:            179,
		HoldTime:        180 * time.Second,
		EnforceFirstAS:  true,
		GracefulRestart: true,
		RestartTime:     120 * time.Second,
		StalePathTime:   360 * time.Second, // FRR's

		MaximumPrefix:        azureTableLimit,
		MaximumPrefixAction:  ActionDiscard, // an NVA without the session carries nothing at all
		MaximumPrefixWarning: 75,            // FRR's

		MaximumPrefixOutCount: CountPrefixes,

		MaximumASPath:     255,  // in one segment
		MaximumAttributes: 4096, // in a message without RFC 8654
	}
}

// OwnASN is the ASN that nvad shows the neighbor.
func (s *Settings) OwnASN(c *Config) uint32 {
	if s.LocalASN != 0 {
		return s.LocalASN
	}
	return c.ASN
}

var neighborFields = []tomlfile.Field[Neighbor]{
	{
		Key: "address", Example: `"10.0.210.4"`, Required: true, Shown: true, Impact: SessionReset,
		Doc:  "Address of the neighbor.",
		Bind: func(n *Neighbor) tomlfile.Value { return tomlfile.Address(&n.Address, tomlfile.Unicast) },
	},
	{
		Key: "peer-group", Example: `"route-server"`, Shown: true, Impact: SoftRefresh,
		Doc:  "Peer-group whose keys it inherits; what it gives itself wins.",
		Bind: func(n *Neighbor) tomlfile.Value { return tomlfile.Text(&n.PeerGroup, checkName) },
	},
	{
		Key: "description", Example: `"Route Server instance 0"`,
		Doc:  "Free text for tables.",
		Bind: func(n *Neighbor) tomlfile.Value { return tomlfile.Text(&n.Description, nil) },
	},
}

// settingsFields are the keys that neighbors and peer-groups share, in the order of
// the normalised form.
var settingsFields = slices.Concat(sessionFields, pathFields, restartFields, defaultFields, limitFields, policyFields)

// readNeighbors reads peer-groups, then neighbors upon them: the tables, then
// those that are only listed by a group.
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
	}
}

// neighborReader reads neighbors into cfg.
type neighborReader struct {
	cfg    *Config
	groups map[string]*tomlfile.Table
}

func (r *neighborReader) neighbor(t *tomlfile.Table) {
	var n Neighbor
	tomlfile.ReadFields(t, &n, neighborFields)
	n.Settings = inherited(r.cfg, n.PeerGroup)
	tomlfile.ReadFields(t, &n.Settings, settingsFields)
	t.Done()
	r.add(n, t)
}

// add completes a neighbor, which t gives unless it is nil.
func (r *neighborReader) add(n Neighbor, t *tomlfile.Table) {
	given := func(key string) bool {
		group := r.groups[n.PeerGroup]
		return t != nil && t.Has(key) || group != nil && group.Has(key)
	}
	base := derived(r.cfg, n)
	n.Keepalive, n.Families, n.Domain = base.Keepalive, base.Families, base.Domain
	if !given("import") {
		n.Import = base.Import
	}
	if !given("export") {
		n.Export = base.Export
	}
	r.cfg.Neighbors = append(r.cfg.Neighbors, n)
}

// inherited is what a neighbor of a peer-group starts from.
func inherited(cfg *Config, group string) Settings {
	if g, ok := cfg.Groups[group]; ok {
		return g.Settings
	}
	return DefaultSettings()
}

// derived is n's settings, those filled in that have no fixed default.
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
	if n.RemoteASN == n.OwnASN(cfg) {
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

// checkName holds names of lists, route-maps and peer-groups to what fits in
// a line of text.
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
		v.neighborAddress(key, n)
	}
	v.remoteASN(key, n)
	v.timers(key, n)
	v.security(key, n)
	v.kind(key, n)
	v.defaultOriginate(key, n)
	v.azureASN(key, n)
}

// fault reports a key of n where it is given: at the neighbor or at its group.
// The keys are tried in turn.
func (v *checker) fault(key string, n *Neighbor, keys []string, format string, args ...any) {
	var places string
	for _, k := range keys {
		places += " " + key + "." + k
	}
	group := " peer-group." + n.PeerGroup + "."
	for _, k := range keys {
		places += group + k
	}
	places += group + "preset"
	v.fail(places, format, args...)
}

// remoteASN may be the group's; a group that does not exist has its own error.
func (v *checker) remoteASN(key string, n *Neighbor) {
	group, exists := v.cfg.Groups[n.PeerGroup]
	given := v.has(key+".remote-asn") || v.has("peer-group."+n.PeerGroup+".remote-asn") || group.Preset != ""
	if !given && (exists || n.PeerGroup == "") {
		v.fail(key+".remote-asn", "required key is missing in the neighbor and its peer-group")
	}
}

func (v *checker) neighborAddress(key string, n *Neighbor) {
	if n.Address.Is6() && n.Address.IsLinkLocalUnicast() {
		v.fail(key+".address", "%s is a link-local address, which needs a device to go with it, and nvad has no key for that; use another address", n.Address)
	}
	if n.Address == v.cfg.RouterID {
		v.fail(key+".address", "%s is this NVA's own router-id", n.Address)
	}
	if n.Address == n.LocalAddress {
		v.fail(key+".address", "%s is local-address too", n.Address)
	}
	for _, t := range v.cfg.Tunnels {
		for _, p := range t.Addresses {
			if p.Addr() == n.Address {
				v.fail(key+".address", "%s is this NVA's own address on %s", n.Address, t.Name)
			}
		}
	}
	if l := n.LocalAddress; l.IsValid() && l.Is4() != n.Address.Is4() {
		v.fault(key, n, []string{"local-address"}, "%s is not of the address family of neighbor %s", l, n.Address)
	}
	if n.Address.Is6() && !n.Families.Has(route.IPv6) {
		v.fault(key, n, []string{"families"}, "neighbor %s needs \"ipv6\": IPv4 routes alone have no next hop over IPv6", n.Address)
	}
}
