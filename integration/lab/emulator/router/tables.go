package router

import (
	"fmt"
	"net/netip"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Table lists the paths that passed the import rules.
func (r *Router) Table() ([]Route, error) {
	return r.list(api.TableType_TABLE_TYPE_GLOBAL, "")
}

// Received lists what neighbor announced, as it was on the wire.
func (r *Router) Received(neighbor netip.Addr) ([]Route, error) {
	received, err := r.list(api.TableType_TABLE_TYPE_ADJ_IN, neighbor.String())
	if err != nil {
		return nil, err
	}
	table, err := r.Table()
	if err != nil {
		return nil, err
	}
	accepted := map[netip.Prefix]Route{}
	for _, route := range table {
		if route.Neighbor == neighbor {
			accepted[route.Prefix] = route
		}
	}
	for i := range received {
		route, ok := accepted[received[i].Prefix]
		received[i].Accepted, received[i].Best = ok, route.Best
	}
	if r.wire != nil {
		return r.wire.restore(received)
	}
	return received, nil
}

// Advertised lists what is announced to neighbor.
func (r *Router) Advertised(neighbor netip.Addr) ([]Route, error) {
	return r.list(api.TableType_TABLE_TYPE_ADJ_OUT, neighbor.String())
}

func (r *Router) list(kind api.TableType, name string) ([]Route, error) {
	routes := []Route{}
	request := apiutil.ListPathRequest{TableType: kind, Name: name, Family: bgp.RF_IPv4_UC}
	err := r.server.ListPath(request, func(_ bgp.NLRI, paths []*apiutil.Path) {
		for _, p := range paths {
			if route, ok := fromPath(p, r.config.ASN); ok {
				route.Accepted = kind != api.TableType_TABLE_TYPE_ADJ_IN
				routes = append(routes, route)
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list routes of %q: %w", name, err)
	}
	return sortRoutes(routes), nil
}

// Update is one UPDATE as it was received.
type Update struct {
	Neighbor  netip.Addr     `json:"neighbor"`
	Announced []netip.Prefix `json:"announced,omitempty"`
	Withdrawn []netip.Prefix `json:"withdrawn,omitempty"`
}

// Updates lists every UPDATE of a neighbor, in order, of this session and earlier ones. The
// log may lag a moment behind.
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

// Lost lists the prefixes that were in the table and then had no route from any neighbor, with
// one entry for each time.
func (r *Router) Lost() []netip.Prefix {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]netip.Prefix{}, r.lost...)
}

// lose records best paths that were removed without a replacement.
func (r *Router) lose(best []*apiutil.Path) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range best {
		if prefix, ok := prefixOf(p); ok && p.Withdrawal {
			r.lost = append(r.lost, prefix)
		}
	}
}

// settleTime is how long a neighbor has to be silent before its routes count as current and no
// longer as incoming.
const settleTime = time.Second

// counter counts the routes of one neighbor as Route Server documents it: current routes plus
// incoming ones, so a route that is sent again counts twice. If 2,001 routes are sent again,
// they exceed a limit of 4,000. No single UPDATE carries so many, so everything up to the next
// silence counts as incoming.
type counter struct {
	limit    int
	once     bool // routes that are sent again do not count again
	current  map[netip.Prefix]bool
	settled  int
	incoming int
	last     time.Time
}

func newCounter(n Neighbor) counter { return counter{limit: n.Limit, once: n.CountOnce} }

// add accounts for one UPDATE and reports whether the limit is exceeded.
func (c *counter) add(announced, withdrawn []netip.Prefix, now time.Time) bool {
	if c.current == nil {
		c.current = map[netip.Prefix]bool{}
	}
	if now.Sub(c.last) > settleTime {
		c.settled, c.incoming = len(c.current), 0
	}
	c.last = now
	for _, p := range withdrawn {
		if c.current[p] {
			delete(c.current, p)
			c.settled = min(c.settled, len(c.current))
		}
	}
	for _, p := range announced {
		c.current[p] = true
	}
	c.incoming += len(announced)
	if c.once {
		return c.limit > 0 && len(c.current) > c.limit
	}
	return c.limit > 0 && c.settled+c.incoming > c.limit
}
