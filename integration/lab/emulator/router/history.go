package router

import (
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
)

// Update is one UPDATE as it was received.
type Update struct {
	Neighbor  netip.Addr     `json:"neighbor"`
	Announced []netip.Prefix `json:"announced,omitempty"`
	Withdrawn []netip.Prefix `json:"withdrawn,omitempty"`
}

// Updates lists every UPDATE of a neighbor, in order, of this session and earlier
// ones. The log may be a moment behind.
func (r *Router) Updates(neighbor netip.Addr) ([]Update, error) {
	if r.wire == nil {
		return nil, fmt.Errorf("router %s keeps no record", r.config.ID)
	}
	r.wire.mu.Lock()
	defer r.wire.mu.Unlock()
	if err := r.wire.read(); err != nil {
		return nil, err
	}
	list := []Update{}
	for _, u := range r.wire.updates {
		if u.Neighbor == neighbor {
			list = append(list, u)
		}
	}
	return list, nil
}

// Lost lists the prefixes that were in the table once and then in no neighbor's
// routes any more, one entry for each time.
func (r *Router) Lost() []netip.Prefix {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]netip.Prefix{}, r.lost...)
}

// lose keeps account of best paths that went without another in their place.
func (r *Router) lose(best []*apiutil.Path) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range best {
		if prefix, ok := prefixOf(p); ok && p.Withdrawal {
			r.lost = append(r.lost, prefix)
		}
	}
}
