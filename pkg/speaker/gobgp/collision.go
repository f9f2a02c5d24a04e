package gobgp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// Times around a second connection.
const (
	peekTime  = 10 * time.Second // for the OPEN of a second connection
	probeTime = time.Second      // for an established session to prove dead
)

// peek reads and checks the OPEN of a second connection while the first one is
// with GoBGP. RFC 4271 6.8 decides between the two by BGP Identifier, which the
// OPEN tells; one that is not fit for a session decides nothing.
type peek struct {
	cfg  *speaker.Neighbor
	own  netip.Addr // our router ID
	conn net.Conn
	ours bool
	done chan struct{}

	// Valid once done is closed.
	read []byte
	open wire.Open
	err  error
}

// contest takes a second connection, in place of one it had before.
func (p *peer) contest(conn net.Conn, ours bool) {
	p.dropSecond()
	k := &peek{cfg: &p.cfg, own: p.sp.opts.RouterID, conn: conn, ours: ours, done: make(chan struct{})}
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
	m, err := wire.ReadMessage(io.TeeReader(k.conn, &seen), make([]byte, 0, wire.MaxLen), false)
	k.read, k.err = seen.Bytes(), err
	if err != nil {
		return
	}
	if m.Type() != wire.TypeOpen {
		k.err = wire.Unexpected(m, speaker.OpenSent)
		return
	}
	if k.open, k.err = wire.ParseOpen(m); k.err == nil {
		k.err = k.open.Check(k.cfg, k.own)
	}
}

// valid reports whether an OPEN has arrived that is fit for a session.
func (k *peek) valid() bool {
	select {
	case <-k.done:
		return k.err == nil
	default:
		return false
	}
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
		p.second = nil
		p.fail(k)
		return
	}
	p.judge()
}

// fail closes the connection of a peek that found no OPEN, or a wrong one, with the
// NOTIFICATION that it deserves.
func (p *peer) fail(k *peek) {
	p.log.Debug("second connection refused", keyReason, k.err)
	var f *wire.Fault
	switch {
	case errors.As(k.err, &f):
		p.turnAway(k.conn, speaker.Notification{Code: f.Code, Subcode: f.Subcode}, f.Data)
	case isTimeout(k.err):
		p.turnAway(k.conn, speaker.Notification{Code: speaker.CodeHoldTimer}, nil)
	default:
		k.conn.Close()
	}
}

// judge decides between two connections once that is possible (RFC 4271 6.8,
// RFC 6286 2.3).
func (p *peer) judge() {
	k, s := p.second, p.current
	if k == nil || s == nil {
		return
	}
	switch established := !s.establishedAt().IsZero(); {
	case established && k.ours:
		p.refuseSecond("already established", speaker.CeaseCollision)
	case !k.valid():
	case established:
		p.challenge(s)
	case p.prevails(k, s):
		s.tap.notify(speaker.Cease(speaker.CeaseCollision), nil, "connection collision")
	default:
		p.refuseSecond("connection collision", speaker.CeaseCollision)
	}
}

// prevails reports whether k wins over s: the connection that was opened by the
// speaker with the higher identifier. Of two that the peer opened, the newer
// one is alive.
func (p *peer) prevails(k *peek, s *session) bool {
	if k.ours == s.dialled {
		return true
	}
	local, remote := p.sp.opts.RouterID, k.open.ID
	weWin := local.Compare(remote) > 0
	if local == remote {
		weWin = p.cfg.LocalASN > k.open.ASN
	}
	return weWin == k.ours
}

// challenge meets a second connection, whose OPEN is fit, while the session is
// established. Who opened it may be the neighbor, which has restarted, or anybody
// with its address. So the second one is kept for a moment, in which a KEEPALIVE
// on the established one finds out whether the neighbor still has that: if not,
// its answer is a reset, or none at all.
func (p *peer) challenge(s *session) {
	if p.challenged {
		return // however many connections follow, one KEEPALIVE at a time
	}
	p.challenged = true
	p.verdict.Reset(probeTime)
	s.tap.probe()
}

// conclude decides after a challenge. A session whose neighbor acknowledges what
// is sent is alive, whatever an OPEN says. One whose neighbor does not may be cut
// off for a moment, and lasts until its hold time, except with graceful restart:
// then the second connection is that of the restarted neighbor (RFC 4724 5).
func (p *peer) conclude() {
	p.challenged = false
	k, s := p.second, p.current
	switch {
	case k == nil || s == nil || !k.valid():
	case s.gracefulPeer() && unanswered(s.tap.conn, probeTime):
		s.tap.end(cause{reason: "replaced by a new connection of the restarted neighbor", lost: true}, nil)
	default:
		p.refuseSecond("the established session is alive", speaker.CeaseCollision)
	}
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
	p.turnAway(k.conn, speaker.Cease(subcode), nil)
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
		p.fail(k)
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
