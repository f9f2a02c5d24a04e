package bfd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// UDP ports (RFC 5881 4, RFC 5883 5).
const (
	portSingleHop = 3784
	portMultihop  = 4784
	firstSource   = 49152 // of the source ports
	lastSource    = 65535
)

// udp is the port over real sockets: one to receive on for each UDP port and
// family, open while a session needs it, and one to send from for each session.
type udp struct {
	receivers map[receiverKey]*receiver
	sources   map[uint16]bool // taken: unique among all sessions (RFC 5881 4)
	readable  chan struct{}
	closed    chan struct{}
	watchers  sync.WaitGroup
	buffers   buffers
}

type receiverKey struct{ v6, multihop bool }

func newUDP() *udp {
	return &udp{
		receivers: map[receiverKey]*receiver{}, sources: map[uint16]bool{},
		readable: make(chan struct{}), closed: make(chan struct{}),
	}
}

func (u *udp) ready() <-chan struct{} { return u.readable }

func (u *udp) close() {
	close(u.closed)
	for _, r := range u.receivers {
		r.conn.Close()
	}
	u.watchers.Wait()
}

// open opens a session's socket and, for the first session on it, the receive
// socket.
func (u *udp) open(k Key, device string) (link, error) {
	index := 0
	if device != "" {
		d, err := net.InterfaceByName(device)
		if err != nil {
			return nil, fmt.Errorf("device %s: %w", device, err)
		}
		index = d.Index
	}
	rk := receiverKey{k.Remote.Is6(), k.Multihop}
	r, err := u.receiver(rk)
	if err != nil {
		return nil, err
	}
	conn, source, err := u.dial(k, device, index)
	if err != nil {
		u.release(rk)
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		panic(err) // a UDP socket just opened has one
	}
	r.users++
	u.sources[source] = true
	return &udpLink{udp: u, conn: conn, raw: raw, to: sockaddr(k, index), index: index, source: source, receiver: rk}, nil
}

// dial binds a socket to the session's local address and a free source port.
func (u *udp) dial(k Key, device string, index int) (*net.UDPConn, uint16, error) {
	local := k.Local
	if local.IsLinkLocalUnicast() && local.Is6() {
		local = local.WithZone(device)
	}
	for range 64 {
		source := uint16(firstSource + rand.IntN(lastSource-firstSource+1))
		if u.sources[source] {
			continue
		}
		conn, err := bind(netip.AddrPortFrom(local, source), senderOptions(k.Remote.Is6(), index))
		if errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		return conn, source, err
	}
	return nil, 0, errors.New("no free source port")
}

// udpLink is the socket that a session sends from.
type udpLink struct {
	udp      *udp
	conn     *net.UDPConn
	raw      rawConn
	to       unix.Sockaddr
	index    int
	source   uint16
	receiver receiverKey
}

func (l *udpLink) device() int { return l.index }

// send goes around the runtime's poller, which would wait while the socket's
// buffer is full, and with it all sessions.
func (l *udpLink) send(payload []byte) error {
	var err error
	if closed := l.raw.Control(func(fd uintptr) {
		err = os.NewSyscallError("sendto", unix.Sendto(int(fd), payload, unix.MSG_DONTWAIT, l.to))
	}); closed != nil {
		return closed
	}
	return err
}

func (l *udpLink) close() {
	l.conn.Close()
	delete(l.udp.sources, l.source)
	l.udp.receivers[l.receiver].users--
	l.udp.release(l.receiver)
}

func sockaddr(k Key, index int) unix.Sockaddr {
	port := portSingleHop
	if k.Multihop {
		port = portMultihop
	}
	if k.Remote.Is4() {
		return &unix.SockaddrInet4{Port: port, Addr: k.Remote.As4()}
	}
	to := &unix.SockaddrInet6{Port: port, Addr: k.Remote.As16()}
	if k.Remote.IsLinkLocalUnicast() {
		to.ZoneId = uint32(index)
	}
	return to
}
