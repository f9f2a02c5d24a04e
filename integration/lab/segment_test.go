package lab_test

import (
	"net"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// TestSegment checks that a segment carries multicast, which no VNet does: a datagram to a
// group reaches the hosts that have joined it.
func TestSegment(t *testing.T) {
	l := lab.Up(t, lab.Options{Scenario: "vxlan-multicast"})
	l.AwaitAnswer(t, "vyos01", "10.0.2.1")
	group := &net.UDPAddr{IP: net.IPv4(239, 9, 9, 9), Port: 9999}
	var member *net.UDPConn
	err := l.Within("ubuntu", func() error {
		device, err := net.InterfaceByName("eth1")
		if err != nil {
			return err
		}
		member, err = net.ListenMulticastUDP("udp4", device, group)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	if err := l.Within("vyos01", func() error { return send(group) }); err != nil {
		t.Fatal(err)
	}
	if !answers(member) {
		t.Error("the group's member got nothing")
	}
}

// send sends a datagram from eth1.
func send(to *net.UDPAddr) error {
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 0, 2, 254)}, to)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte("x"))
	return err
}
