package twohubs

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// frame contains the fields of a captured packet that the tests check.
type frame struct {
	outgoing bool
	src, dst netip.Addr
	// vni is the VNI of a VXLAN packet, -1 for other packets. inner is the packet inside.
	vni   int
	inner *frame
}

func (f frame) String() string {
	text := fmt.Sprintf("%s > %s", f.src, f.dst)
	if f.outgoing {
		text = "out " + text
	}
	if f.inner != nil {
		text += fmt.Sprintf(" vni %d [%s]", f.vni, f.inner)
	}
	return text
}

// between reports whether the packet belongs to the flow between two hosts.
func (f frame) between(a, b netip.Addr) bool {
	return f.src == a && f.dst == b || f.src == b && f.dst == a
}

// capture returns the IPv4 packets that pass a device of a node while do runs.
func capture(t *testing.T, l *lab.Lab, node, device string, do func()) (frames []frame) {
	t.Helper()
	l.Capture(t, node, device, do, func(packet []byte, outgoing bool) {
		if f, ok := parseEthernet(packet); ok {
			f.outgoing = outgoing
			frames = append(frames, f)
		}
	})
	return frames
}

// octets returns the packets of any protocol that pass a device of a node while do runs.
func octets(t *testing.T, l *lab.Lab, node, device string, do func()) (list [][]byte) {
	t.Helper()
	l.Capture(t, node, device, do, func(packet []byte, _ bool) { list = append(list, slices.Clone(packet)) })
	return list
}

func parseEthernet(b []byte) (frame, bool) {
	if len(b) < 14 || binary.BigEndian.Uint16(b[12:]) != syscall.ETH_P_IP {
		return frame{}, false
	}
	return parseIP(b[14:])
}

func parseIP(b []byte) (frame, bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return frame{}, false
	}
	f := frame{
		src: netip.AddrFrom4([4]byte(b[12:16])),
		dst: netip.AddrFrom4([4]byte(b[16:20])),
		vni: -1,
	}
	payload := b[int(b[0]&15)*4:]
	if b[9] == syscall.IPPROTO_UDP && len(payload) >= 16 && binary.BigEndian.Uint16(payload[2:]) == 4789 {
		f.vni = int(binary.BigEndian.Uint32(payload[12:]) >> 8)
		if inner, ok := parseEthernet(payload[16:]); ok {
			f.inner = &inner
		}
	}
	return f, true
}

// testCapture pings through while it captures on hub00's eth0 and on the peering between the
// hubs. Between the hubs the flow is VXLAN only. On the one-armed NVA it is plain towards the
// NVA's own VNet and VXLAN towards the other.
func testCapture(t *testing.T, l *lab.Lab) {
	a, b := netip.MustParseAddr(vm100), netip.MustParseAddr(vm110)
	const count = 10
	traffic := func() {
		out := l.Exec(t, "vm-hub100", "ping", "-q", "-c", fmt.Sprint(count), "-i", "0.02", "-W", "1", vm110)
		if !strings.Contains(out, " 0% packet loss") {
			t.Errorf("while capturing:\n%s", out)
		}
	}
	var tunnelled int
	for _, f := range capture(t, l, near.nva, "eth0", traffic) {
		switch {
		case f.inner != nil && f.inner.between(a, b):
			tunnelled++
			if f.vni != 77 || !f.between(near.address, far.address) || f.outgoing != (f.inner.dst == b) {
				t.Errorf("on eth0: %s", f)
			}
		case f.between(a, b) && f.outgoing != (f.dst == a):
			t.Errorf("un-encapsulated towards or from the other hub: %s", f)
		}
	}
	if tunnelled != 2*count {
		t.Errorf("%d packets in the tunnel, want %d", tunnelled, 2*count)
	}
	for _, f := range capture(t, l, "net-hub00", "peer-hub10", traffic) {
		if f.between(a, b) {
			t.Errorf("un-encapsulated between the hubs: %s", f)
		}
	}
}
