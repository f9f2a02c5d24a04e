package fib

import (
	"net/netip"
	"slices"
)

// At returns the entries of one prefix; see [FIB.Entries].
func (f *FIB) At(prefix netip.Prefix) []Entry {
	list := f.appendAt(nil, prefix)
	slices.SortFunc(list, compareEntries)
	return list
}

func (f *FIB) appendAt(list []Entry, prefix netip.Prefix) []Entry {
	for s := f.slots[prefix]; s != nil; s = s.next {
		if s.want != nil || s.have.present {
			list = append(list, f.entry(s))
		}
	}
	if r, ok := f.refused[prefix]; ok {
		list = append(list, refusedEntry(prefix, r))
	}
	return list
}

// Others returns the kernel's routes for one prefix that are not known to be
// nvad's, by metric.
func (f *FIB) Others(prefix netip.Prefix) []KernelRoute {
	var list []KernelRoute
	for key, routes := range f.foreign {
		if key.prefix == prefix {
			list = append(list, routes...)
		}
	}
	sortRoutes(list)
	return list
}

// Tally is how many routes there are, without a list of them.
type Tally struct {
	Wanted    int // routes, backups and what an earlier run left not counted
	Installed int // of Wanted
	Untried   int // static routes of Wanted that were neither written nor refused yet
}

// Tally counts the routes.
func (f *FIB) Tally() Tally {
	t := Tally{Wanted: len(f.refused)}
	for _, first := range f.slots {
		for s := first; s != nil; s = s.next {
			if s.want == nil || s.backup {
				continue
			}
			t.Wanted++
			switch state, _ := f.state(s); {
			case state == Installed:
				t.Installed++
			case state == Pending && s.want.Class == Static:
				t.Untried++
			}
		}
	}
	return t
}

// Refusal returns one of the routes that the kernel refuses, as an example, and the
// kernel's answer; nil if it refuses none.
func (f *FIB) Refusal() *RouteError {
	for s, b := range f.failed {
		return &RouteError{Prefix: s.prefix, Err: b.Err}
	}
	for set := range f.bad {
		if set.fail == nil {
			continue
		}
		for s := range set.waits() {
			return &RouteError{Prefix: s.prefix, Err: set.fail.Err}
		}
	}
	return nil
}
