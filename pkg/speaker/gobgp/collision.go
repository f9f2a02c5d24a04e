package gobgp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Times around a second connection.
const (
	peekTime    = 10 * time.Second // for the OPEN of a second connection
	probeTime   = time.Second      // for an established session to prove dead
	settledTime = 5 * time.Second  // after which a new connection is no leftover of a collision
)

// peek reads the OPEN of a second connection while the first one is with GoBGP.
// RFC 4271 6.8 decides between the two by BGP Identifier, and the OPEN tells it.
type peek struct {
	conn net.Conn
	ours bool
	done chan struct{}

	// Valid once done is closed.
	read []byte
	open open
	err  error
}

// contest takes a second connection, in place of one it had before.
func (p *peer) contest(conn net.Conn, ours bool) {
	p.dropSecond()
	k := &peek{conn: conn, ours: ours, done: make(chan struct{})}
	p.second = k
	_ = conn.SetReadDeadline(time.Now().Add(peekTime)) // here, or it might undo that of stop
	go func() {
		k.run()
		select {
		case p.peeked <- k:
		case <-p.done:
		}
	}()
}

func (k *peek) run() {
	defer close(k.done)
	var seen bytes.Buffer
	m, err := readMessage(io.TeeReader(k.conn, &seen), make([]byte, 0, maxMessage), false)
	k.read, k.err = seen.Bytes(), err
	if err != nil {
		return
	}
	if m.kind() != bgp.BGP_MSG_OPEN {
		k.err = errors.New("no OPEN")
		return
	}
	k.open, k.err = parseOpen(m)
}

// stop ends the peek, wherever it is.
func (k *peek) stop() {
	_ = k.conn.SetReadDeadline(time.Now())
	<-k.done
}

// peekDone looks at what a peek has found.
func (p *peer) peekDone(k *peek) {
	if k != p.second {
		return
	}
	if k.err != nil {
		p.dropSecond()
		return
	}
	p.judge()
}

// judge decides between two connections once that is possible (RFC 4271 6.8,
// RFC 6286 2.3, RFC 4724 5).
func (p *peer) judge() {
	k, s := p.second, p.current
	if k == nil || s == nil {
		return
	}
	peeked := false
	select {
	case <-k.done:
		peeked = k.err == nil
	default:
	}
	since := s.establishedAt()
	switch {
	case !since.IsZero():
		p.challenge(s, k, since, peeked)
	case !peeked:
	case p.prevails(k, s):
		s.tap.notify(*cease(bgp.BGP_ERROR_SUB_CONNECTION_COLLISION_RESOLUTION), nil, "connection collision")
	default:
		p.refuseSecond("connection collision", bgp.BGP_ERROR_SUB_CONNECTION_COLLISION_RESOLUTION)
	}
}

// prevails reports whether k wins over s: the connection that was opened by the
// speaker with the higher identifier. Of two that the peer opened, the newer
// one is alive.
func (p *peer) prevails(k *peek, s *session) bool {
	if k.ours == s.dialled {
		return true
	}
	local, remote := p.sp.opts.RouterID, k.open.id
	weWin := local.Compare(remote) > 0
	if local == remote {
		weWin = p.cfg.LocalASN > k.open.asn
	}
	return weWin == k.ours
}

// challenge meets a new connection while the session is established. A peer
// that restarts with graceful restart replaces the session (RFC 4724 5). Any
// other new connection is kept for a moment, in which a KEEPALIVE on the
// established one finds out whether the peer still knows it: if not, it
// answers with a reset.
func (p *peer) challenge(s *session, k *peek, since time.Time, peeked bool) {
	if k.ours {
		p.refuseSecond("already established", bgp.BGP_ERROR_SUB_CONNECTION_COLLISION_RESOLUTION)
		return
	}
	if !peeked {
		return
	}
	if s.gracefulPeer() && (k.open.restarted || time.Since(since) > settledTime) {
		s.tap.end(cause{reason: "replaced by a new connection of the restarted neighbor", lost: true}, nil)
		return
	}
	p.verdict.Reset(probeTime)
	s.tap.counters.out[keepalive.kind()].Add(1)
	go func() { _ = s.tap.send(keepalive) }()
}

// refuseSecond closes the second connection with a NOTIFICATION of code Cease.
func (p *peer) refuseSecond(reason string, subcode uint8) {
	if p.second == nil {
		return
	}
	p.log.Debug("second connection refused", keyReason, reason)
	k := p.second
	p.second = nil
	k.stop()
	p.refuse(k.conn, subcode, reason)
}

// dropSecond closes the second connection without a word.
func (p *peer) dropSecond() {
	if p.second == nil {
		return
	}
	p.second.stop()
	p.second.conn.Close()
	p.second = nil
}

// promote makes the second connection the session, now that the first is gone.
func (p *peer) promote() {
	k := p.second
	p.second = nil
	k.stop()
	if k.err != nil && !isTimeout(k.err) {
		k.conn.Close()
		p.schedule()
		return
	}
	_ = k.conn.SetReadDeadline(time.Time{})
	p.start(&replay{Conn: k.conn, first: k.read}, k.ours)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// replay is a connection some of whose bytes have been read already.
type replay struct {
	net.Conn
	first []byte
}

// Read implements [net.Conn].
func (r *replay) Read(p []byte) (int, error) {
	if len(r.first) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.first)
	r.first = r.first[n:]
	return n, nil
}

// CloseWrite sends FIN, see [net.TCPConn.CloseWrite].
func (r *replay) CloseWrite() error {
	if tcp, ok := r.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}
