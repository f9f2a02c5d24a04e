package rib

import (
	"fmt"
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

// A neighbor gets the whole table even if another one never stops changing it.
func TestWalkHasItsShare(t *testing.T) {
	b := newEdge(t)
	for i := range 100 {
		b.announce(nva, "65515", fmt.Sprintf("10.%d.0.0/16", i))
	}
	b.flush()
	b.r.PeerDown(addr(branch), false)
	told := false
	b.r.PeerUp(addr(branch), Session{LocalAddress: addr("10.0.0.4"), RemoteID: addr(branch), Families: route.IPv4}, func() { told = true })
	turns := 0
	for ; !told && turns < 1000; turns++ {
		for i := range 40 {
			b.announce(nva, fmt.Sprint("65515 ", turns%2+1), fmt.Sprintf("10.%d.0.0/16", i))
		}
		b.r.Flush(40)
		b.r.Take()
	}
	if turns > 20 {
		t.Errorf("the table was sent after %d turns, if at all", turns)
	}
	b.flush()
	b.wantAdvertised(branch, 100)
}

// Sites of Origin are ordinary communities until a domain is configured.
func TestFirstDomain(t *testing.T) {
	b := newEdge(t)
	b.send(nva, route.Attrs{ASPath: asPath("65515"), ExtCommunities: []route.ExtCommunity{route.SiteOfOrigin(65001, 7)}}, "10.1.0.0/16")
	origin := func() bool {
		b.flush()
		return len(b.r.Sent(pfx("10.1.0.0/16"), addr(branch)).ExtCommunities) > 0
	}
	if !origin() {
		t.Error("without a domain the Site of Origin is removed")
	}
	b.peer(neighbor(rs0, 65515, SourceSettings{Domain: "ars-hub00"}), acceptAll, acceptAll)
	if origin() {
		t.Error("with a domain the Site of Origin is sent")
	}
	b.r.RemovePeer(addr(rs0))
	if !origin() {
		t.Error("once there is no domain again, it is removed")
	}
	b.r.SetDomains(true)
	if origin() {
		t.Error("with the domain of a range the Site of Origin is sent")
	}
	b.r.Take()
	b.peer(neighbor(rs0, 65515, SourceSettings{Domain: "ars-hub00"}), acceptAll, acceptAll)
	b.r.RemovePeer(addr(rs0))
	if origin() {
		t.Error("once the last neighbor of the range is gone, the Site of Origin is sent")
	}
}
