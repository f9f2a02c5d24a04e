package kernel

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A link counts as deleted when it is removed or loses its carrier, but not when it leaves a
// bridge, although that is a deletion event too.
func TestLinkEvent(t *testing.T) {
	for _, tt := range []struct {
		name    string
		kind    uint16
		family  byte
		flags   uint32
		deleted bool
	}{
		{"up", unix.RTM_NEWLINK, unix.AF_UNSPEC, unix.IFF_UP | unix.IFF_LOWER_UP, false},
		{"without carrier", unix.RTM_NEWLINK, unix.AF_UNSPEC, unix.IFF_UP, true},
		{"deleted", unix.RTM_DELLINK, unix.AF_UNSPEC, unix.IFF_UP | unix.IFF_LOWER_UP, true},
		{"leaves a bridge", unix.RTM_DELLINK, unix.AF_BRIDGE, unix.IFF_UP | unix.IFF_LOWER_UP, false},
	} {
		body := make([]byte, unix.SizeofIfInfomsg)
		body[0] = tt.family
		order.PutUint32(body[4:], 7)
		order.PutUint32(body[8:], tt.flags)
		if e := linkEvent(message{kind: tt.kind, body: body}); e.Deleted != tt.deleted || e.Link != 7 {
			t.Errorf("%s: %+v", tt.name, e)
		}
	}
}
