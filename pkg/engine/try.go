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

// Trial is a route to try on a configuration.
type Trial struct {
	Neighbor netip.Addr
	Export   bool // advertise it to Neighbor; else receive it from Neighbor
	Prefix   netip.Prefix
	// Attrs are the attributes as received or, with Export, as the import policy left
	// them. An invalid next hop stands for the address of the neighbor it comes from.
	Attrs route.Attrs
	// From is the neighbor that an exported route was learned from; invalid: any whose
	// routes may be advertised to Neighbor.
	From netip.Addr
}

// stranger stands for the neighbor that an exported route was learned from, if the
// configuration has none that fits.
var stranger = netip.AddrFrom4([4]byte{192, 0, 2, 1})

// tryLink is a link on which every next hop is reached.
const tryLink = 1

// Try says how cfg would treat a route, using the code that treats the routes of
// sessions: checks, policy and, for an export, the rules of the wire. Paths has the
// path that was tried; with t.Export, Exports has what would be advertised. Assumed
// lists everything that neither cfg nor t says, such as that the next hop resolves.
// ErrNoNeighbor if a neighbor is neither in cfg nor in a listen-range of it.
func Try(cfg *config.Config, t Trial) (Explanation, error) {
	c, err := compile(cfg)
	if err != nil {
		return Explanation{}, err
	}
	peers := c.peers
	for _, addr := range []netip.Addr{t.Neighbor, t.From} {
		if n, ok := cfg.Dynamic(addr); ok {
			p, err := compilePeer(cfg, c.compiler, n)
			if err != nil {
				return Explanation{}, err
			}
			peers = append(peers, p)
		}
	}
	i := slices.IndexFunc(peers, func(p rib.Peer) bool { return p.Address == t.Neighbor })
	if i < 0 {
		return Explanation{}, fmt.Errorf("neighbor %s %w", t.Neighbor, ErrNoNeighbor)
	}
	if first, ok := t.Attrs.ASPath.First(); ok && !t.Export && peers[i].RemoteASN == 0 {
		peers[i].RemoteASN = first // remote-asn = "external"
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

// assumed lists what Try takes for granted. Local is the text about this machine's
// address in the session; empty if the file gives it or it does not matter.
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

// source returns the neighbor that an exported route is learned from, without its
// import checks: the wanted one, or else the first whose routes may be passed on: an
// iBGP neighbor if to is external, an eBGP neighbor if it is internal.
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

// accepting returns a policy that accepts a route and sets its LOCAL_PREF, which an
// eBGP neighbor could not set.
func accepting(pref route.Optional) (*policy.Program, error) {
	clause := policy.Clause{Permit: true}
	if pref.Set {
		clause.Set.LocalPref = &policy.Number{Value: pref.Value}
	}
	lib := policy.Library{RouteMaps: map[string]policy.RouteMap{"given": {clause}}}
	return policy.Compile(&lib, policy.Chain{RouteMap: "given"}, policy.Session{})
}

// bench is a RIB without sessions in which every next hop resolves.
type bench struct {
	cfg *config.Config
	in  *route.Interner
	rib *rib.RIB
}

func newBench(cfg *config.Config) *bench {
	b := &bench{cfg: cfg, in: route.NewInterner()}
	b.rib = rib.New(rib.Options{
		ASN: cfg.ASN, RouterID: cfg.RouterID, Interner: b.in, Forwarding: rib.Forwarding{MaxPaths: 1, ResolveDefault: true},
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

// localAddress returns [bench.fileAddress], or else the router ID, or else 0.0.0.0.
func (b *bench) localAddress(neighbor netip.Addr) netip.Addr {
	return cmp.Or(b.fileAddress(neighbor), b.cfg.RouterID, netip.IPv4Unspecified())
}

// assumedLocal says which address stands for this machine's address in the session;
// empty if the file gives it.
func (b *bench) assumedLocal(neighbor netip.Addr) string {
	switch {
	case b.fileAddress(neighbor).IsValid():
		return ""
	case b.cfg.RouterID.IsValid():
		return fmt.Sprintf("session address %s, the router ID: the file gives no local-address", b.cfg.RouterID)
	}
	return "session address 0.0.0.0, which stands for one not known: the file gives neither local-address nor router-id"
}

// fileAddress returns this machine's address in the session if the file gives it, as
// local-address or as the address of the neighbor's tunnel; else an invalid one.
func (b *bench) fileAddress(neighbor netip.Addr) netip.Addr {
	for _, n := range b.cfg.Neighbors {
		if n.Address == neighbor && n.LocalAddress.IsValid() {
			return n.LocalAddress
		}
	}
	if n, ok := b.cfg.Dynamic(neighbor); ok && n.LocalAddress.IsValid() {
		return n.LocalAddress
	}
	for _, t := range b.cfg.Tunnels {
		for _, p := range t.Addresses {
			if p.Masked().Contains(neighbor) {
				return p.Addr()
			}
		}
	}
	return netip.Addr{} // the address of a NIC, which is not in the file
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
