package rib

import (
	"fmt"

	"github.com/nvad/nvad/pkg/route"
)

// Route leaks (RFC 9234 5). A route from a provider, a peer or a route server is marked with
// Only to Customer (OTC), and is then advertised to customers only. Which rules hold for a
// neighbor follows from its role; a neighbor without a role has none.

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

// receivedOTC returns the OTC of a route that p has announced with otc.
func (p *peer) receivedOTC(otc route.Optional) route.Optional {
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

// sentOTC returns the OTC that a route with otc is sent to p with.
func (p *peer) sentOTC(otc route.Optional) route.Optional {
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
