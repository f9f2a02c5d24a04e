package gobgp

import (
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// A neighbor of any ASN but this router's is told its ASN; this router's own, and AS 0, are
// refused with Bad Peer AS (RFC 4271 6.2, RFC 7607).
func TestExternal(t *testing.T) {
	s := newTestSpeaker(t, "127.0.4.11", "10.0.0.1", 65001)
	s.configure(speaker.Neighbor{
		Address: addr("127.0.4.12"), LocalAddress: s.addr, LocalASN: 65001, Passive: true, HoldTime: 90 * time.Second,
	})
	for _, asn := range []uint32{65001, 0} {
		p := dialRaw(t, s, "127.0.4.12")
		p.send(rawOpen{asn: asn, id: "10.0.0.2", hold: 90}.message())
		p.expect(1)
		if m := p.expect(3); m.Body()[0] != speaker.CodeOpen || m.Body()[1] != 2 {
			t.Errorf("AS %d: NOTIFICATION %d/%d, want 2/2, Bad Peer AS", asn, m.Body()[0], m.Body()[1])
		}
	}
	for _, asn := range []uint32{65002, 4200000001} {
		p := dialRaw(t, s, "127.0.4.12")
		p.open(rawOpen{asn: asn, id: "10.0.0.2", hold: 90})
		if up := next[speaker.Established](s, 2*time.Second); up.RemoteASN != asn {
			t.Errorf("established with AS %d, want %d", up.RemoteASN, asn)
		}
		p.conn.Close()
		next[speaker.Down](s, 2*time.Second)
	}
}
