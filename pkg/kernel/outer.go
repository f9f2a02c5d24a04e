package kernel

import (
	"net/netip"
	"slices"
)

// OuterRemote returns where a VXLAN device sends frames for a neighbor on it.
// It is invalid while the device has not learned that: then they go to all of
// its remotes.
func OuterRemote(ns Namespace, link int, neighbor netip.Addr) (netip.Addr, error) {
	entries, err := Forwarding(ns, link)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, e := range entries {
		if slices.Contains(e.Addresses, neighbor) {
			return e.Remote, nil
		}
	}
	return netip.Addr{}, nil
}
