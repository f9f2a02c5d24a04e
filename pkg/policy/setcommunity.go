package policy

import (
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// noCommunities is the value that empties a list of communities.
const noCommunities = "none"

// communityEdit is the changes of one kind of community.
type communityEdit[T comparable] struct {
	kind    *communityKind[T]
	replace bool // by values
	values  []T
	remove  *communityList[T] // nil: nothing
	add     []T
}

func (c *communityEdit[T]) empty() bool {
	return !c.replace && c.remove == nil && len(c.add) == 0
}

func (c *communityEdit[T]) apply(a *route.Attrs) {
	out := slices.Clone(c.kind.of(a))
	if c.replace {
		out = slices.Clone(c.values)
	}
	if c.remove != nil {
		out = slices.DeleteFunc(out, c.remove.deletes)
	}
	out = append(out, c.add...)
	c.kind.put(a, c.kind.sort(out))
}
