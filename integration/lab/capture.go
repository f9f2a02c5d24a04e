package lab

import (
	"encoding/binary"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// Capture passes take each packet that passes a device of a node while do runs, and whether it
// was outgoing. The next packet overwrites it.
func (l *Lab) Capture(t testing.TB, node, device string, do func(), take func(packet []byte, outgoing bool)) {
	t.Helper()
	socket := -1
	err := l.Within(node, func() (err error) {
		socket, err = openCapture(device)
		return err
	})
	if err != nil {
		t.Fatalf("capture on %s of %s: %v", device, node, err)
	}
	defer unix.Close(socket)
	do()
	buffer := make([]byte, 65536)
	for {
		n, from, err := unix.Recvfrom(socket, buffer, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		if !ok {
			t.Fatalf("a packet from %T", from)
		}
		take(buffer[:n], link.Pkttype == unix.PACKET_OUTGOING)
	}
}

func openCapture(device string) (int, error) {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return -1, err
	}
	protocol := binary.BigEndian.Uint16([]byte{0, unix.ETH_P_ALL})
	all := protocol<<8 | protocol>>8
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}); err != nil {
		unix.Close(socket)
		return -1, err
	}
	return socket, unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
}
