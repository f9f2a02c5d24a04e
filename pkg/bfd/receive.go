package bfd

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/listen"
)

// burst is how many packets one call reads from a socket at most, so that a flood can't
// keep the loop from its timers. It is more than a socket buffer holds.
const burst = 4096

// receiver is the socket for one UDP port and family.
type receiver struct {
	conn  *net.UDPConn
	raw   syscall.RawConn
	users int // sessions
}

// buffers are reused for every packet. A packet has at most 255 octets.
type buffers struct{ payload, control [512]byte }

// receiver returns the socket for a UDP port, and opens it if necessary. It does not set
// SO_REUSEADDR: two processes on one port would silently take each other's packets.
func (u *udp) receiver(at netip.AddrPort) (*receiver, error) {
	if r := u.receivers[at]; r != nil {
		return r, nil
	}
	conn, err := bind(at, receiverOptions(at.Addr().Is6()))
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("receive on UDP port %d: %w: %s", at.Port(), err, listen.HolderUDP(at))
	}
	if err != nil {
		return nil, fmt.Errorf("receive on UDP port %d: %w", at.Port(), err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		panic(err) // a UDP socket just opened has one
	}
	// With privileges, more than the machine's limit (net.core.rmem_max).
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
	})
	r := &receiver{conn: conn, raw: raw}
	u.receivers[at] = r
	u.watchers.Go(func() { u.watch(r) })
	return r, nil
}

// release closes a receive socket that no session needs.
func (u *udp) release(at netip.AddrPort) {
	if r := u.receivers[at]; r != nil && r.users == 0 {
		r.conn.Close()
		delete(u.receivers, at)
	}
}

// watch wakes the loop when a socket can be read. It only peeks. If it read the packet
// and passed it on, the loop could meanwhile find the socket empty and declare the session
// down.
func (u *udp) watch(r *receiver) {
	var peek [1]byte
	readable := func(fd uintptr) bool {
		_, _, err := unix.Recvfrom(int(fd), peek[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return err != unix.EAGAIN && err != unix.EINTR
	}
	for r.raw.Read(readable) == nil {
		select {
		case u.readable <- struct{}{}:
		case <-u.closed:
			return
		}
	}
}

func (u *udp) receive(deliver func(datagram)) {
	for at, r := range u.receivers {
		for range burst {
			d, err := u.take(r, at.Port())
			if err != nil {
				break
			}
			deliver(d)
		}
	}
}

// take reads one datagram, if there is one and the socket is open. It releases the
// descriptor before the datagram is handled, because that may close the socket, and
// closing waits until nobody uses the descriptor.
func (u *udp) take(r *receiver, port uint16) (d datagram, err error) {
	closed := r.raw.Control(func(fd uintptr) { d, err = u.read(int(fd), port) })
	return d, cmp.Or(closed, err)
}

// read reads one datagram.
func (u *udp) read(fd int, port uint16) (datagram, error) {
	n, cn, _, from, err := unix.Recvmsg(fd, u.buffers.payload[:], u.buffers.control[:], unix.MSG_DONTWAIT)
	if err != nil {
		return datagram{}, err
	}
	d := datagram{payload: u.buffers.payload[:n], multihop: port == portMultihop}
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		d.remote = netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		d.remote = netip.AddrFrom16(a.Addr)
	}
	messages, err := unix.ParseSocketControlMessage(u.buffers.control[:cn])
	if err != nil {
		return datagram{}, err
	}
	d.readControl(messages)
	return d, nil
}

// readControl reads the device, the local address and the hop limit of a datagram.
func (d *datagram) readControl(messages []unix.SocketControlMessage) {
	for _, m := range messages {
		switch level, kind := m.Header.Level, m.Header.Type; {
		case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(m.Data) >= unix.SizeofInet4Pktinfo:
			d.device = int(binary.NativeEndian.Uint32(m.Data))
			d.local = netip.AddrFrom4([4]byte(m.Data[8:12]))
		case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(m.Data) >= unix.SizeofInet6Pktinfo:
			d.local = netip.AddrFrom16([16]byte(m.Data[:16]))
			d.device = int(binary.NativeEndian.Uint32(m.Data[16:]))
		case level == unix.IPPROTO_IP && kind == unix.IP_TTL && len(m.Data) >= 4,
			level == unix.IPPROTO_IPV6 && kind == unix.IPV6_HOPLIMIT && len(m.Data) >= 4:
			d.hopLimit = int(binary.NativeEndian.Uint32(m.Data))
		}
	}
}
