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

// Times for a second connection.
const (
	peekTime  = 10 * time.Second // for the OPEN of a second connection
	probeTime = time.Second      // for an established session to prove that it is alive
)

// peek reads and checks the OPEN of a second connection, while GoBGP has the first one.
// A collision is decided by the BGP Identifier in the OPEN (RFC 4271 6.8). A connection
// whose OPEN is not acceptable can't win.
//
// GoBGP can't do this: it knows one connection per neighbor. So the second connection
// stays with nvad until it has won. Then the first one ends, GoBGP gets a new state
// machine, and replay lets it read the OPEN that peek has read.
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

// contest makes conn the second connection, in place of the one there was.
func (p *peer) contest(conn net.Conn, ours bool) {
	p.dropSecond()
	k := &peek{cfg: &p.cfg, own: p.sp.opts.RouterID, conn: conn, ours: ours, done: make(chan struct{})}
	p.second = k
	_ = conn.SetReadDeadline(time.Now().Add(peekTime)) // not in k.run, where it could undo the deadline that stop sets
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

// valid reports whether an acceptable OPEN has arrived.
func (k *peek) valid() bool { return isClosed(k.done) && k.err == nil }

// stop makes run return, and waits for it.
func (k *peek) stop() {
	_ = k.conn.SetReadDeadline(time.Now())
	<-k.done
}

// peekDone handles the result of a peek.
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

// fail closes the connection of a peek that found no acceptable OPEN, with the
// NOTIFICATION that says why.
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

// judge decides between the two connections once that is possible (RFC 4271 6.8,
// RFC 6286 2.3). It is called whenever one of them has come further: when the OPEN of the
// second has arrived, and when the first has received OPEN or is established.
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

// prevails reports whether k wins over s. The connection wins that was opened by the
// speaker with the higher identifier. If the same side has opened both, it has given up
// the older one.
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

// challenge handles a second connection with an acceptable OPEN while the session is
// established. It may come from the neighbor, which has restarted, or from anybody who has
// its address. So the second connection is kept for a moment, and a KEEPALIVE on the
// established one finds out whether the neighbor still knows it: if not, the neighbor
// answers with a reset, or not at all.
func (p *peer) challenge(s *session) {
	if p.challenged {
		return // one KEEPALIVE at a time, however many connections follow
	}
	p.challenged = true
	p.verdict.Reset(probeTime)
	s.tap.probe()
}

// conclude decides after a challenge. If the neighbor has acknowledged the KEEPALIVE, the
// session is alive, whatever an OPEN says. If not, the neighbor may be cut off for a moment,
// and the hold time decides; but with graceful restart the second connection is taken to
// be that of the restarted neighbor (RFC 4724 5).
func (p *peer) conclude() {
	p.challenged = false
	k, s := p.second, p.current
	switch {
	case k == nil || s == nil || !k.valid():
	case s.gracefulPeer() && unanswered(s.tap.conn, probeTime):
		s.tap.end(cause{reason: "replaced by a new connection of the restarted neighbor", lost: true, local: true}, nil)
	default:
		p.refuseSecond("the established session is alive", speaker.CeaseCollision)
	}
}

// refuseSecond closes the second connection, if there is one, with Cease.
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

// dropSecond closes the second connection, if there is one, without a NOTIFICATION.
func (p *peer) dropSecond() {
	if p.second == nil {
		return
	}
	p.second.stop()
	p.second.conn.Close()
	p.second = nil
}

// promote makes the second connection the session after the first has ended. If its OPEN
// has not arrived completely, the session reads the rest.
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

// replay is a connection whose first octets have been read already.
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
