package arm

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	azarm "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
)

// State holds the resources of some subscriptions as values of Azure's SDK, by their
// resource IDs, which are compared regardless of case. A subnet, a peering, a route or a
// security rule is part of its parent, and can be read and changed under its own ID too.
//
// Its methods and the functions that take it may be called at any time. Values that are
// passed in or out are copies.
type State struct {
	mu        sync.Mutex
	resources map[string]any      // pointers to the SDK's types, by lower-case ID
	hops      map[string][]string // next hops of ECMP routes, by the lower-case ID of the route
	grants    []Grant
	stale     map[string]stale // what reads show, of resources that changed a moment ago
}

// NewState returns a State without resources.
func NewState() *State {
	return &State{resources: map[string]any{}, hops: map[string][]string{}, stale: map[string]stale{}}
}

// Put adds a resource, which is a pointer to a type of Azure's SDK with an ID, or replaces
// it. It panics if there can't be such a resource, since its callers are builders.
func (s *State) Put(resource any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.put(idOf(resource), resource); err != nil {
		panic(err)
	}
}

func (s *State) put(id string, resource any) error {
	k, err := kindOf(id)
	if err != nil {
		return err
	}
	if want := reflect.TypeOf(k.make()); reflect.TypeOf(resource) != want {
		return fmt.Errorf("%s is a %T, not a %v", id, resource, want)
	}
	if k.within == nil {
		s.resources[strings.ToLower(id)] = duplicate(resource)
		return nil
	}
	parent, ok := s.resources[parentOf(id)]
	if !ok {
		return fmt.Errorf("%s has no parent", id)
	}
	k.within.set(parent, duplicate(resource))
	retag(parent)
	return nil
}

// find returns the resource itself, or nil.
func (s *State) find(id string) any {
	k, err := kindOf(id)
	if err != nil {
		return nil
	}
	if k.within == nil {
		return s.resources[strings.ToLower(id)]
	}
	parent, ok := s.resources[parentOf(id)]
	if !ok {
		return nil
	}
	return k.within.get(parent, nameOf(id))
}

// Delete removes a resource and everything below its ID.
func (s *State) Delete(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(id)
}

func (s *State) remove(id string) {
	k, err := kindOf(id)
	if err != nil {
		return
	}
	maps.DeleteFunc(s.resources, func(other string, _ any) bool { return below(other, id) })
	s.removeHops(id)
	if parent, ok := s.resources[parentOf(id)]; ok && k.within != nil {
		k.within.remove(parent, nameOf(id))
		retag(parent)
	}
}

// Get returns a copy of the resource, if there is one.
func Get[T any](s *State, id string) (*T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.find(id).(*T)
	if !ok {
		return nil, false
	}
	return duplicate(v).(*T), true
}

// All returns copies of all resources of a type, in the order of their IDs. Subnets,
// peerings, routes and rules are found in their parents.
func All[T any](s *State) []*T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*T
	for _, id := range slices.Sorted(maps.Keys(s.resources)) {
		if v, ok := s.resources[id].(*T); ok {
			list = append(list, duplicate(v).(*T))
		}
	}
	return list
}

// Change lets change alter a resource in place, and reports whether there is one. Whoever
// has read it before can't write it with that entity tag any more.
func Change[T any](s *State, id string, change func(*T)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.find(id).(*T)
	if ok {
		change(v)
		retag(v)
		s.touch(id)
	}
	return ok
}

// touch gives the whole that a part belongs to another entity tag.
func (s *State) touch(id string) {
	if k, err := kindOf(id); err == nil && k.within != nil {
		if parent, ok := s.resources[parentOf(id)]; ok {
			retag(parent)
		}
	}
}

// retag gives a resource another entity tag, if it has one.
func retag(resource any) {
	if f := reflect.ValueOf(resource).Elem().FieldByName("Etag"); f.IsValid() {
		f.Set(reflect.ValueOf(newETag()))
	}
}

// Hops returns the next hops of a user-defined route of type VirtualApplianceEcmp, which the
// SDK's type of a route has no place for.
func (s *State) Hops(route string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.hops[strings.ToLower(route)])
}

// SetHops sets the next hops of a route of type VirtualApplianceEcmp.
func (s *State) SetHops(route string, hops ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setHops(route, hops)
}

// removeHops forgets the next hops of a route, or of all routes of a table.
func (s *State) removeHops(id string) {
	maps.DeleteFunc(s.hops, func(route string, _ []string) bool { return below(route, id) })
}

func (s *State) setHops(route string, hops []string) {
	if len(hops) == 0 {
		delete(s.hops, strings.ToLower(route))
		return
	}
	s.hops[strings.ToLower(route)] = slices.Clone(hops)
}

// Clone returns a State that shares nothing with s.
func (s *State) Clone() *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := NewState()
	for id, r := range s.resources {
		c.resources[id] = duplicate(r)
	}
	for id, hops := range s.hops {
		c.hops[id] = slices.Clone(hops)
	}
	c.grants = slices.Clone(s.grants)
	return c
}

// document is a State's JSON.
type document struct {
	Resources []json.RawMessage   `json:"resources"`
	Hops      map[string][]string `json:"ecmpNextHops,omitempty"`
	Grants    []Grant             `json:"grants,omitempty"`
}

// MarshalJSON writes the resources in the order of their IDs.
func (s *State) MarshalJSON() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := document{Hops: s.hops, Grants: s.grants}
	for _, id := range slices.Sorted(maps.Keys(s.resources)) {
		data, err := json.Marshal(s.resources[id])
		if err != nil {
			return nil, err
		}
		d.Resources = append(d.Resources, data)
	}
	return json.Marshal(d)
}

// UnmarshalJSON replaces the contents of s.
func (s *State) UnmarshalJSON(data []byte) error {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resources, s.hops, s.grants = map[string]any{}, map[string][]string{}, d.Grants
	for id, hops := range d.Hops {
		s.setHops(id, hops)
	}
	for _, raw := range d.Resources {
		var head struct{ ID string }
		if err := json.Unmarshal(raw, &head); err != nil {
			return err
		}
		k, err := kindOf(head.ID)
		if err != nil {
			return err
		}
		resource := k.make()
		if err := json.Unmarshal(raw, resource); err != nil {
			return fmt.Errorf("%s: %w", head.ID, err)
		}
		if err := s.put(head.ID, resource); err != nil {
			return err
		}
	}
	return nil
}

// duplicate returns a deep copy of a pointer to one of the SDK's types.
func duplicate(resource any) any { return copyOf(reflect.ValueOf(resource)).Interface() }

func copyOf(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v
		}
		if v.Kind() == reflect.Interface {
			return copyOf(v.Elem())
		}
		c := reflect.New(v.Type().Elem())
		c.Elem().Set(copyOf(v.Elem()))
		return c
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			c.Index(i).Set(copyOf(v.Index(i)))
		}
		return c
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeMapWithSize(v.Type(), v.Len())
		for entries := v.MapRange(); entries.Next(); {
			c.SetMapIndex(entries.Key(), copyOf(entries.Value()))
		}
		return c
	case reflect.Struct:
		c := reflect.New(v.Type()).Elem()
		c.Set(v) // also what is not exported, as in a time
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				c.Field(i).Set(copyOf(v.Field(i)))
			}
		}
		return c
	}
	return v
}

// idOf returns the ID of a resource, or "".
func idOf(resource any) string {
	id, _ := reflect.ValueOf(resource).Elem().FieldByName("ID").Interface().(*string)
	if id == nil {
		return ""
	}
	return *id
}

func parentOf(id string) string {
	parsed, err := azarm.ParseResourceID(id)
	if err != nil || parsed.Parent == nil {
		return ""
	}
	return strings.ToLower(parsed.Parent.String())
}

func nameOf(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }
