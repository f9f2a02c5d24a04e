package arm

import (
	"cmp"
	"net/url"
	"strings"
)

// target has the resource that a request's path names.
type target struct {
	subscription, group string
	// kind is the type of the resource, or of those in the list, as the path spells it.
	kind string
	// names are those of the resource and of what it is part of, the outermost first.
	names []string
	// rest is a last segment without a name: the type of a list, or an action.
	rest string
}

// parseTarget splits a path of the form
//
//	/subscriptions/S/resourceGroups/G/providers/NAMESPACE/TYPE/NAME/TYPE/NAME/...
//
// of which everything from any point on may be missing.
func parseTarget(path string) (target, bool) {
	var t target
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, p := range parts {
		name, err := url.PathUnescape(p)
		if err != nil || name == "" || strings.Contains(name, "/") {
			return t, false
		}
		parts[i] = name
	}
	take := func(key string) (value string, ok bool) {
		if len(parts) < 2 || !strings.EqualFold(parts[0], key) {
			return "", false
		}
		value, parts = parts[1], parts[2:]
		return value, true
	}
	t.subscription, _ = take("subscriptions")
	t.group, _ = take("resourceGroups")
	t.kind, _ = take("providers")
	for t.kind != "" && len(parts) >= 2 {
		t.kind, t.names, parts = t.kind+"/"+parts[0], append(t.names, parts[1]), parts[2:]
	}
	if len(parts) == 1 {
		t.rest, parts = parts[0], nil
	}
	return t, len(parts) == 0
}

// id returns the resource ID of a resource of the type kind with the target's names.
func (t target) id(kind string) string {
	id := "/subscriptions/" + t.subscription
	if t.group != "" {
		id += "/resourceGroups/" + t.group
	}
	namespace, types, _ := strings.Cut(kind, "/")
	if namespace == "" {
		return id
	}
	id += "/providers/" + namespace
	for i, segment := range strings.Split(types, "/") {
		id += "/" + segment
		if i < len(t.names) {
			id += "/" + t.names[i]
		}
	}
	return id
}

// typedName returns the type and names of a resource, as errors name it:
// Microsoft.Network/virtualNetworks/vnet-hub00.
func typedName(id string) string {
	_, rest, _ := strings.Cut(id, "/providers/")
	return cmp.Or(rest, id)
}
