package fib

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// GatewayChange says that a gateway went with its link, or is back with it.
type GatewayChange struct {
	Gateway netip.Addr
	Link    string
	Alive   bool
}

// mostFallen bounds the gateways that are remembered until their links are back: a
// neighbor chooses the next hops that it announces.
const mostFallen = 1024

// GatewayChanges returns the gateways of wanted routes that went with their links or came
// back since the last call, by address.
func (f *FIB) GatewayChanges() []GatewayChange {
	list := f.gateways
	f.gateways = nil
	return list
}

// linkFell records the gateways behind a link that went down.
func (f *FIB) linkFell(index int) {
	i := slices.IndexFunc(f.links, func(l Link) bool { return l.Index == index })
	if i < 0 {
		return
	}
	found := map[netip.Addr]bool{}
	for _, s := range f.sets {
		for _, h := range slices.Concat(s.hops, s.backup) {
			if h.Link == index && h.Via.IsValid() && s.refs > 0 {
				found[h.Via] = true
			}
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(found), netip.Addr.Compare) {
		if _, known := f.fallen[a]; !known && len(f.fallen) < mostFallen {
			f.fallen[a] = f.links[i].Name
			f.gateways = append(f.gateways, GatewayChange{a, f.links[i].Name, false})
		}
	}
}

// linksRose records the gateways whose links are up again. A device that was made anew has
// another index, so the name counts.
func (f *FIB) linksRose(links []Link) {
	var back []GatewayChange
	for a, name := range f.fallen {
		if slices.ContainsFunc(links, func(l Link) bool { return l.Name == name && l.Up }) {
			back = append(back, GatewayChange{a, name, true})
			delete(f.fallen, a)
		}
	}
	slices.SortFunc(back, func(a, b GatewayChange) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), a.Gateway.Compare(b.Gateway))
	})
	f.gateways = append(f.gateways, back...)
}
