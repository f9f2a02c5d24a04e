package router

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Route is one path of a BGP table with its attributes as they are on the wire. An attribute
// that is absent there is nil or invalid here.
type Route struct {
	Prefix   netip.Prefix `json:"prefix"`
	Neighbor netip.Addr   `json:"neighbor,omitzero"`
	ASPath   []uint32     `json:"as_path"`
	NextHop  netip.Addr   `json:"next_hop,omitzero"`
	Origin   string       `json:"origin,omitempty"`
	// MED and LocalPref are nil if the attribute is absent, which differs from zero.
	MED         *uint32  `json:"med,omitempty"`
	LocalPref   *uint32  `json:"local_pref,omitempty"`
	Communities []string `json:"communities,omitempty"`
	// Attributes names every attribute present, including those without a field.
	Attributes []string `json:"attributes"`
	// Accepted is false for a received route that an import rule dropped.
	Accepted bool `json:"accepted"`
	Best     bool `json:"best"`
	// Internal is set for routes of iBGP neighbors.
	Internal bool `json:"internal,omitempty"`
}

// Path returns the AS path as text, empty for the router's own routes.
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
		return cmp.Or(a.Prefix.Compare(b.Prefix), a.Neighbor.Compare(b.Neighbor))
	})
	return routes
}

// setPolicies installs both rule lists as the global import and export policy.
func (r *Router) setPolicies(ctx context.Context) error {
	if err := r.setPolicy(ctx, "import", api.PolicyDirection_POLICY_DIRECTION_IMPORT, r.config.Import); err != nil {
		return err
	}
	return r.setPolicy(ctx, "export", api.PolicyDirection_POLICY_DIRECTION_EXPORT, r.config.Export)
}

func (r *Router) setPolicy(ctx context.Context, name string, dir api.PolicyDirection, rules []Rule) error {
	policy := &api.Policy{Name: name}
	for i, rule := range rules {
		id := fmt.Sprintf("%s-%d-%s", name, i, rule.Name)
		conditions, err := r.conditions(ctx, id, rule)
		if err != nil {
			return err
		}
		policy.Statements = append(policy.Statements, &api.Statement{Name: id, Conditions: conditions, Actions: rule.actions()})
	}
	if err := r.server.AddPolicy(ctx, &api.AddPolicyRequest{Policy: policy}); err != nil {
		return fmt.Errorf("add policy %s: %w", name, err)
	}
	assignment := &api.PolicyAssignment{
		Name:          "global",
		Direction:     dir,
		Policies:      []*api.Policy{policy},
		DefaultAction: api.RouteAction_ROUTE_ACTION_ACCEPT,
	}
	if err := r.server.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: assignment}); err != nil {
		return fmt.Errorf("assign policy %s: %w", name, err)
	}
	return nil
}

func (rule Rule) actions() *api.Actions {
	a := &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_REJECT}
	if rule.Accept {
		a.RouteAction = api.RouteAction_ROUTE_ACTION_ACCEPT
	}
	if rule.LocalPref != 0 {
		a.LocalPref = &api.LocalPrefAction{Value: rule.LocalPref}
	}
	return a
}

// conditions converts a rule's conditions to GoBGP's, which refer to sets by name.
func (r *Router) conditions(ctx context.Context, id string, rule Rule) (*api.Conditions, error) {
	c := &api.Conditions{RouteType: rule.RouteType}
	var sets []*api.DefinedSet
	use := func(kind api.DefinedType, set *api.DefinedSet) *api.MatchSet {
		set.DefinedType, set.Name = kind, id
		sets = append(sets, set)
		return &api.MatchSet{Type: api.MatchSet_TYPE_ANY, Name: id}
	}
	if len(rule.Neighbors) > 0 {
		c.NeighborSet = use(api.DefinedType_DEFINED_TYPE_NEIGHBOR, &api.DefinedSet{List: hosts(rule.Neighbors)})
	}
	if rule.ASPath != "" {
		c.AsPathSet = use(api.DefinedType_DEFINED_TYPE_AS_PATH, &api.DefinedSet{List: []string{rule.ASPath}})
	}
	if rule.Community != "" {
		c.CommunitySet = use(api.DefinedType_DEFINED_TYPE_COMMUNITY, &api.DefinedSet{List: []string{rule.Community}})
	}
	if rule.Prefix.IsValid() {
		c.PrefixSet = use(api.DefinedType_DEFINED_TYPE_PREFIX, exactly(rule.Prefix))
	}
	for _, set := range sets {
		if err := r.server.AddDefinedSet(ctx, &api.AddDefinedSetRequest{DefinedSet: set}); err != nil {
			return nil, fmt.Errorf("add set %s: %w", id, err)
		}
	}
	return c, nil
}

func exactly(p netip.Prefix) *api.DefinedSet {
	bits := uint32(p.Bits())
	return &api.DefinedSet{Prefixes: []*api.Prefix{{IpPrefix: p.String(), MaskLengthMin: bits, MaskLengthMax: bits}}}
}

func hosts(addrs []netip.Addr) []string {
	var list []string
	for _, a := range addrs {
		list = append(list, netip.PrefixFrom(a, a.BitLen()).String())
	}
	return list
}
