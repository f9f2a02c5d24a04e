package arm

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// manage answers a request to Resource Manager.
func (s *Server) manage(w http.ResponseWriter, req *http.Request) {
	a, p := s.resource(req, w.Header())
	if p != nil {
		p.write(w)
		return
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// resource returns the answer; what goes with errors is set in header.
func (s *Server) resource(req *http.Request, header http.Header) (*answer, *Problem) {
	s.settle()
	who, p := s.authenticate(req)
	if p != nil {
		return nil, p
	}
	t, ok := parseTarget(req.URL.EscapedPath())
	if !ok {
		return nil, problem(http.StatusNotFound, "NotFound", "The path %s is not one of Resource Manager's.", req.URL.Path)
	}
	if p := s.throttle(who, t, header); p != nil {
		return nil, p
	}
	if req.URL.Query().Get("api-version") == "" {
		return nil, problem(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	}
	if isPoll(t) && req.Method == http.MethodGet {
		return s.poll(&call{server: s, caller: who, target: t, request: req})
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, problem(http.StatusRequestEntityTooLarge, "RequestContentTooLarge", "The request content size exceeds the maximum size of 1 MB.")
	}
	c := &call{server: s, caller: who, target: t, request: req, body: body}
	if t.kind == "" {
		return c.group()
	}
	if c.isTags() {
		return c.mergeTags()
	}
	return c.provider()
}

// group answers requests for subscriptions and resource groups.
func (c *call) group() (*answer, *Problem) {
	t := c.target
	if c.request.Method != http.MethodGet {
		return nil, problem(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method %s is not allowed for %s.", c.request.Method, c.request.URL.Path)
	}
	c.id = t.id("")
	c.api = &api{}
	switch {
	case t.subscription == "" && strings.EqualFold(t.rest, "subscriptions"):
		return c.pages(c.through(subscriptions(c), "Client.NewListPager"))
	case t.group == "" && strings.EqualFold(t.rest, "resourceGroups"):
		return c.pages(jsonAnswer(map[string]any{"value": c.list()}))
	case strings.EqualFold(t.rest, "resources"):
		return c.inventory()
	case t.rest != "":
		return nil, problem(http.StatusNotFound, "NotFound", "The path %s is not one of Resource Manager's.", c.request.URL.Path)
	case t.group != "":
		if p := c.authorize("Microsoft.Resources/subscriptions/resourceGroups/read", c.id); p != nil {
			return nil, p
		}
		group, p := c.read()
		if p != nil {
			return nil, p
		}
		return jsonAnswer(group)
	}
	if p := c.authorize("Microsoft.Resources/subscriptions/read", c.id); p != nil {
		return nil, p
	}
	return c.through(subscriptions(c), "Client.Get")
}

func jsonAnswer(value any) (*answer, *Problem) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, problem(http.StatusInternalServerError, "InternalServerError", "%v", err)
	}
	return &answer{status: http.StatusOK, header: http.Header{}, body: data}, nil
}

// provider answers requests for resources of a provider.
func (c *call) provider() (*answer, *Problem) {
	if a, ok := apis[strings.ToLower(c.target.kind)]; ok && len(c.target.names) > 0 {
		if act, ok := a.actions[strings.ToLower(c.target.rest)]; ok && c.request.Method == http.MethodPost {
			return c.post(a, act)
		}
		if c.isInstanceView() {
			return c.single(a)
		}
	}
	if c.target.rest != "" {
		return c.collection()
	}
	a, ok := apis[strings.ToLower(c.target.kind)]
	if !ok || c.target.group == "" {
		return nil, c.noType(c.target.kind)
	}
	return c.single(a)
}

// isInstanceView reports whether the request is for the state of a VM.
func (c *call) isInstanceView() bool {
	return strings.EqualFold(c.target.kind, TypeVM) && len(c.target.names) == 1 && strings.EqualFold(c.target.rest, "instanceView") && c.request.Method == http.MethodGet
}

func (c *call) noType(kind string) *Problem {
	namespace, name, _ := strings.Cut(kind, "/")
	return problem(http.StatusNotFound, "InvalidResourceType",
		"The resource type '%s' could not be found in the namespace '%s' for api version '%s'.", name, namespace, c.request.URL.Query().Get("api-version"))
}

// collection answers requests for lists.
func (c *call) collection() (*answer, *Problem) {
	kind := c.target.kind + "/" + c.target.rest
	a, ok := apis[strings.ToLower(kind)]
	method := ""
	if ok {
		method = a.list
		if c.target.group == "" {
			method = a.listAll
		}
	}
	if method == "" || c.request.Method != http.MethodGet {
		return nil, c.noType(kind)
	}
	c.api, c.id = a, c.target.id(c.target.kind)
	if len(c.target.names) == 0 {
		c.id = c.target.id("")
	}
	if p := c.authorize(a.kind+"/read", c.id); p != nil {
		return nil, p
	}
	if p := c.exists(); p != nil {
		return nil, p
	}
	return c.pages(c.through(a.listing(c), a.lists+"."+method))
}

// exists checks the subscription, the resource group and the resources that c.id is within.
func (c *call) exists() *Problem {
	within := c.id
	if c.target.rest == "" || len(c.target.names) == 0 {
		within = parentOf(c.id)
	}
	if c.target.kind != "" && len(c.target.names) == 0 {
		within = c.id
	}
	var missing string
	for id := within; len(id) > 1; id = parentOf(id) {
		if c.server.show(id) == nil {
			missing = id
		}
	}
	if missing != "" {
		return notFound(missing)
	}
	return nil
}

// single answers requests for one resource.
func (c *call) single(a *api) (*answer, *Problem) {
	c.api, c.id = a, c.target.id(a.kind)
	verb, ok := map[string][2]string{
		http.MethodGet: {"read", "Get"}, http.MethodPut: {"write", "BeginCreateOrUpdate"},
		http.MethodPatch: {"write", "UpdateTags"}, http.MethodDelete: {"delete", "BeginDelete"},
	}[c.request.Method]
	method := verb[1]
	switch {
	case c.target.rest != "":
		method = "InstanceView"
	case a.kind == TypeVM && c.request.Method == http.MethodPatch:
		method = "BeginUpdate"
	case a.kind == TypeGateway && c.request.Method == http.MethodPatch:
		method = "BeginUpdateTags"
	}
	if !ok {
		return nil, problem(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method %s is not allowed here.", c.request.Method)
	}
	if p := c.authorize(a.kind+"/"+verb[0], c.id); p != nil {
		return nil, p
	}
	if p := c.exists(); p != nil {
		return nil, p
	}
	if c.request.Method == http.MethodGet {
		return c.through(a.fake(c), a.client+"."+method)
	}
	return c.write(method)
}

// post answers an action.
func (c *call) post(a *api, act action) (*answer, *Problem) {
	c.api, c.id = a, c.target.id(a.kind)
	if p := c.authorize(a.kind+"/"+act.segment+"/action", c.id); p != nil {
		return nil, p
	}
	if p := c.exists(); p != nil {
		return nil, p
	}
	if act.running {
		if p := c.mustRun(); p != nil {
			return nil, p
		}
	}
	return c.server.begin(c, c.server.being().ReadTime, func() (*answer, *Problem) {
		return unwrap(c.through(a.listing(c), a.lists+"."+act.method))
	})
}

// unwrap repairs what the SDK's fakes do to answers that are maps: the clients expect the
// map itself, not an object that has it as Value.
func unwrap(a *answer, p *Problem) (*answer, *Problem) {
	var wrapped struct{ Value map[string]json.RawMessage }
	if p != nil || !bytes.HasPrefix(a.body, []byte(`{"Value":`)) {
		return a, p
	}
	if err := json.Unmarshal(a.body, &wrapped); err != nil {
		return nil, problem(http.StatusInternalServerError, "InternalServerError", "%v", err)
	}
	if wrapped.Value == nil {
		wrapped.Value = map[string]json.RawMessage{}
	}
	a.body, _ = json.Marshal(wrapped.Value)
	return a, p
}

// read returns the resource that the request is for, as readers see it.
func (c *call) read() (any, *Problem) {
	v := c.server.show(c.id)
	if v == nil {
		return nil, notFound(c.id)
	}
	return c.shape(v), nil
}

// list returns the resources of a list, in the order of their IDs.
func (c *call) list() []any {
	kind := c.target.kind + "/" + c.target.rest
	switch {
	case c.target.subscription == "":
		kind = "Microsoft.Resources/subscriptions"
	case c.target.kind == "":
		kind = "Microsoft.Resources/resourceGroups"
	}
	list := []any{}
	for _, v := range c.server.showAll(kind, c.id) {
		if c.target.kind == "" && !c.visible(idOf(v)) {
			continue
		}
		list = append(list, c.shape(v))
	}
	return list
}
