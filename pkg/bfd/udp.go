package bfd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/listen"
)

// port is the network for the loop, which alone calls it: udp, or a test's.
type port interface {
	// open prepares to send for a session, and to receive on its UDP port. It fails
	// while the local address or the device does not exist.
	open(k Key, device string) (link, error)
	// ready receives a value when there may be something to read.
	ready() <-chan struct{}
	// receive passes on everything that has been received, without waiting. The payload
	// is valid during the call.
	receive(func(datagram))
	// shield has the kernel drop packets that fit no rule. Without rules it drops none.
	shield([]rule)
	// close ends reception.
	close()
}

// link sends the packets of one session.
type link interface {
	// send does not wait.
	send(payload []byte) error
	// device is the index of the device that the session is bound to, or 0.
	device() int
	close()
}

// datagram is one received UDP payload.
type datagram struct {
	payload       []byte
	local, remote netip.Addr // without zone
	device        int        // index of the receiving device
	hopLimit      int
	multihop      bool // by UDP port
}

// UDP ports (RFC 5881 4, RFC 5883 5).
const (
	portSingleHop = 3784
	portMultihop  = 4784
	firstSource   = 49152 // of the source ports
	lastSource    = 65535
)

// udp is the port over real sockets. It has one socket to receive on for each UDP port and
// family that a session needs, and one to send from for each session.
type udp struct {
	receivers map[netip.AddrPort]*receiver
	sources   map[uint16]bool // source ports in use: each has one session (RFC 5881 4)
	readable  chan struct{}
	closed    chan struct{}
	watchers  sync.WaitGroup
	buffers   buffers
}

func newUDP() *udp {
	return &udp{
		receivers: map[netip.AddrPort]*receiver{}, sources: map[uint16]bool{},
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

// open opens a session's socket, and the receive socket if this is its first session.
func (u *udp) open(k Key, device string) (link, error) {
	index := 0
	if device != "" {
		d, err := net.InterfaceByName(device)
		if err != nil {
			return nil, fmt.Errorf("device %s: %w", device, err)
		}
		index = d.Index
	}
	at := netip.AddrPortFrom(netip.IPv4Unspecified(), k.port())
	if k.Remote.Is6() {
		at = netip.AddrPortFrom(netip.IPv6Unspecified(), k.port())
	}
	r, err := u.receiver(at)
	if err != nil {
		return nil, err
	}
	conn, source, err := u.dial(k, device, index)
	if err != nil {
		u.release(at)
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		panic(err) // a UDP socket just opened has one
	}
	r.users++
	u.sources[source] = true
	return &udpLink{udp: u, conn: conn, raw: raw, to: sockaddr(k, index), index: index, source: source, receiver: at}, nil
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
	raw      syscall.RawConn
	to       unix.Sockaddr
	index    int
	source   uint16
	receiver netip.AddrPort
}

func (l *udpLink) device() int { return l.index }

// send bypasses the runtime's poller, which would wait while the socket's buffer is full,
// and hold up all sessions.
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
	if k.Remote.Is4() {
		return &unix.SockaddrInet4{Port: int(k.port()), Addr: k.Remote.As4()}
	}
	to := &unix.SockaddrInet6{Port: int(k.port()), Addr: k.Remote.As16()}
	if k.Remote.IsLinkLocalUnicast() {
		to.ZoneId = uint32(index)
	}
	return to
}

const (
	// classControl is DSCP CS6, network control.
	classControl = 0xc0
	// receiveBuffer has room for some 1,000 packets that arrive while the process does not
	// get to run.
	receiveBuffer = 1 << 20
)

func senderOptions(v6 bool, device int) []listen.Option {
	options := []listen.Option{
		{unix.IPPROTO_IP, unix.IP_TTL, maxHopLimit},
		{unix.IPPROTO_IP, unix.IP_TOS, classControl},
	}
	if v6 {
		options = []listen.Option{
			{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
			{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, maxHopLimit},
			{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, classControl},
		}
	}
	if device != 0 {
		options = append(options, listen.Option{unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, device})
	}
	return options
}

func receiverOptions(v6 bool) []listen.Option {
	buffer := listen.Option{unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer}
	if v6 {
		return []listen.Option{
			{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
			{unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
			{unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
			buffer,
		}
	}
	return []listen.Option{{unix.IPPROTO_IP, unix.IP_PKTINFO, 1}, {unix.IPPROTO_IP, unix.IP_RECVTTL, 1}, buffer}
}

// bind opens a UDP socket with options. Its errors do not name the port, which differs at
// each attempt: fail would log each as new.
func bind(at netip.AddrPort, options []listen.Option) (*net.UDPConn, error) {
	network := "udp4"
	if at.Addr().Is6() {
		network = "udp6"
	}
	conn, err := listen.Config(options).ListenPacket(context.Background(), network, at.String())
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return nil, fmt.Errorf("%v: %w", at.Addr(), op.Err)
	}
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}
