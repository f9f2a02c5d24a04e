package arm

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// The SDK's types have no place for the next hops of ECMP routes, so these are taken from
// and put into the JSON beside them:
//
//	{"properties": {"nextHopType": "VirtualApplianceEcmp", "nextHop": {"nextHopIpAddresses": ["10.0.0.4", "10.0.0.5"]}}}

// ecmpVersion is the first version of the API that has them.
const ecmpVersion = "2025-07-01"

// A route of type VirtualApplianceEcmp has 2 to 64 next hops.
const minHops, maxHops = 2, 64

func (c *call) hasECMP() bool { return c.request.URL.Query().Get("api-version") >= ecmpVersion }

// rawRoute reads those fields of a route from a request's JSON that the SDK's type lacks.
type rawRoute struct {
	Name       string
	Properties struct {
		NextHop *struct {
			NextHopIPAddresses []string `json:"nextHopIpAddresses"`
		}
	}
}

// hopsIn returns the next hops in the body of a request for a route or a route table, by the
// IDs of the routes.
func (c *call) hopsIn(value any) map[string][]string {
	hops := map[string][]string{}
	add := func(id string, r rawRoute) {
		if r.Properties.NextHop != nil {
			hops[id] = r.Properties.NextHop.NextHopIPAddresses
		}
	}
	switch value.(type) {
	case *armnetwork.Route:
		var r rawRoute
		_ = json.Unmarshal(c.body, &r)
		add(c.id, r)
	case *armnetwork.RouteTable:
		var t struct{ Properties struct{ Routes []rawRoute } }
		_ = json.Unmarshal(c.body, &t)
		for _, r := range t.Properties.Routes {
			add(c.id+"/routes/"+r.Name, r)
		}
	}
	return hops
}

// checkRoute refuses routes whose next hops don't fit their type. Azure's codes for this are
// not documented.
func (c *call) checkRoute(r *armnetwork.Route, hops []string) *Problem {
	wrong := func(text string) *Problem {
		return problem(http.StatusBadRequest, "InvalidRequestFormat", "Route %s is invalid: %s.", *r.ID, text)
	}
	kind, prefix, single := r.Properties.NextHopType, r.Properties.AddressPrefix, r.Properties.NextHopIPAddress
	switch {
	case kind == nil || prefix == nil:
		return wrong("nextHopType and addressPrefix are required")
	case *kind == NextHopECMP && !c.hasECMP():
		return wrong("nextHopType VirtualApplianceEcmp needs api-version " + ecmpVersion)
	case *kind == NextHopECMP && (len(hops) < minHops || len(hops) > maxHops):
		return wrong("nextHop.nextHopIpAddresses must contain between 2 and 64 IP addresses")
	case *kind != NextHopECMP && len(hops) > 0:
		return wrong("nextHop is only allowed when nextHopType is VirtualApplianceEcmp")
	case (*kind == armnetwork.RouteNextHopTypeVirtualAppliance) != (single != nil):
		return wrong("nextHopIpAddress is required for the type VirtualAppliance, and only allowed there")
	}
	if single != nil {
		hops = []string{*single}
	}
	for _, hop := range hops {
		if _, err := netip.ParseAddr(hop); err != nil {
			return wrong("'" + hop + "' is not an IP address")
		}
	}
	return nil
}

// withHops adds next hops to an answer that has routes.
func (c *call) withHops(a *answer) {
	if !strings.HasPrefix(c.api.kind, TypeRouteTable) || !c.hasECMP() {
		return
	}
	var body any
	if json.Unmarshal(a.body, &body) != nil {
		return
	}
	c.addHops(body)
	a.body, _ = json.Marshal(body)
}

func (c *call) addHops(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			c.addHops(e)
		}
	case map[string]any:
		id, _ := v["id"].(string)
		properties, _ := v["properties"].(map[string]any)
		if properties != nil && properties["nextHopType"] == NextHopECMP {
			if hops := c.hopsOf(id); len(hops) > 0 {
				properties["nextHop"] = map[string]any{"nextHopIpAddresses": hops}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			c.addHops(v[name])
		}
	}
}

// hopsOf returns the next hops of a route: those that the request sets, or what readers see.
func (c *call) hopsOf(id string) []string {
	if hops, ok := c.hops[id]; ok {
		return hops
	}
	s := c.server.State
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.stale[parentOf(id)]; ok && c.server.now().Before(old.until) {
		return old.hops[strings.ToLower(id)]
	}
	return s.hops[strings.ToLower(id)]
}
