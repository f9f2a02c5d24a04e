package failover

import (
	"net/netip"
	"sync"
	"time"

	"github.com/nvad/nvad/integration/rawbgp"
)

// churned is how many routes are announced and withdrawn at once, and churnPause how long they
// stay announced or withdrawn.
const (
	churned    = 100
	churnPause = 10 * time.Millisecond
)

// churn announces and withdraws routes of a block over and over, in whatever session exists.
// The returned function stops it, with all of them withdrawn.
func (v *nva) churn(block int) (calm func()) {
	routes := announcement(block, churned, pathOf(v.address, v.asn, 1))
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			v.flap(routes)
			select {
			case <-stop:
				return
			case <-time.After(churnPause):
			}
		}
	})
	return func() { close(stop); done.Wait() }
}

// flap announces routes and withdraws them again. It ignores what fails because the session
// ends: the next session begins without these routes.
func (v *nva) flap(routes []rawbgp.Route) {
	v.mu.Lock()
	s := v.session
	v.mu.Unlock()
	if s == nil || s.Routes(routes) != nil {
		return
	}
	time.Sleep(churnPause) // the neighbor keeps them for a while
	var prefixes []netip.Prefix
	for _, r := range routes {
		prefixes = append(prefixes, r.Prefix)
	}
	_ = s.Withdraw(prefixes...)
}
