package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// hub is one NVA of the seed's two, run from a shipped file.
type hub struct {
	*ports
	own     netip.Addr   // on the tunnel
	far     netip.Addr   // the other NVA
	servers []netip.Addr // instances of its Route Server
	passed  int          // changes that the other NVA has had
}

// newHub starts the NVA of a hub whose VNet is 10.n.0.0/16 with the file at path; its
// tunnel address ends in host.
func newHub(t *testing.T, path string, n, host byte) *hub {
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	e, p, stop := start(t, cfg, false)
	t.Cleanup(stop)
	vnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, n, 0, 0}), 24)
	eth0 := fib.Link{Index: 2, Name: "eth0", Up: true, Addresses: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, n, 0, 4}), 24)}}
	e.SetFacts(fib.Facts{
		Links: []fib.Link{eth0, {Index: 3, Name: "vxlan0", Up: true}},
		Routes: []fib.KernelRoute{
			{Prefix: vnet, Protocol: 2, Hops: []fib.NextHop{{Link: 2}}},
			{Prefix: pfx("169.254.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: 3}}},
			{Prefix: pfx("0.0.0.0/0"), Protocol: 16, Metric: 100, Hops: []fib.NextHop{{Via: vnet.Addr().Next(), Link: 2}}},
		},
	})
	cfg.RouterID = netip.AddrFrom4([4]byte{10, n, 0, 4})
	apply(t, e, cfg)
	tunnel := func(host byte) netip.Addr { return netip.AddrFrom4([4]byte{169, 254, 0, host}) }
	h := &hub{ports: p, own: tunnel(host), far: tunnel(3 - host)}
	for _, last := range []byte{4, 5} {
		h.servers = append(h.servers, netip.AddrFrom4([4]byte{10, n, 210, last}))
	}
	for _, peer := range append(slices.Clone(h.servers), h.far) {
		ev := speaker.Established{From: speaker.From{Peer: peer}, LocalAddress: cfg.RouterID, RemoteID: peer, Families: route.IPv4}
		if peer == h.far {
			ev.LocalAddress = h.own
		}
		h.events <- ev
	}
	return h
}

// learn lets both instances of the Route Server announce a route.
func (h *hub) learn(prefix string, path ...uint32) {
	for _, rs := range h.servers {
		h.events <- speaker.Update{
			From:      speaker.From{Peer: rs},
			Attrs:     &route.Attrs{ASPath: route.NewASPath(path...), NextHop: rs},
			Announced: []netip.Prefix{pfx(prefix)},
		}
	}
}

// pass carries what h has sent to the other NVA since the last time.
func (h *hub) pass(to *hub) {
	all := h.since(0)
	for _, c := range all[h.passed:] {
		u := speaker.Update{From: speaker.From{Peer: to.far}, Attrs: c.Attrs}
		switch {
		case c.to != h.far:
			continue
		case c.Attrs == nil:
			u.Withdrawn = []netip.Prefix{c.Prefix}
		default:
			u.Announced = []netip.Prefix{c.Prefix}
		}
		to.events <- u
	}
	h.passed = len(all)
	synctest.Wait()
}

// advertised lists what every neighbor was sent, without communities, which differ on
// purpose.
func (h *hub) advertised() []string {
	synctest.Wait()
	var out []string
	for peer, table := range h.sent {
		for prefix, a := range table {
			out = append(out, fmt.Sprintf("to %s: %s path [%s] via %s", peer, prefix, a.ASPath, a.NextHop))
		}
	}
	slices.Sort(out)
	return out
}

// meet brings up both hubs and lets them exchange the routes of the seed.
func meet(t *testing.T, dir, suffix string) (a, b *hub) {
	a, b = newHub(t, dir+"hub00"+suffix, 0, 1), newHub(t, dir+"hub10"+suffix, 10, 2)
	a.learn("10.0.0.0/16", 65515)
	a.learn("10.100.0.0/16", 65515, 12076, 12076)
	a.learn("192.168.100.0/24", 65515, 12076, 64580)
	a.learn("198.51.100.0/24", 65515, 12076, 23456) // a reserved ASN
	b.learn("10.10.0.0/16", 65515)
	b.learn("10.110.0.0/16", 65515, 12076, 12076)
	a.pass(b)
	b.pass(a)
	return a, b
}

// Where the files of the hubs are.
const (
	shipped    = "../../configs/"
	writtenOut = "../config/testdata/good/"
)

// A preset and tags do the same as the article's prefix-lists: each neighbor is sent
// the same routes.
func TestHubsAlike(t *testing.T) {
	told := func(dir, suffix string) (out [2][]string) {
		synctest.Test(t, func(t *testing.T) {
			a, b := meet(t, dir, suffix)
			out = [2][]string{a.advertised(), b.advertised()}
		})
		return out
	}
	lists := told(writtenOut, "-lists.toml")
	want := []string{
		"to 10.0.210.4: 10.110.0.0/16 path [65001 65001 65001 65001] via 10.0.0.4",
		"to 10.0.210.5: 10.110.0.0/16 path [65001 65001 65001 65001] via 10.0.0.4",
		"to 169.254.0.2: 10.100.0.0/16 path [65515 12076 12076] via 169.254.0.1",
		"to 169.254.0.2: 192.168.100.0/24 path [65515 12076 64580] via 169.254.0.1",
	}
	if diff := cmp.Diff(want, lists[0]); diff != "" {
		t.Errorf("hub00-lists.toml (-want +got)\n%s", diff)
	}
	for _, suffix := range []string{".toml", "-communities.toml"} {
		if diff := cmp.Diff(lists, told(shipped, suffix)); diff != "" {
			t.Errorf("%s (-lists +got)\n%s", suffix, diff)
		}
	}
}

// A new spoke is advertised to the far hub only, which removes its tag before it passes
// the route on.
func TestHubsNewSpoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := meet(t, shipped, "-communities.toml")
		before := len(a.advertised())
		spoke := pfx("10.101.0.0/16")
		a.learn(spoke.String(), 65515, 12076, 12076)
		a.pass(b)
		b.pass(a)
		if got := len(a.advertised()); got != before+1 {
			t.Errorf("%d adverts, want one more than %d: to the far NVA", got, before)
		}
		for _, rs := range b.servers {
			if s := b.sent[rs][spoke]; s == nil || len(s.Communities) != 0 {
				t.Errorf("the far Route Server %s was told %+v", rs, s)
			}
		}
		for _, rs := range a.servers {
			a.events <- speaker.Update{From: speaker.From{Peer: rs}, Withdrawn: []netip.Prefix{spoke}}
		}
		time.Sleep(time.Second)
		a.pass(b)
		if b.sent[b.servers[0]][spoke] != nil {
			t.Error("stays after it is gone")
		}
	})
}
