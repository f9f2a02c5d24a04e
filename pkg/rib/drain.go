package rib

import (
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// Drain says how routes are advertised while this NVA takes leave of its
// traffic. The zero value is as always.
type Drain struct {
	On       bool
	Prepends int // times that eBGP neighbors are shown the own ASN on top
}

// SetDrain has every neighbor told anew, by following Flushes. What it was told
// is replaced, never withdrawn: between a withdrawal and an announcement a
// destination would be gone, in Azure for as long as its VNets are dampened.
func (r *RIB) SetDrain(d Drain) {
	if r.drain == d {
		return
	}
	r.drain = d
	r.forgetWire()
	r.request(r.peers[0], offers)
}

// takeLeave makes a set the least preferred one: by GRACEFUL_SHUTDOWN where the
// neighbor knows it, with LOCAL_PREF 0 within the AS (RFC 8326 3, 4), and by a
// longer path where nothing else is looked at, as by Azure Route Server.
func (r *RIB) takeLeave(a *route.Attrs, p *peer) {
	if !r.drain.On {
		return
	}
	a.Communities = route.SortedSet(append(slices.Clone(a.Communities), route.GracefulShutdown))
	if p.internal {
		a.LocalPref = route.Some(0)
		return
	}
	a.ASPath = a.ASPath.Prepend(p.LocalASN, r.drain.Prepends)
}
