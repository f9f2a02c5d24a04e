package arm

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// TypeTags is the type of a resource's tags as a resource of its own.
const TypeTags = "Microsoft.Resources/tags"

// maxTags is how many tags Azure allows a resource.
const maxTags = 50

// isTags reports whether the request is for the tags of a resource:
// .../providers/NAMESPACE/TYPE/NAME/providers/Microsoft.Resources/tags/default.
func (c *call) isTags() bool {
	_, tail := c.tagged()
	return strings.EqualFold(tail, "/providers/"+TypeTags+"/default") && len(c.target.names) == 3
}

// tagged splits the path of a request for tags behind the resource's.
func (c *call) tagged() (scope, tail string) {
	path := c.request.URL.Path
	at := max(strings.LastIndex(strings.ToLower(path), "/providers/"), 0)
	return path[:at], path[at:]
}

// mergeTags answers a request that changes some tags of a resource.
func (c *call) mergeTags() (*answer, *Problem) {
	scope, _ := c.tagged()
	c.target, _ = parseTarget(scope)
	a, ok := apis[strings.ToLower(c.target.kind)]
	if !ok {
		return nil, c.noType(c.target.kind)
	}
	if c.request.Method != http.MethodPatch {
		return nil, problem(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method %s is not allowed here.", c.request.Method)
	}
	c.api, c.id = a, c.target.id(a.kind)
	if p := c.authorize(TypeTags+"/write", c.id); p != nil {
		return nil, p
	}
	if p := c.exists(); p != nil {
		return nil, p
	}
	var body struct {
		Operation  string
		Properties struct{ Tags map[string]*string }
	}
	if err := json.Unmarshal(c.body, &body); err != nil || body.Operation != "Merge" {
		return nil, problem(http.StatusBadRequest, "InvalidRequestContent", "The emulated Azure merges tags, and does not %q them: %v.", body.Operation, err)
	}
	if p := c.merge(body.Properties.Tags); p != nil {
		return nil, p
	}
	c.server.apply(c)
	return jsonAnswer(map[string]any{"id": c.id + "/providers/" + TypeTags + "/default", "name": "default", "type": TypeTags, "properties": body.Properties})
}

// merge prepares the change of some tags. Their names are compared regardless of case. Azure's
// code for too many of them is not documented.
func (c *call) merge(change map[string]*string) *Problem {
	s := c.server.State
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.find(c.id)
	if old == nil {
		return notFound(c.id)
	}
	next := duplicate(old)
	tags, _ := tagsOf(next).Interface().(map[string]*string)
	if tags == nil {
		tags = map[string]*string{}
	}
	for _, name := range slices.Sorted(maps.Keys(change)) {
		maps.DeleteFunc(tags, func(has string, _ *string) bool { return strings.EqualFold(has, name) })
		if change[name] != nil {
			tags[name] = change[name]
		}
	}
	if len(tags) > maxTags {
		return problem(http.StatusBadRequest, "TooManyTags", "The resource would have %d tags, and %d are allowed.", len(tags), maxTags)
	}
	tagsOf(next).Set(reflect.ValueOf(tags))
	c.change = func() { _ = s.put(c.id, next) }
	return nil
}

func tagsOf(resource any) reflect.Value { return reflect.ValueOf(resource).Elem().FieldByName("Tags") }
