package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// Filter selects paths by what they carry. The zero Filter selects all. It remembers
// AS paths that it has met, so each reader needs its own.
type Filter struct {
	From     netip.Addr // the neighbor that a path came from; invalid: any
	standard []route.Community
	large    []route.LargeCommunity
	extended []route.ExtCommunity
	asPath   *policy.Program // nil: any
}

// maxCommunities bounds how many communities a reader may ask for at once.
const maxCommunities = 16

// NewFilter returns the Filter for paths with each of communities, in their text
// form, whose AS path asPath matches, an expression as in an as-path-list; empty: any
// AS path. The error says what can't be read.
func NewFilter(communities []string, asPath string) (Filter, error) {
	var f Filter
	if len(communities) > maxCommunities {
		return f, fmt.Errorf("%d communities are asked for, at most %d are taken", len(communities), maxCommunities)
	}
	for _, s := range communities {
		if err := f.addCommunity(s); err != nil {
			return f, err
		}
	}
	if asPath == "" {
		return f, nil
	}
	const name = "filter"
	lists := map[string]policy.ASPathList{name: {{Permit: true, Regexp: asPath}}}
	program, err := policy.Compile(&policy.Library{ASPathLists: lists}, policy.Chain{ASPathList: name}, policy.Session{})
	if err != nil {
		return f, fmt.Errorf("AS path expression %q: %w", asPath, cause(err))
	}
	f.asPath = program
	return f, nil
}

// cause leaves out of a policy's error the list that it is about, which nobody wrote.
func cause(err error) error {
	var e *policy.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// addCommunity takes a community of whichever kind s is.
func (f *Filter) addCommunity(s string) error {
	switch {
	case strings.Count(s, ":") == 2:
		c, err := route.ParseLargeCommunity(s)
		f.large = append(f.large, c)
		return err
	case strings.Contains(s, " ") || strings.HasPrefix(s, "0x"):
		c, err := route.ParseExtCommunity(s)
		f.extended = append(f.extended, c)
		return err
	}
	c, err := route.ParseCommunity(s)
	f.standard = append(f.standard, c)
	return err
}

// Selects reports whether the filter takes v.
func (f *Filter) Selects(v *Path) bool {
	if f.From.IsValid() && v.Neighbor != f.From {
		return false
	}
	return containsAll(v.Attrs.Communities, f.standard) && containsAll(v.Attrs.LargeCommunities, f.large) &&
		containsAll(v.Attrs.ExtCommunities, f.extended) &&
		(f.asPath == nil || f.asPath.Run(&policy.Input{Prefix: v.Prefix, Attrs: v.Attrs}).Accept)
}

func containsAll[T comparable](have, want []T) bool {
	for _, w := range want {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}
