package arm

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// call is one request to a resource, on its way through one of the SDK's fake servers. The
// fakes parse requests and write answers, and ask the functions below for the contents.
type call struct {
	server  *Server
	caller  caller
	target  target
	api     *api
	id      string // of the resource, or of what lists are within
	request *http.Request
	body    []byte
	// change carries out a write in the State once its operation is complete; then, if it
	// isn't nil, changes another resource.
	change, then func()
	// hops are the next hops of the ECMP routes that a write sets, by the routes' IDs.
	hops   map[string][]string
	status int // of a write's answer
}

// transport is one of the SDK's fake servers.
type transport interface {
	Do(*http.Request) (*http.Response, error)
}

type callKey struct{}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// answer goes to a client.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// through passes the call to the SDK's fake server as method, which is the name of a client's
// method, and returns its answer. The fake must not see the request's context end: if it does
// while it waits for an answer, it closes the channel on which that arrives, and the send
// panics.
func (c *call) through(fake transport, method string) (*answer, *Problem) {
	ctx := context.WithValue(context.WithoutCancel(c.request.Context()), callKey{}, c)
	req := c.request.Clone(context.WithValue(ctx, runtime.CtxAPINameKey{}, method))
	req.Body = io.NopCloser(strings.NewReader(string(c.body)))
	req.URL.Path, req.URL.RawPath = c.canonicalPath(), ""
	resp, err := fake.Do(req)
	var p *Problem
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &p):
		return nil, p
	case errors.As(err, &syntax), errors.As(err, &wrong):
		return nil, problem(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '%v'.", err)
	case err != nil:
		return nil, problem(http.StatusBadRequest, "InvalidRequestFormat", "Cannot parse the request: %v.", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, problem(http.StatusInternalServerError, "InternalServerError", "%v", err)
	}
	a := &answer{status: resp.StatusCode, header: http.Header{}, body: body}
	c.withHops(a)
	return a, nil
}

// canonicalPath spells the request's path as the fakes expect it.
func (c *call) canonicalPath() string {
	path := c.target.id(c.api.kind)
	act, ok := c.api.actions[strings.ToLower(c.target.rest)]
	switch {
	case ok && c.request.Method == http.MethodPost:
		return path + "/" + act.segment
	case c.isInstanceView():
		return path + "/instanceView"
	}
	return path
}

// fill sets a response of the SDK, which embeds the type of what it answers, unless there is
// a problem.
func fill[R any](from any, p *Problem) (R, error) {
	var r R
	if p != nil {
		return r, p
	}
	data, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	return r, err
}

func respond[R any](value any, p *Problem) (r azfake.Responder[R], e azfake.ErrorResponder) {
	resp, err := fill[R](value, p)
	if err != nil {
		e.SetError(err)
		return r, e
	}
	r.SetResponse(http.StatusOK, resp, nil)
	return r, e
}

// complete is respond for what the SDK polls for. The Server does that polling itself.
func complete[R any](status int, value any, p *Problem) (r azfake.PollerResponder[R], e azfake.ErrorResponder) {
	resp, err := fill[R](value, p)
	if err != nil {
		e.SetError(err)
		return r, e
	}
	r.SetTerminalResponse(status, resp, nil)
	return r, e
}

func page[R any](c *call) (r azfake.PagerResponder[R]) {
	resp, err := fill[R](map[string]any{"value": c.list()}, nil)
	if err != nil {
		r.AddError(err)
		return r
	}
	r.AddPage(http.StatusOK, resp, nil)
	return r
}

// The functions below have the signatures of the fakes' fields. The number is how many names
// the fake takes from the path.

func get1[R, O any](ctx context.Context, _ string, _ *O) (azfake.Responder[R], azfake.ErrorResponder) {
	return respond[R](callOf(ctx).read())
}

func get2[R, O any](ctx context.Context, _, _ string, _ *O) (azfake.Responder[R], azfake.ErrorResponder) {
	return respond[R](callOf(ctx).read())
}

func get3[R, O any](ctx context.Context, _, _, _ string, _ *O) (azfake.Responder[R], azfake.ErrorResponder) {
	return respond[R](callOf(ctx).read())
}

func put2[P, R, O any](ctx context.Context, _, _ string, value P, _ *O) (azfake.PollerResponder[R], azfake.ErrorResponder) {
	return put[R](ctx, &value)
}

func put3[P, R, O any](ctx context.Context, _, _, _ string, value P, _ *O) (azfake.PollerResponder[R], azfake.ErrorResponder) {
	return put[R](ctx, &value)
}

func put[R any](ctx context.Context, value any) (azfake.PollerResponder[R], azfake.ErrorResponder) {
	c := callOf(ctx)
	stored, p := c.put(value)
	return complete[R](c.status, stored, p)
}

func delete2[R, O any](ctx context.Context, _, _ string, _ *O) (azfake.PollerResponder[R], azfake.ErrorResponder) {
	return complete[R](http.StatusOK, struct{}{}, callOf(ctx).remove())
}

func delete3[R, O any](ctx context.Context, _, _, _ string, _ *O) (azfake.PollerResponder[R], azfake.ErrorResponder) {
	return complete[R](http.StatusOK, struct{}{}, callOf(ctx).remove())
}

func tags2[P, R, O any](ctx context.Context, _, _ string, value P, _ *O) (azfake.Responder[R], azfake.ErrorResponder) {
	return respond[R](callOf(ctx).tag(&value))
}

// slowTags2 is tags2 where the SDK polls.
func slowTags2[P, R, O any](ctx context.Context, _, _ string, value P, _ *O) (azfake.PollerResponder[R], azfake.ErrorResponder) {
	stored, p := callOf(ctx).tag(&value)
	return complete[R](http.StatusOK, stored, p)
}

func action2[R, O any](ctx context.Context, _, _ string, _ *O) (azfake.PollerResponder[R], azfake.ErrorResponder) {
	value, p := callOf(ctx).act(ctx)
	return complete[R](http.StatusOK, value, p)
}

func action3[R, O any](ctx context.Context, _, _, _ string, _ *O) (azfake.PollerResponder[R], azfake.ErrorResponder) {
	value, p := callOf(ctx).act(ctx)
	return complete[R](http.StatusOK, value, p)
}

func list0[R, O any](c *call, to *func(*O) azfake.PagerResponder[R]) {
	*to = func(*O) azfake.PagerResponder[R] { return page[R](c) }
}

func list1[R, O any](c *call, to *func(string, *O) azfake.PagerResponder[R]) {
	*to = func(string, *O) azfake.PagerResponder[R] { return page[R](c) }
}

func list2[R, O any](c *call, to *func(string, string, *O) azfake.PagerResponder[R]) {
	*to = func(string, string, *O) azfake.PagerResponder[R] { return page[R](c) }
}

// askTimeout bounds how long the network may take to answer.
const askTimeout = 30 * time.Second

// act asks the network what an action of the request asks for.
func (c *call) act(ctx context.Context) (any, *Problem) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	routes := c.server.Routes
	name := nameOf(c.id)
	hub := strings.TrimSuffix(c.id, "/bgpConnections/"+name)
	value, err := func() (any, error) {
		switch strings.ToLower(c.target.rest) {
		case "effectiveroutetable":
			return listed(routes.Effective(ctx, c.id))
		case "effectivenetworksecuritygroups":
			return listed(routes.EffectiveRules(ctx, c.id))
		case "learnedroutes":
			return routes.Learned(ctx, hub, name)
		case "advertisedroutes":
			return routes.Advertised(ctx, hub, name)
		case "getlearnedroutes":
			return listed(routes.GatewayLearned(ctx, c.id))
		case "getadvertisedroutes":
			return listed(routes.GatewayAdvertised(ctx, c.id, c.request.URL.Query().Get("peer")))
		case "getbgppeerstatus":
			if peers, ok := routes.(GatewayPeers); ok {
				return listed(peers.GatewayPeers(ctx, c.id))
			}
			return listed([]any{}, nil)
		}
		return nil, notFound(c.id)
	}()
	if err == nil {
		value, err = c.server.later(c, value)
	}
	var p *Problem
	if err != nil && !errors.As(err, &p) {
		p = problem(http.StatusInternalServerError, "InternalServerError", "%v", err)
	}
	return value, p
}

func listed[T any](list []T, err error) (any, error) {
	return map[string]any{"value": slices.Concat([]T{}, list)}, err
}
