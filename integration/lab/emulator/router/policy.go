package router

import (
	"context"
	"fmt"
	"net/netip"

	api "github.com/osrg/gobgp/v4/api"
)

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

// conditions turns a rule's conditions into GoBGP's, which name sets instead
// of holding them.
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
