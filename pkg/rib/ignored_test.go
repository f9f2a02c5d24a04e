package rib

import (
	"net/netip"
	"slices"
	"testing"
)

// Routes that Azure would silently ignore are held back and shown for as long as they exist,
// provided that policy accepts them.
func TestIgnored(t *testing.T) {
	const own, part, subnet, other = "10.0.0.0/16", "10.0.7.0/24", "10.9.210.0/26", "10.9.0.0/16"
	b := newBed(t)
	settings := neighbor(branch, 65515, ExportSettings{Ignored: Ignored{
		VNet: []netip.Prefix{pfx(own)}, Subnet: []netip.Prefix{pfx("10.9.210.0/27"), pfx(subnet)},
	}})
	b.peer(settings, acceptAll, acceptAll)
	b.peer(neighbor(nva, 65001), acceptAll, acceptAll)
	b.up(branch)
	b.up(nva)
	b.announce(nva, "65515", own, part, subnet, other, "10.0.0.0/15")
	b.flush()
	for _, c := range []struct{ prefix, held string }{
		{own, "in the VNet's own address space 10.0.0.0/16, which Azure ignores"},
		{part, "in the VNet's own address space 10.0.0.0/16, which Azure ignores"},
		{subnet, "it is RouteServerSubnet, which Azure ignores"},
		{other, ""},
		{"10.0.0.0/15", ""},
	} {
		if sent := b.r.Sent(pfx(c.prefix), addr(branch)) != nil; sent != (c.held == "") {
			t.Errorf("%s: sent is %t", c.prefix, sent)
		}
		if got := b.held(pfx(c.prefix), addr(branch)); got != c.held {
			t.Errorf("%s: %q", c.prefix, got)
		}
	}
	held := func(want ...string) {
		t.Helper()
		var list []netip.Prefix
		for _, w := range want {
			list = append(list, pfx(w))
		}
		if got := b.r.HeldIgnored(addr(branch)); !slices.Equal(got, list) {
			t.Errorf("held are %v, want %v", got, want)
		}
	}
	held(own, part, subnet)
	b.withdraw(nva, part)
	b.flush()
	held(own, subnet)
	settings.Ignored = Ignored{}
	b.peer(settings, acceptAll, acceptAll)
	b.flush()
	held()
	if b.r.Sent(pfx(own), addr(branch)) == nil {
		t.Error("a route that Azure no longer ignores is not sent")
	}
}
