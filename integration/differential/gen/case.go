// Package gen generates test cases for two routing daemons: policies from the part of nvad's
// language that FRR has too, and routes for these policies.
//
// A [Case] depends only on its seed. It is drawn once and written twice, by [Case.FRR] and
// [Case.Nvad]. Every match and set clause of the common part is dealt from a deck, so that
// each occurs in each case. Values come from small pools that routes draw from too, so that
// clauses match.
//
// The package says what is configured and announced, never what the result should be.
package gen

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/nvad/nvad/integration/rawbgp"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// LocalASN is the ASN of the daemon under test.
const LocalASN = 65001

// RouterID is the router ID of the daemon under test.
var RouterID = netip.MustParseAddr("192.0.2.1")

// Case is one configuration and the routes that are announced to it.
type Case struct {
	Seed      uint64
	Neighbors []Neighbor
	Library   policy.Library
}

// Neighbor is a session of the daemon under test. Each has its own subnet: FRR passes on a
// next hop unchanged if it is on the subnet that FRR shares with the receiver.
type Neighbor struct {
	Name          string
	Address, Self netip.Addr // the neighbor's address, and the daemon's on the same subnet
	ASN           uint32
	Routes        []rawbgp.Route // what it announces

	Import, Export  policy.Chain
	Weight          uint32
	AllowASIn       int
	EnforceFirstAS  bool
	NextHopSelf     bool
	Reflect         bool // is a route reflector's client
	ASOverride      bool
	RemovePrivateAS bool
}

// Internal reports whether the neighbor is an iBGP neighbor.
func (n *Neighbor) Internal() bool { return n.ASN == LocalASN }

// mirror reports whether the neighbor has no policies, so that it shows the content of the
// table.
func (n *Neighbor) mirror() bool { return strings.HasPrefix(n.Name, "mirror") }

// generator is the state of drawing one case.
type generator struct {
	*rand.Rand
	c     *Case
	names int // number of objects named so far
	// serves is the neighbor whose policy is being drawn.
	serves netip.Addr
	match  deck
	set    deck
}

// New draws the case of a seed, with about routes routes.
func New(seed uint64, routes int) *Case {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), c: &Case{Seed: seed}}
	g.c.Library = policy.Library{
		PrefixLists:         map[string]policy.PrefixList{},
		ASPathLists:         map[string]policy.ASPathList{},
		CommunityLists:      map[string]policy.CommunityList{},
		LargeCommunityLists: map[string]policy.CommunityList{},
		ExtCommunityLists:   map[string]policy.CommunityList{},
		RouteMaps:           map[string]policy.RouteMap{},
	}
	g.match, g.set = deck{features: matches}, deck{features: sets}
	g.neighbors()
	g.announcements(routes)
	for i := range g.c.Neighbors {
		g.policies(&g.c.Neighbors[i])
	}
	return g.c
}

// neighbors draws the neighbors: three that announce, so that there is a choice between paths,
// and four that listen. Two of these have no policy, which would hide the content of the
// table.
func (g *generator) neighbors() {
	second := []uint32{65515, 64580, LocalASN}
	for i, n := range []Neighbor{
		{Name: "feeder-a", ASN: 65515},
		{Name: "feeder-b", ASN: second[g.IntN(len(second))]},
		{Name: "feeder-c", ASN: LocalASN},
		{Name: "sink-ebgp", ASN: 64999},
		{Name: "sink-ibgp", ASN: LocalASN},
		{Name: "mirror-ebgp", ASN: 4200000100},
		{Name: "mirror-ibgp", ASN: LocalASN, Reflect: true},
	} {
		n.Address, n.Self = subnetHost(i, 2), subnetHost(i, 1)
		g.settings(&n)
		g.c.Neighbors = append(g.c.Neighbors, n)
	}
}

// subnetHost returns an address on the subnet that the daemon shares with neighbor i.
func subnetHost(i, host int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 255, byte(i + 1), byte(host)})
}

// Spare is the daemon's address on a subnet without neighbors. Policies set next hops on this
// subnet: FRR passes on those that it shares with a neighbor.
var Spare = subnetHost(8, 1)

// settings draws a session's settings other than policy.
func (g *generator) settings(n *Neighbor) {
	if g.chance(30) {
		n.Weight = uint32(g.IntN(3)) * 100
	}
	// Without an export route-map, FRR applies next-hop-self only if import policy has set no
	// next hop.
	n.NextHopSelf = n.Internal() && !n.mirror() && g.chance(50)
	n.EnforceFirstAS = !n.Internal() && g.chance(30)
	if g.chance(30) {
		n.AllowASIn = 1 + g.IntN(2)
	}
	n.ASOverride = !n.Internal() && g.chance(20)
	n.RemovePrivateAS = !n.Internal() && g.chance(20)
}

// chance is true in the given percentage of cases.
func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// name returns a new unique name.
func (g *generator) name(kind string) string {
	g.names++
	return fmt.Sprintf("%s%d", kind, g.names)
}

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

// some picks n different elements, in any order.
func some[T any](g *generator, from []T, n int) []T {
	var out []T
	for _, i := range g.Perm(len(from))[:min(n, len(from))] {
		out = append(out, from[i])
	}
	return out
}

func ptr[T any](v T) *T { return &v }

// scope is the place of a clause.
type scope struct {
	export   bool
	external bool // the session is eBGP
	anywhere bool // in a called route-map, which serves every session
}

// feature is one thing that a clause may contain.
type feature struct {
	fits func(scope) bool // nil: everywhere
	// free reports whether the clause has room for it; nil: always.
	free func(*policy.Clause) bool
	draw func(*generator, *policy.Clause)
}

// deck deals features so that none comes a second time before all that fit have come once.
type deck struct {
	features []feature
	left     []int
}

// deal adds one feature to a clause, if one fits.
func (d *deck) deal(g *generator, c *policy.Clause, at scope) {
	for range 2 {
		for i, f := range d.left {
			if !d.features[f].goes(c, at) {
				continue
			}
			d.left = append(d.left[:i], d.left[i+1:]...)
			d.features[f].draw(g, c)
			return
		}
		d.left = append(d.left, g.Perm(len(d.features))...)
	}
}

func (f feature) goes(c *policy.Clause, at scope) bool {
	return (f.fits == nil || f.fits(at)) && (f.free == nil || f.free(c))
}

func onImport(at scope) bool { return !at.export && !at.anywhere }
func onExport(at scope) bool { return at.export && !at.anywhere }
func onEBGP(at scope) bool   { return at.external && !at.anywhere }
func inPlace(at scope) bool  { return !at.anywhere }

// Nvad returns the case as nvad's configuration. If nvad's default is stricter than FRR's, the
// configuration turns it off.
func (c *Case) Nvad() string {
	cfg := config.Default()
	cfg.ASN, cfg.RouterID = LocalASN, RouterID
	cfg.Kernel.AllowDefault = true
	cfg.Policies = c.Library
	for i := range c.Neighbors {
		cfg.Neighbors = append(cfg.Neighbors, c.Neighbors[i].nvad())
	}
	return string(config.Print(cfg, false))
}

func (n *Neighbor) nvad() config.Neighbor {
	s := config.DefaultSettings()
	s.RemoteASN, s.LocalASN, s.Passive = n.ASN, LocalASN, true
	s.Keepalive, s.Families = s.HoldTime/3, route.IPv4
	s.AllowASSets, s.EnforceFirstAS = true, n.EnforceFirstAS
	s.AllowASIn, s.Weight = n.AllowASIn, n.Weight
	s.NextHopSelf, s.RouteReflectorClient = n.NextHopSelf, n.Reflect
	s.ASOverride, s.RemovePrivateAS = n.ASOverride, n.RemovePrivateAS
	s.Import, s.Export = n.Import, n.Export
	return config.Neighbor{Address: n.Address, Description: n.Name, Settings: s}
}
