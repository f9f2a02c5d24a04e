package fib

import (
	"net/netip"
	"slices"
)

// At returns the entries of one prefix; see [FIB.Entries].
func (f *FIB) At(prefix netip.Prefix) []Entry {
	var list []Entry
	for s := f.slots[prefix]; s != nil; s = s.next {
		if s.want != nil || s.have.present {
			list = append(list, f.entry(s))
		}
	}
	if r, ok := f.refused[prefix]; ok {
		list = append(list, refusedEntry(prefix, r))
	}
	slices.SortFunc(list, compareEntries)
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
