package arm

import (
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	azarm "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
)

// item is a resource as Resource Manager's own list has it.
type item struct {
	ID       string             `json:"id"`
	Name     string             `json:"name"`
	Type     string             `json:"type"`
	Location *string            `json:"location,omitempty"`
	Tags     map[string]*string `json:"tags,omitempty"`
}

const readResources = "Microsoft.Resources/subscriptions/resources/read"

// inventory answers requests for all resources of a subscription or a resource group. It has
// only those that the caller may read.
func (c *call) inventory() (*answer, *Problem) {
	if !c.server.being().Anyone && !c.server.State.may(c.caller.object, readResources, c.id) {
		return nil, c.authorize(readResources, c.id)
	}
	if p := c.exists(); p != nil {
		return nil, p
	}
	wanted, p := parseFilter(c.request.URL.Query().Get("$filter"))
	if p != nil {
		return nil, p
	}
	list := []item{}
	for _, name := range slices.Sorted(maps.Keys(apis)) {
		kind := apis[name].kind
		if strings.Count(kind, "/") > 1 {
			continue
		}
		for _, v := range c.server.showAll(kind, c.id) {
			i := itemOf(v, kind)
			if wanted(i) && c.authorize(kind+"/read", i.ID) == nil {
				list = append(list, i)
			}
		}
	}
	slices.SortFunc(list, func(a, b item) int { return strings.Compare(strings.ToLower(a.ID), strings.ToLower(b.ID)) })
	return c.pages(jsonAnswer(map[string]any{"value": list}))
}

func itemOf(v any, kind string) item {
	r := reflect.ValueOf(v).Elem()
	i := item{ID: idOf(v), Type: kind}
	if parsed, err := azarm.ParseResourceID(i.ID); err == nil {
		i.Name = parsed.Name
	}
	i.Location, _ = r.FieldByName("Location").Interface().(*string)
	i.Tags, _ = r.FieldByName("Tags").Interface().(map[string]*string)
	return i
}

var term = regexp.MustCompile(`^\s*(\w+) eq '((?:[^']|'')*)'\s*$`)

// parseFilter reads the documented filters of this list, joined by "and". Names of tags are
// compared regardless of case, values exactly.
func parseFilter(text string) (func(item) bool, *Problem) {
	var name, value, kind *string
	for _, part := range strings.Split(text, " and ") {
		m := term.FindStringSubmatch(part)
		if text == "" {
			break
		}
		if m == nil {
			return nil, problem(http.StatusBadRequest, "InvalidFilterInQueryString", "Invalid $filter '%s' specified in the query string.", text)
		}
		literal := strings.ReplaceAll(m[2], "''", "'")
		switch m[1] {
		case "tagName":
			name = &literal
		case "tagValue":
			value = &literal
		case "resourceType":
			kind = &literal
		default:
			return nil, problem(http.StatusBadRequest, "InvalidFilterInQueryString", "Invalid $filter '%s' specified in the query string.", text)
		}
	}
	return func(i item) bool {
		if kind != nil && !strings.EqualFold(*kind, i.Type) {
			return false
		}
		if name == nil {
			return true
		}
		for tag, v := range i.Tags {
			if strings.EqualFold(tag, *name) && (value == nil || (v != nil && *v == *value)) {
				return true
			}
		}
		return false
	}, nil
}
