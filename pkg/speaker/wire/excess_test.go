package wire

import (
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// segments is an AS_PATH attribute of n segments with one ASN each, of typ.
func segments(n int, typ byte) []byte {
	value := make([]byte, 0, 6*n)
	for i := range n {
		value = append(value, typ, 1, 0, 1, byte(i>>8), byte(i)|1)
	}
	return append([]byte{0x50, 2, byte(len(value) >> 8), byte(len(value))}, value...)
}

// announcement is the body of an UPDATE that announces 10.0.0.0/8 with attributes.
func announcement(attrs ...[]byte) []byte {
	all := []byte{0x40, 1, 1, 0, 0x40, 3, 4, 192, 0, 2, 1}
	for _, a := range attrs {
		all = append(all, a...)
	}
	body := append([]byte{0, 0, byte(len(all) >> 8), byte(len(all))}, all...)
	return append(body, 8, 10)
}

// TestExcess: a route with more than its neighbor may send is treated as withdrawn,
// with the reason, and the session goes on.
func TestExcess(t *testing.T) {
	unknown := func(n int) []byte {
		return append([]byte{0xd0, 99, byte(n >> 8), byte(n)}, make([]byte, n)...)
	}
	path := []byte{0x40, 2, 6, 2, 1, 0, 0, 0, 1}
	for name, c := range map[string]struct {
		body []byte
		want string // in the reason; empty: the route is taken
	}{
		"255 ASNs":                     {announcement(segments(255, 2)), ""},
		"256 ASNs":                     {announcement(segments(256, 2)), "AS_PATH has more than 255 ASNs"},
		"256 ASNs in sets":             {announcement(segments(256, 1)), "AS_PATH has more than 255 ASNs"},
		"10,000 ASNs":                  {announcement(segments(10_000, 2)), "more than 4096 octets"},
		"much of an unknown attribute": {announcement(path, unknown(4096-11-9-4)), ""},
		"too much of it":               {announcement(path, unknown(4096-11-9-3)), "more than 4096 octets"},
		"60,000 octets of it":          {announcement(path, unknown(60_000)), "more than 4096 octets"},
	} {
		d := NewDecoder(DecoderOptions{
			Interner: route.NewInterner(), Families: route.IPv4, From: speaker.From{Peer: netip.MustParseAddr("192.0.2.1")},
			MaxASPath: 255, MaxAttributes: 4096,
		})
		var got speaker.Update
		if _, err := d.Update(c.body, func(ev speaker.Event) bool { got = ev.(speaker.Update); return true }); err != nil {
			t.Errorf("%s: the session ends: %v", name, err)
			continue
		}
		switch {
		case c.want == "" && len(got.Announced) != 1:
			t.Errorf("%s: not taken: %s", name, got.Err)
		case c.want != "" && (len(got.Withdrawn) != 1 || len(got.Announced) > 0 || !strings.Contains(got.Err.String(), c.want)):
			t.Errorf("%s: %d announced, %d withdrawn, reason %q", name, len(got.Announced), len(got.Withdrawn), got.Err)
		case c.want != "" && (got.Err.Class != speaker.OverLimit || got.Err.Action != speaker.TreatAsWithdraw):
			t.Errorf("%s: class %s, action %s", name, got.Err.Class, got.Err.Action)
		}
	}
}

// TestSegmentsAreJoined: a path in segments of one ASN each takes about as much
// memory as it took octets.
func TestSegmentsAreJoined(t *testing.T) {
	in := route.NewInterner()
	d := NewDecoder(DecoderOptions{Interner: in, Families: route.IPv4})
	var got speaker.Update
	emit := func(ev speaker.Event) bool { got = ev.(speaker.Update); return true }
	if _, err := d.Update(announcement(segments(600, 2)), emit); err != nil {
		t.Fatal(err)
	}
	if n := len(got.Attrs.ASPath); n != 3 || got.Attrs.ASPath.Len() != 600 {
		t.Errorf("%d ASNs in %d segments", got.Attrs.ASPath.Len(), n)
	}
	const sets = 200
	before := heapInUse()
	var kept []*route.Attrs
	octets := 0
	for i := range sets {
		body := announcement(append(segments(10_000, 2), 0x80, 4, 4, 0, 0, 0, byte(i)))
		octets += len(body)
		if _, err := d.Update(body, emit); err != nil {
			t.Fatal(err)
		}
		kept = append(kept, got.Attrs)
	}
	if took := heapInUse() - before; took > octets+2<<20 {
		t.Errorf("%d octets on the wire take %d", octets, took)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(d)
	runtime.KeepAlive(in)
}
