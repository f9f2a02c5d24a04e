package policy

import (
	"cmp"
	"maps"
	"slices"
)

// CheckLibrary returns every problem of every object of lib, whether or not
// something refers to it, in the order of kind, name and rule. Problems that
// depend on a session, such as a next hop that only makes sense in one
// direction, are for [Compile] to find.
func CheckLibrary(lib *Library) []*Error {
	b := newBuilder(NewCompiler(lib), Session{Export: true})
	for name := range lib.PrefixLists {
		b.prefixList("", name)
	}
	for name := range lib.ASPathLists {
		b.pathList("", name)
	}
	for name := range lib.CommunityLists {
		b.c.standard.list(b, "", name)
	}
	for name := range lib.LargeCommunityLists {
		b.c.large.list(b, "", name)
	}
	for name := range lib.ExtCommunityLists {
		b.c.ext.list(b, "", name)
	}
	// The order decides which route-map of a loop is told.
	for _, name := range slices.Sorted(maps.Keys(lib.RouteMaps)) {
		b.routeMap("", name)
	}
	slices.SortStableFunc(b.errs, func(x, y *Error) int {
		return cmp.Or(cmp.Compare(kindOrder(x.Kind), kindOrder(y.Kind)), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Index, y.Index))
	})
	return b.errs
}

func kindOrder(k Kind) int {
	return slices.Index([]Kind{KindPrefixList, KindASPathList, KindCommunityList, KindLargeCommunityList, KindExtCommunityList, KindRouteMap}, k)
}
