package gobgp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// TestStaleSend sends for a session that is over.
func TestStaleSend(t *testing.T) {
	a, b, up := pair(t)
	a.Reset(b.addr, 0, speaker.Notification{Code: 6, Subcode: 4})
	again := next[speaker.Established](a, 2*time.Second)
	attrs := &route.Attrs{NextHop: addr("192.0.2.1"), ASPath: route.NewASPath(65001)}
	a.Send(b.addr, up.Session, []speaker.Change{{Prefix: prefix("10.1.0.0/16"), Attrs: attrs}})
	a.Send(b.addr, again.Session, []speaker.Change{{Prefix: prefix("10.2.0.0/16"), Attrs: attrs}})
	if ev := next[speaker.Update](b, time.Second); len(ev.Announced) != 1 || ev.Announced[0] != prefix("10.2.0.0/16") {
		t.Errorf("received %v", ev.Announced)
	}
}

// TestOversizeSets sends what killed GoBGP v4.8.0: sets that leave no room for a
// prefix in the messages of the session.
func TestOversizeSets(t *testing.T) {
	long := make([]uint32, 250)
	many := make([]route.Community, 1100)
	for i := range long {
		long[i] = 4200000000 + uint32(i)
	}
	for i := range many {
		many[i] = route.Community(i)
	}
	sets := map[string]route.Attrs{
		"250 hops":         {ASPath: route.NewASPath(long...), NextHop: addr("192.0.2.1"), Communities: many[:650]},
		"1100 communities": {ASPath: route.NewASPath(65001), NextHop: addr("192.0.2.1"), Communities: many},
	}
	opens := map[string]rawOpen{
		"2-octet session": {asn: 65002, id: "10.0.0.2", hold: 90, twoOctet: true},
		"4-octet session": {asn: 65002, id: "10.0.0.2", hold: 90},
		"long messages":   {asn: 65002, id: "10.0.0.2", hold: 90, extended: true},
	}
	s := newTestSpeaker(t, "127.0.4.1", "10.0.0.1", 65001)
	for setName, set := range sets {
		for openName, o := range opens {
			t.Run(setName+" on a "+openName, func(t *testing.T) {
				p, up := rawSession(t, s, "127.0.4.2", o)
				defer drop(s)
				plain := route.Attrs{ASPath: route.NewASPath(65001), NextHop: addr("192.0.2.1")}
				s.Send(p.address(), up.Session, []speaker.Change{
					{Prefix: prefix("10.1.0.0/16"), Attrs: &set}, {Prefix: prefix("10.2.0.0/16"), Attrs: &plain}})
				announced, gone := p.collect(t, o.twoOctet, prefix("10.2.0.0/16"))
				fits := o.extended || (setName == "250 hops" && !o.twoOctet)
				if announced[prefix("10.1.0.0/16")] != fits || gone[prefix("10.1.0.0/16")] == fits {
					t.Errorf("announced %v, withdrawn %v; the set fits: %t", announced, gone, fits)
				}
			})
		}
	}
}

// collect reads UPDATEs until last was announced and the buffer is empty.
func (p *rawPeer) collect(t *testing.T, twoOctet bool, last netip.Prefix) (announced, gone map[netip.Prefix]bool) {
	t.Helper()
	announced, gone = map[netip.Prefix]bool{}, map[netip.Prefix]bool{}
	d := wire.NewDecoder(wire.DecoderOptions{Interner: route.NewInterner(), Families: route.IPv4 | route.IPv6, TwoOctet: twoOctet})
	for !announced[last] || len(announced)+len(gone) < 2 {
		m := p.expect(2)
		_, err := d.Update(m.Body(), func(ev speaker.Event) bool {
			u := ev.(speaker.Update)
			if u.Err != nil {
				t.Errorf("UPDATE: %s", u.Err)
			}
			for _, x := range u.Announced {
				announced[x] = true
			}
			for _, x := range u.Withdrawn {
				gone[x] = true
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return announced, gone
}
