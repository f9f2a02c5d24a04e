package engine

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Trial is a route to be tried on a configuration.
type Trial struct {
	Neighbor netip.Addr
	Export   bool // advertised to Neighbor; else received from it
	Prefix   netip.Prefix
	// Attrs are as received or, with Export, as import policy left them. An
	// invalid next hop stands for that of the neighbor it comes from.
	Attrs route.Attrs
	// From is the neighbor that an exported route was learned from; invalid: one
	// whose routes Neighbor may be told.
	From netip.Addr
}

// stranger stands for the neighbor an exported route was learned from if the
// configuration has none.
var stranger = netip.AddrFrom4([4]byte{192, 0, 2, 1})

// tryLink is a link that leads everywhere.
const tryLink = 1

// Try tells how cfg would treat a route, by the same code that treats routes of
// sessions: checks, policy and, for an export, what goes on the wire. Paths has
// the path that was tried; with t.Export, Exports what the neighbor is told.
// Next hops are taken for reached, which Assumed says, like all else that neither
// cfg nor t gives. ErrNoNeighbor if a neighbor is not in cfg.
func Try(cfg *config.Config, t Trial) (Explanation, error) {
	peers, err := compile(cfg)
	if err != nil {
		return Explanation{}, err
	}
	i := slices.IndexFunc(peers, func(p rib.Peer) bool { return p.Address == t.Neighbor })
	if i < 0 {
		return Explanation{}, fmt.Errorf("neighbor %s %w", t.Neighbor, ErrNoNeighbor)
	}
	b := newBench(cfg)
	b.up(peers[i])
	if !t.Export {
		b.receive(t.Neighbor, t)
		x := b.rib.Explain(rib.ExplainQuery{Prefix: t.Prefix, Neighbor: t.Neighbor, ExportTo: t.Neighbor})
		x.Exports, x.Route = nil, nil
		return Explanation{Explanation: x, Assumed: assumed(t, t.Neighbor, "")}, nil
	}
	from, err := source(cfg, peers, &peers[i], t.From)
	if err != nil {
		return Explanation{}, err
	}
	if from.Import, err = accepting(t.Attrs.LocalPref); err != nil {
		return Explanation{}, err
	}
	b.up(from)
	b.receive(from.Address, t)
	x := b.rib.Explain(rib.ExplainQuery{Prefix: t.Prefix, Neighbor: from.Address, ExportTo: t.Neighbor})
	for i := range x.Paths {
		x.Paths[i].Checks, x.Paths[i].Steps, x.Paths[i].Rule = nil, nil, ""
	}
	x.Route = nil
	return Explanation{Explanation: x, Assumed: assumed(t, from.Address, b.assumedLocal(t.Neighbor))}, nil
}

// assumed is what Try takes for granted. local is the text about the session's own
// address, empty if the file gives it or it does not matter.
func assumed(t Trial, from netip.Addr, local string) (out []string) {
	switch {
	case !t.Export || t.From.IsValid():
	case from == stranger:
		out = append(out, fmt.Sprintf("learned from %s, which stands for a neighbor: the file has none whose routes may go to %s", from, t.Neighbor))
	default:
		out = append(out, fmt.Sprintf("learned from %s, the first neighbor whose routes may go to %s", from, t.Neighbor))
	}
	if !t.Attrs.NextHop.IsValid() {
		out = append(out, fmt.Sprintf("next hop %s, that neighbor's address", from))
	}
	if local != "" {
		out = append(out, local)
	}
	if t.Export {
		return append(out, "the next hop is reached, and no other path is better")
	}
	return append(out, "the next hop is reached")
}

// source is the neighbor that an exported route is learned from, without its
// checks: the one that is asked for; or else the first whose routes may be
// passed on, of this AS for an eBGP neighbor and of another for iBGP.
func source(cfg *config.Config, peers []rib.Peer, to *rib.Peer, want netip.Addr) (rib.Peer, error) {
	internal := func(p *rib.Peer) bool { return p.LocalASN == p.RemoteASN }
	i := slices.IndexFunc(peers, func(p rib.Peer) bool {
		if want.IsValid() {
			return p.Address == want
		}
		return p.Address != to.Address && internal(&p) != internal(to)
	})
	out := rib.Peer{Address: stranger, SessionSettings: rib.SessionSettings{LocalASN: cfg.ASN, RemoteASN: cfg.ASN}}
	switch {
	case i >= 0:
		out = peers[i]
	case want.IsValid():
		return out, fmt.Errorf("neighbor %s %w", want, ErrNoNeighbor)
	case internal(to):
		out.RemoteASN = cfg.ASN + 1
	}
	out.AllowASIn, out.EnforceFirstAS, out.AllowASSets = 255, false, true
	return out, nil
}

// accepting is a policy that lets a route in with a LOCAL_PREF, which an eBGP
// neighbor could not give it.
func accepting(pref route.Optional) (*policy.Program, error) {
	clause := policy.Clause{Permit: true}
	if pref.Set {
		clause.Set.LocalPref = &policy.Number{Value: pref.Value}
	}
	lib := policy.Library{RouteMaps: map[string]policy.RouteMap{"given": {clause}}}
	return policy.Compile(&lib, policy.Chain{RouteMap: "given"}, policy.Session{})
}

// bench is a RIB without sessions, in which every next hop is reached.
type bench struct {
	cfg *config.Config
	in  *route.Interner
	rib *rib.RIB
}

func newBench(cfg *config.Config) *bench {
	b := &bench{cfg: cfg, in: route.NewInterner()}
	b.rib = rib.New(rib.Options{
		ASN: cfg.ASN, RouterID: cfg.RouterID, MaxPaths: 1, ResolveDefault: true, Interner: b.in,
	})
	everywhere := func(a netip.Addr) fib.KernelRoute {
		return fib.KernelRoute{Prefix: netip.PrefixFrom(a, 0), Hops: []fib.NextHop{{Link: tryLink}}}
	}
	b.rib.SetFacts(fib.Facts{
		Links:  []fib.Link{{Index: tryLink, Name: "any", Up: true}},
		Routes: []fib.KernelRoute{everywhere(netip.IPv4Unspecified()), everywhere(netip.IPv6Unspecified())},
	})
	return b
}

func (b *bench) up(p rib.Peer) {
	b.rib.SetPeer(p)
	b.rib.PeerUp(p.Address, rib.Session{
		LocalAddress: b.localAddress(p.Address), RemoteID: p.Address, Families: route.IPv4 | route.IPv6,
	}, nil)
}

// localAddress is [bench.fileAddress], or else the router ID; 0.0.0.0 stands for one
// that is not known.
func (b *bench) localAddress(neighbor netip.Addr) netip.Addr {
	return cmp.Or(b.fileAddress(neighbor), b.cfg.RouterID, netip.IPv4Unspecified())
}

// assumedLocal says what stands for the session's own address; empty if the file
// gives it.
func (b *bench) assumedLocal(neighbor netip.Addr) string {
	switch {
	case b.fileAddress(neighbor).IsValid():
		return ""
	case b.cfg.RouterID.IsValid():
		return fmt.Sprintf("session address %s, the router ID: the file gives no local-address", b.cfg.RouterID)
	}
	return "session address 0.0.0.0, which stands for one not known: the file gives neither local-address nor router-id"
}

// fileAddress is the session's own address if the file tells it: local-address, or
// that of the tunnel that the neighbor is in; invalid if not.
func (b *bench) fileAddress(neighbor netip.Addr) netip.Addr {
	for _, n := range b.cfg.Neighbors {
		if n.Address == neighbor && n.LocalAddress.IsValid() {
			return n.LocalAddress
		}
	}
	for _, t := range b.cfg.Tunnels {
		for _, p := range t.Addresses {
			if p.Masked().Contains(neighbor) {
				return p.Addr()
			}
		}
	}
	return netip.Addr{} // the machine's, which no file tells
}

func (b *bench) receive(from netip.Addr, t Trial) {
	if !t.Attrs.NextHop.IsValid() {
		t.Attrs.NextHop = from
	}
	b.rib.Update(&speaker.Update{
		From: speaker.From{Peer: from}, Attrs: b.in.Intern(t.Attrs), Announced: []netip.Prefix{t.Prefix},
	}, time.Time{})
	for b.rib.Flush(destinationsPerTurn) {
	}
}
