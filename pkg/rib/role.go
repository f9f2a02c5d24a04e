package rib

import (
	"fmt"

	"github.com/nvad/nvad/pkg/route"
)

// Route leaks (RFC 9234 5): what a provider, a peer or a route server has told
// carries Only to Customer from there on, and goes to customers alone. Which
// rules hold for a neighbor follows from what it is to this router (Peer.Role);
// without a role there are none.

// leaked reports whether p had no right to pass a route on.
func (p *peer) leaked(otc route.Optional) bool {
	switch p.Role {
	case "customer", "rs-client":
		return otc.Set
	case "peer":
		return otc.Set && otc.Value != p.RemoteASN
	}
	return false
}

// received is what OTC becomes when p announces a route.
func (p *peer) received(otc route.Optional) route.Optional {
	switch p.Role {
	case "provider", "peer", "rs-server":
		return route.Some(otc.Or(p.RemoteASN))
	}
	return otc
}

// wouldLeak reports whether a route must not be passed on to p.
func (p *peer) wouldLeak(otc route.Optional) bool {
	switch p.Role {
	case "provider", "peer", "rs-server":
		return otc.Set
	}
	return false
}

// told is what OTC becomes when a route is passed on to p.
func (p *peer) told(otc route.Optional) route.Optional {
	switch p.Role {
	case "customer", "peer", "rs-client":
		return route.Some(otc.Or(p.LocalASN))
	}
	return otc
}

func (p *peer) leakText(otc route.Optional) string {
	return fmt.Sprintf("a %s passed on what is Only to Customer of AS %d (RFC 9234)", p.Role, otc.Value)
}

func otcText(_ *peer, a *route.Attrs) string {
	if !a.OTC.Set {
		return "the path has no Only to Customer"
	}
	return fmt.Sprintf("Only to Customer of AS %d", a.OTC.Value)
}
