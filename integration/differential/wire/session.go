package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// holdTime is announced and, with a keepalive every third of it, kept.
const holdTime = 90 * time.Second

// Peer is one end of a session: who speaks, from where, to whom.
type Peer struct {
	Local, Remote netip.Addr
	ASN           uint32
	ID            netip.Addr
	// Dial makes the connection; the caller knows the network namespace.
	Dial func(ctx context.Context, local, remote netip.AddrPort) (net.Conn, error)
	// Restart is how long the neighbor is asked to keep routes over a lost
	// session (RFC 4724), in whole seconds; 0 stands for one second and no
	// forwarding meanwhile, which keeps nothing.
	Restart time.Duration
	// Plain leaves graceful restart out, as a Route Server does.
	Plain bool
	// Extended offers messages of up to 65,535 octets (RFC 8654). A Session reads
	// none of those itself: it is for who writes them after Handshake.
	Extended bool
	// Watch, if set, is given every UPDATE in the order of the wire, before it
	// counts in Table. Nothing is read meanwhile.
	Watch func(Update)
}

// Session is an established session. Its methods may be used by several
// goroutines.
type Session struct {
	conn  net.Conn
	done  chan struct{}
	watch func(Update)

	mu      sync.Mutex
	table   map[netip.Prefix]Heard
	changed time.Time
	err     error
}

// bgpPort is where routing daemons listen.
const bgpPort = 179

// Connect dials until the neighbor takes the session or ctx ends.
func (p Peer) Connect(ctx context.Context) (*Session, error) {
	for {
		s, err := p.connect(ctx)
		if err == nil {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("session of %s with %s: %w", p.Local, p.Remote, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p Peer) connect(ctx context.Context) (*Session, error) {
	conn, err := p.Dial(ctx, netip.AddrPortFrom(p.Local, 0), netip.AddrPortFrom(p.Remote, bgpPort))
	if err != nil {
		return nil, err
	}
	return p.Begin(conn)
}

// Begin takes up a session on a connection, whoever made it. On an error the
// connection is closed.
func (p Peer) Begin(conn net.Conn) (*Session, error) {
	if err := p.Handshake(conn); err != nil {
		return nil, err
	}
	s := &Session{conn: conn, done: make(chan struct{}), watch: p.Watch, table: map[netip.Prefix]Heard{}, changed: time.Now()}
	go s.receive()
	go s.keepAlive()
	return s, nil
}

// Handshake takes a connection to Established and leaves it to the caller, who may
// write whatever octets it likes. On an error the connection is closed.
func (p Peer) Handshake(conn net.Conn) error {
	s := &Session{conn: conn}
	err := s.open(p)
	if err != nil {
		conn.Close()
	}
	return err
}

// open exchanges OPEN and KEEPALIVE.
func (s *Session) open(p Peer) error {
	capabilities := bgp.NewOptionParameterCapability(p.capabilities())
	asn := uint16(bgp.AS_TRANS)
	if p.ASN <= 0xffff {
		asn = uint16(p.ASN)
	}
	open, err := bgp.NewBGPOpenMessage(asn, uint16(holdTime/time.Second), p.ID, []bgp.OptionParameterInterface{capabilities})
	if err != nil {
		return err
	}
	if err := s.conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if err := s.write(open); err != nil {
		return err
	}
	if err := s.expect(bgp.BGP_MSG_OPEN); err != nil {
		return err
	}
	if err := s.write(bgp.NewBGPKeepAliveMessage()); err != nil {
		return err
	}
	if err := s.expect(bgp.BGP_MSG_KEEPALIVE); err != nil {
		return err
	}
	return s.conn.SetDeadline(time.Time{})
}

// capabilities are those of a speaker of IPv4. Graceful restart, unless the peer
// is plain, also has the neighbor send End-of-RIB.
func (p Peer) capabilities() []bgp.ParameterCapabilityInterface {
	family := bgp.RF_IPv4_UC
	list := []bgp.ParameterCapabilityInterface{
		bgp.NewCapMultiProtocol(family),
		bgp.NewCapRouteRefresh(),
		bgp.NewCapFourOctetASNumber(p.ASN),
	}
	if p.Extended {
		list = append(list, bgp.NewCapExtendedMessage())
	}
	if p.Plain {
		return list
	}
	keep := bgp.NewCapGracefulRestartTuple(family, p.Restart > 0)
	seconds := uint16(max(p.Restart/time.Second, 1))
	return append(list, bgp.NewCapGracefulRestart(false, false, seconds, []*bgp.CapGracefulRestartTuple{keep}))
}

func (s *Session) expect(typ uint8) error {
	got, body, err := s.read()
	if err != nil {
		return err
	}
	if got != typ {
		return fmt.Errorf("message of type %d in place of %d: % x", got, typ, body)
	}
	return nil
}

func (s *Session) write(m *bgp.BGPMessage) error {
	data, err := m.Serialize()
	if err != nil {
		return err
	}
	_, err = s.conn.Write(data)
	return err
}

// read returns the type and body of the next message.
func (s *Session) read() (uint8, []byte, error) {
	var head [bgp.BGP_HEADER_LENGTH]byte
	if _, err := io.ReadFull(s.conn, head[:]); err != nil {
		return 0, nil, err
	}
	size := int(head[16])<<8 | int(head[17])
	if size < len(head) || size > bgp.BGP_MAX_MESSAGE_LENGTH {
		return 0, nil, fmt.Errorf("message of %d octets", size)
	}
	body := make([]byte, size-len(head))
	_, err := io.ReadFull(s.conn, body)
	return head[18], body, err
}

func (s *Session) keepAlive() {
	tick := time.NewTicker(holdTime / 3)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
			if s.write(bgp.NewBGPKeepAliveMessage()) != nil {
				return
			}
		}
	}
}

// Close ends the session without a word.
func (s *Session) Close() { s.conn.Close(); <-s.done }

// Reset ends the connection with a TCP reset, as a host does whose process was
// killed.
func (s *Session) Reset() {
	if c, ok := s.conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	s.Close()
}

// Cease says Administrative Shutdown (RFC 4486) and ends the session.
func (s *Session) Cease() error {
	err := s.write(bgp.NewBGPNotificationMessage(bgp.BGP_ERROR_CEASE, bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN, nil))
	s.Close()
	return err
}

// Err says why the session ended, nil while it lasts.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Session) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !errors.Is(err, net.ErrClosed) {
		s.err = err
	}
}
