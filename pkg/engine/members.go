package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
)

// compiled is a configuration with the Programs of its neighbors.
type compiled struct {
	cfg      *config.Config
	compiler *policy.Compiler
	peers    []rib.Peer // in the order of cfg.Neighbors
}

// member is a neighbor of a configuration, with what only the system shows: the ASN of one
// that may have any, the address of the interface that it names.
type member struct {
	config.Neighbor
	peer rib.Peer
}

// members lists the neighbors of a configuration.
type members []member

func (ms members) has(addr netip.Addr) bool {
	return slices.ContainsFunc(ms, func(m member) bool { return m.Address == addr })
}

// members returns the neighbors as they would be under c.
func (e *Engine) members(c *compiled) members {
	out := make(members, 0, len(c.cfg.Neighbors))
	for i, n := range c.cfg.Neighbors {
		m := member{n, c.peers[i]}
		is := e.neighbors[n.Address]
		switch {
		case is != nil && n.RemoteType == config.External && is.cfg.RemoteType == config.External:
			m = e.member(c, n, is.cfg.RemoteASN)
		case n.LocalInterface != "":
			m = e.member(c, n, n.RemoteASN)
		}
		out = append(out, m)
	}
	return append(out, e.dynamicMembers(c)...)
}

// member returns n as a neighbor with the given ASN. Its policies compile, because those
// of any ASN do.
func (e *Engine) member(c *compiled, n config.Neighbor, asn uint32) member {
	remote := n.Address
	if n.Range.IsValid() {
		remote = n.Range.Addr()
	}
	n = e.located(n, remote)
	n.RemoteASN = asn
	p, err := compilePeer(c.cfg, c.compiler, n)
	if err != nil {
		e.log.Error("policy does not compile", "neighbor", n.Address, "reason", err)
	}
	return member{n, p}
}

// learnASN takes over the ASN of a neighbor that may have any. If it is another one than
// in the last session, so is the router: the routes that are kept were not its own.
func (e *Engine) learnASN(n *neighbor, asn uint32) {
	if n.cfg.RemoteType != config.External || n.cfg.RemoteASN == asn {
		return
	}
	e.rib.SweepStale(n.cfg.Address, allFamilies)
	m := e.member(e.compiled, n.cfg, asn)
	n.cfg = m.Neighbor
	e.rib.SetPeer(m.peer)
}

// compile compiles the neighbors' policies to Programs.
func compile(cfg *config.Config) (*compiled, error) {
	c := policy.NewCompiler(&cfg.Policies)
	out := &compiled{cfg: cfg, compiler: c}
	var errs []error
	for _, n := range cfg.Neighbors {
		p, err := compilePeer(cfg, c, n)
		if err != nil {
			errs = append(errs, fmt.Errorf("neighbor %s: %w", n.Address, err))
		}
		out.peers = append(out.peers, p)
	}
	for _, r := range cfg.Ranges {
		if _, err := compilePeer(cfg, c, r.Neighbor); err != nil {
			errs = append(errs, fmt.Errorf("listen-range %s: %w", r.Prefix, err))
		}
	}
	return out, errors.Join(errs...)
}

func compilePeer(cfg *config.Config, c *policy.Compiler, n config.Neighbor) (rib.Peer, error) {
	in, err1 := c.Compile(n.Import, cfg.Session(&n, false))
	out, err2 := c.Compile(n.Export, cfg.Session(&n, true))
	p := rib.Peer{
		Address:         n.Address,
		SessionSettings: rib.SessionSettings{LocalASN: n.OwnASN(cfg), RemoteASN: n.RemoteASN, Role: n.Role},
		SourceSettings: rib.SourceSettings{
			Group: n.PeerGroup, Domain: n.Domain, Weight: n.Weight, ReflectorClient: n.RouteReflectorClient,
		},
		ImportSettings: rib.ImportSettings{
			Import: in, AllowASIn: n.AllowASIn, EnforceFirstAS: n.EnforceFirstAS, AllowASSets: n.AllowASSets,
		},
		ExportSettings: rib.ExportSettings{
			Export: out, NextHopSelf: n.NextHopSelf, NextHopSelfForce: n.NextHopSelfForce, ASOverride: n.ASOverride,
			RemovePrivateAS: n.RemovePrivateAS, ReplacePrivateAS: n.ReplacePrivateAS, MaxAdvertised: n.MaximumPrefixOut,
		},
	}
	if n.MaximumPrefixAction == config.ActionDiscard {
		p.MaxReceived = n.MaximumPrefix
	}
	if n.MaximumPrefixCount == config.CountAccepted {
		p.MaxRejected = n.MaximumPrefix
	}
	p.Ignored.VNet = n.VNet
	if cfg.IsRouteServer(&n) {
		p.Ignored.Subnet = config.ServerSubnets(n.Address)
	}
	var err3 error
	if n.DefaultOriginate {
		p.Default, err3 = c.Compile(n.DefaultChain(), cfg.Session(&n, true))
	}
	return p, errors.Join(err1, err2, err3)
}
