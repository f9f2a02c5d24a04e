package arm

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// write answers a request that changes a resource: at once with what it will be, and if that
// takes time, with where to ask whether it is.
func (c *call) write(method string) (*answer, *Problem) {
	if o := c.server.busy(c.id); o != nil {
		return nil, problem(http.StatusConflict, "AnotherOperationInProgress",
			"Another operation on this or dependent resource is in progress. To retrieve status of the operation use uri: %s.", c.server.pollHeader(c.request, o).Get("Azure-AsyncOperation"))
	}
	if p := c.match(); p != nil {
		return nil, p
	}
	a, p := c.through(c.api.fake(c), c.api.client+"."+method)
	if p != nil {
		return nil, p
	}
	takes := c.server.being().WriteTime
	if c.change == nil || takes <= 0 || method == "UpdateTags" {
		if c.change != nil {
			c.server.apply(c)
		}
		if c.request.Method == http.MethodDelete && c.change == nil {
			a.status = http.StatusNoContent
		}
		return a, nil
	}
	final := *a
	o := c.server.start(c, takes, false, func() (*answer, *Problem) {
		c.server.apply(c)
		return &final, nil
	})
	a.header = c.server.pollHeader(c.request, o)
	if c.request.Method == http.MethodDelete {
		a.status, a.body = http.StatusAccepted, []byte("null")
		return a, nil
	}
	a.header.Del("Location")
	a.body = updating(a.body)
	return a, nil
}

// updating returns a resource with the state that it has while it is changed. What is within
// it, such as the IP configuration of a NIC, keeps its state: a client that reads "Succeeded"
// of the resource itself asks no more.
func updating(body []byte) []byte {
	var resource, properties map[string]json.RawMessage
	if json.Unmarshal(body, &resource) != nil || json.Unmarshal(resource["properties"], &properties) != nil || properties["provisioningState"] == nil {
		return body
	}
	properties["provisioningState"] = json.RawMessage(`"Updating"`)
	resource["properties"], _ = json.Marshal(properties)
	body, _ = json.Marshal(resource)
	return body
}

// match compares the entity tags of conditions with the resource's.
func (c *call) match() *Problem {
	c.server.State.mu.Lock()
	defer c.server.State.mu.Unlock()
	v := c.server.State.find(c.id)
	want, unwanted := c.request.Header.Get("If-Match"), c.request.Header.Get("If-None-Match")
	is := func(tag string) bool { return v != nil && (tag == "*" || tag == etagOf(v)) }
	if (want == "" || is(want)) && (unwanted == "" || !is(unwanted)) {
		return nil
	}
	return problem(http.StatusPreconditionFailed, "PreconditionFailed", "Precondition failed. The conditions of the request don't hold for %s.", c.id)
}

// apply makes a change, and remembers for readers what was there before.
func (s *Server) apply(c *call) {
	lag := s.being().Lag
	s.State.mu.Lock()
	defer s.State.mu.Unlock()
	whole := strings.ToLower(c.id)
	if k, err := kindOf(c.id); err == nil && k.within != nil {
		whole = parentOf(c.id)
	}
	if lag > 0 && !s.now().Before(s.State.stale[whole].until) {
		var before any
		if v := s.State.resources[whole]; v != nil {
			before = duplicate(v)
		}
		s.State.stale[whole] = stale{until: s.now().Add(lag), value: before, hops: maps.Clone(s.State.hops)}
	}
	c.change()
}

// put prepares the change to a resource and returns what it becomes.
func (c *call) put(value any) (any, *Problem) {
	tidy(reflect.ValueOf(value))
	if p := c.stamp(value, c.id, c.api.kind); p != nil {
		return nil, p
	}
	if p := c.authorizeLinks(value); p != nil {
		return nil, p
	}
	s := c.server.State
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.find(c.id)
	c.status = http.StatusOK
	if old == nil {
		c.status = http.StatusCreated
	}
	c.hops = c.hopsIn(value)
	if p := c.settle(old, value); p != nil {
		return nil, p
	}
	c.change = func() {
		_ = s.put(c.id, value)
		s.removeHops(c.id)
		for id, hops := range c.hops {
			s.setHops(id, hops)
		}
		if c.then != nil {
			c.then()
		}
	}
	return value, nil
}

// stamp sets the fields of a resource and its parts that Azure sets.
func (c *call) stamp(value any, id, kind string) *Problem {
	v := reflect.ValueOf(value).Elem()
	set := func(name string, to any) {
		if f := v.FieldByName(name); f.IsValid() && f.Type() == reflect.TypeOf(to) {
			f.Set(reflect.ValueOf(to))
		}
	}
	name := nameOf(id)
	set("ID", &id)
	set("Name", &name)
	set("Type", &kind)
	set("Etag", newETag())
	properties := v.FieldByName("Properties")
	if properties.IsNil() {
		properties.Set(reflect.New(properties.Type().Elem()))
	}
	if f := properties.Elem().FieldByName("ProvisioningState"); f.IsValid() && f.Type() == reflect.TypeOf(succeeded) {
		f.Set(reflect.ValueOf(succeeded))
	}
	for name, k := range kinds {
		if k.within == nil || name != strings.ToLower(kind+"/"+k.part) {
			continue
		}
		for _, child := range k.within.all(value) {
			name, _ := reflect.ValueOf(child).Elem().FieldByName("Name").Interface().(*string)
			if name == nil || *name == "" || strings.Contains(*name, "/") {
				return problem(http.StatusBadRequest, "InvalidRequestFormat", "One of the %s of %s has no valid name.", k.part, id)
			}
			if p := c.stamp(child, id+"/"+k.part+"/"+*name, kind+"/"+k.part); p != nil {
				return p
			}
		}
	}
	return nil
}

// tidy removes what is null in lists and maps, so that nobody has to look for it.
func tidy(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			tidy(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				tidy(v.Field(i))
			}
		}
	case reflect.Slice:
		kept := reflect.MakeSlice(v.Type(), 0, v.Len())
		for i := range v.Len() {
			if e := v.Index(i); e.Kind() != reflect.Pointer || !e.IsNil() {
				tidy(e)
				kept = reflect.Append(kept, e)
			}
		}
		if !v.IsNil() {
			v.Set(kept)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if e := v.MapIndex(key); e.Kind() == reflect.Pointer && e.IsNil() {
				v.SetMapIndex(key, reflect.Value{})
			}
		}
	}
}

// remove prepares the deletion of a resource. It is no error if there is none.
func (c *call) remove() *Problem {
	s := c.server.State
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(c.id) != nil {
		c.change = func() { s.remove(c.id) }
	}
	return nil
}

// tag prepares the replacement of a resource's tags.
func (c *call) tag(value any) (any, *Problem) {
	data, err := json.Marshal(value)
	var body struct{ Tags map[string]*string }
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	if err != nil {
		return nil, problem(http.StatusBadRequest, "InvalidRequestContent", "%v", err)
	}
	s := c.server.State
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.find(c.id)
	if old == nil {
		return nil, notFound(c.id)
	}
	next := duplicate(old)
	tagsOf(next).Set(reflect.ValueOf(body.Tags))
	c.status = http.StatusOK
	c.change = func() { _ = s.put(c.id, next) }
	return next, nil
}

func etagOf(resource any) string {
	f := reflect.ValueOf(resource).Elem().FieldByName("Etag")
	if !f.IsValid() || f.IsNil() {
		return ""
	}
	return f.Elem().String()
}

// mustRun checks that the VM of the NIC that the request is for is running. Azure's code for
// this is not documented.
func (c *call) mustRun() *Problem {
	nic, ok := c.server.show(c.id).(*armnetwork.Interface)
	if !ok {
		return notFound(c.id)
	}
	vm := nic.Properties.VirtualMachine
	if vm == nil || vm.ID == nil || !c.server.State.Running(*vm.ID) {
		return problem(http.StatusBadRequest, "NetworkInterfaceNotAttachedToRunningVirtualMachine",
			"Network interface %s must be attached to a running virtual machine for this operation.", c.id)
	}
	return nil
}
