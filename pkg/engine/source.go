package engine

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
)

// sources has the address that each session takes from its interface. An address is kept
// while the interface has it, and also while it has none: a DHCP client that renews its
// lease removes the address for a moment, and the sessions survive that.
type sources map[sourceAt]netip.Addr

// sourceAt is an interface, as it is seen from the address of a neighbor or of a range.
type sourceAt struct {
	device string
	remote netip.Addr
}

// of returns the address for a session; invalid if the interface has never had one.
func (s sources) of(links []fib.Link, from sourceAt) netip.Addr {
	var usable []netip.Prefix
	for _, l := range links {
		if l.Name == from.device {
			usable = l.Addresses
		}
	}
	usable = slices.DeleteFunc(slices.Clone(usable), func(p netip.Prefix) bool {
		a := p.Addr()
		return a.Is4() != from.remote.Is4() || a.IsLoopback() || a.IsLinkLocalUnicast() && !p.Contains(from.remote)
	})
	last := s[from]
	near := slices.IndexFunc(usable, func(p netip.Prefix) bool { return p.Contains(from.remote) })
	switch {
	case len(usable) == 0, slices.ContainsFunc(usable, func(p netip.Prefix) bool { return p.Addr() == last }):
		return last
	case near >= 0:
		return usable[near].Addr()
	}
	return usable[0].Addr()
}

// located returns n with the address of its interface, if it names one. remote is the
// address of the neighbor or the prefix of its range.
func (e *Engine) located(n config.Neighbor, remote netip.Addr) config.Neighbor {
	if n.LocalInterface != "" {
		n.LocalAddress = e.sources.of(e.kernel.Links, sourceAt{n.LocalInterface, remote})
	}
	return n
}

// unlocated says that a session has no address to start from; empty if it has one.
func unlocated(n *config.Neighbor) string {
	if n.LocalInterface == "" || n.LocalAddress.IsValid() {
		return ""
	}
	family := "IPv4"
	if n.Address.Is6() {
		family = "IPv6"
	}
	return fmt.Sprintf("interface %s has no %s address (local-address)", n.LocalInterface, family)
}

// relocate follows the addresses of the interfaces that sessions start from, and reports
// whether one has changed.
func (e *Engine) relocate() bool {
	next := sources{}
	see := func(n *config.Neighbor, remote netip.Addr) {
		if from := (sourceAt{n.LocalInterface, remote}); n.LocalInterface != "" {
			if a := e.sources.of(e.kernel.Links, from); a.IsValid() {
				next[from] = a
			}
		}
	}
	for i := range e.cfg.Neighbors {
		see(&e.cfg.Neighbors[i], e.cfg.Neighbors[i].Address)
	}
	for i := range e.cfg.Ranges {
		see(&e.cfg.Ranges[i].Neighbor, e.cfg.Ranges[i].Prefix.Addr())
	}
	changed := len(next) != len(e.sources)
	for from, a := range next {
		changed = changed || e.sources[from] != a
	}
	e.sources = next
	return changed
}

// followSources moves sessions to the addresses that their interfaces have now.
func (e *Engine) followSources() {
	if !e.relocate() {
		return
	}
	for _, m := range e.members(e.compiled) {
		n := e.neighbors[m.Address]
		if n == nil || n.cfg.LocalAddress == m.LocalAddress {
			continue
		}
		e.log.Info("local address of a neighbor changed", "neighbor", m.Address, "device", m.LocalInterface, "address", m.LocalAddress)
		n.cfg = m.Neighbor
		e.rib.SetPeer(m.peer)
	}
	e.configureSpeaker()
}
