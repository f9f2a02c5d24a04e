package router

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Route is one path of a BGP table, with its attributes as they are on the
// wire: what is absent there is nil or invalid here.
type Route struct {
	Prefix   netip.Prefix `json:"prefix"`
	Neighbor netip.Addr   `json:"neighbor,omitzero"`
	ASPath   []uint32     `json:"as_path"`
	NextHop  netip.Addr   `json:"next_hop,omitzero"`
	Origin   string       `json:"origin,omitempty"`
	// MED and LocalPref tell an absent attribute from one that is zero.
	MED         *uint32  `json:"med,omitempty"`
	LocalPref   *uint32  `json:"local_pref,omitempty"`
	Communities []string `json:"communities,omitempty"`
	// Attributes names every attribute present, also those without a field.
	Attributes []string `json:"attributes"`
	// Accepted is false for a received route that an import rule dropped.
	Accepted bool `json:"accepted"`
	Best     bool `json:"best"`
	// Internal is set for routes of iBGP neighbors.
	Internal bool `json:"internal,omitempty"`
}

// Path is the AS path as text, empty for an own route.
func (r Route) Path() string {
	var text []string
	for _, asn := range r.ASPath {
		text = append(text, strconv.FormatUint(uint64(asn), 10))
	}
	return strings.Join(text, " ")
}

func fromPath(p *apiutil.Path, asn uint32) (Route, bool) {
	prefix, ok := prefixOf(p)
	if !ok {
		return Route{}, false
	}
	r := Route{Prefix: prefix, Best: p.Best}
	if p.PeerAddress.IsValid() {
		r.Neighbor, r.Internal = p.PeerAddress.Unmap(), p.PeerASN == asn
	}
	for _, a := range p.Attrs {
		r.addAttribute(a)
	}
	return r, true
}

func prefixOf(p *apiutil.Path) (netip.Prefix, bool) {
	nlri, ok := p.Nlri.(*bgp.IPAddrPrefix)
	if !ok {
		return netip.Prefix{}, false
	}
	return nlri.Prefix, true
}

func (r *Route) addAttribute(a bgp.PathAttributeInterface) {
	name := strings.ToLower(strings.TrimPrefix(a.GetType().String(), "BGP_ATTR_TYPE_"))
	r.Attributes = append(r.Attributes, name)
	switch a := a.(type) {
	case *bgp.PathAttributeOrigin:
		r.Origin = []string{"IGP", "EGP", "incomplete"}[min(a.Value, 2)]
	case *bgp.PathAttributeAsPath:
		for _, segment := range a.Value {
			r.ASPath = append(r.ASPath, segment.GetAS()...)
		}
	case *bgp.PathAttributeNextHop:
		r.NextHop = a.Value
	case *bgp.PathAttributeMpReachNLRI:
		r.NextHop = a.Nexthop
	case *bgp.PathAttributeMultiExitDisc:
		r.MED = &a.Value
	case *bgp.PathAttributeLocalPref:
		r.LocalPref = &a.Value
	case *bgp.PathAttributeCommunities:
		for _, c := range a.Value {
			r.Communities = append(r.Communities, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
		}
	}
}

func sortRoutes(routes []Route) []Route {
	slices.SortFunc(routes, func(a, b Route) int {
		if c := comparePrefix(a.Prefix, b.Prefix); c != 0 {
			return c
		}
		return a.Neighbor.Compare(b.Neighbor)
	})
	return routes
}

func comparePrefix(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}
