package arm

import (
	"maps"
	"slices"
	"strings"
	"time"

	azarm "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// stale has the earlier resource that reads show for a while after a change.
type stale struct {
	until time.Time
	value any // nil: there was no such resource
	hops  map[string][]string
}

// show returns a copy of a resource as readers see it, or nil. For a while after a change
// they see what was there before.
func (s *Server) show(id string) any {
	s.State.mu.Lock()
	defer s.State.mu.Unlock()
	return s.shown(id)
}

func (s *Server) shown(id string) any {
	k, err := kindOf(id)
	if err != nil {
		return nil
	}
	whole := strings.ToLower(id)
	if k.within != nil {
		whole = parentOf(id)
	}
	v := s.State.resources[whole]
	if old, ok := s.State.stale[whole]; ok && s.now().Before(old.until) {
		v = old.value
	}
	if v != nil && k.within != nil {
		v = k.within.get(v, nameOf(id))
	}
	if v == nil {
		return nil
	}
	return duplicate(v)
}

// showAll returns copies of the resources of a type that lie below an ID, as readers see
// them, in the order of their IDs.
func (s *Server) showAll(kind, within string) []any {
	s.State.mu.Lock()
	defer s.State.mu.Unlock()
	var all []any
	if k := kinds[strings.ToLower(kind)]; k.within != nil {
		if parent := s.shown(within); parent != nil {
			for _, child := range k.within.all(parent) {
				all = append(all, duplicate(child))
			}
		}
		return all
	}
	ids := slices.Collect(maps.Keys(s.State.resources))
	ids = slices.AppendSeq(ids, maps.Keys(s.State.stale))
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		parsed, err := azarm.ParseResourceID(id)
		if err != nil || !strings.EqualFold(parsed.ResourceType.String(), kind) || !below(id, within) {
			continue
		}
		if v := s.shown(id); v != nil {
			all = append(all, v)
		}
	}
	return all
}

// shape makes of a copy of a resource what this request's answer has of it.
func (c *call) shape(v any) any {
	query := c.request.URL.Query()
	switch v := v.(type) {
	case *armcompute.VirtualMachine:
		if c.isInstanceView() {
			return v.Properties.InstanceView
		}
		if !strings.EqualFold(query.Get("$expand"), "instanceView") {
			v.Properties.InstanceView = nil
		}
	case *armnetwork.VirtualHub:
		v.Properties.BgpConnections = nil
		for _, peer := range c.server.showAll(TypeHub+"/bgpConnections", *v.ID) {
			v.Properties.BgpConnections = append(v.Properties.BgpConnections, &armnetwork.SubResource{ID: to.Ptr(idOf(peer))})
		}
	case *armnetwork.BgpConnection:
		if !c.server.being().ConnectionState {
			v.Properties.ConnectionState = nil
		}
	}
	return v
}
