package gobgp

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// tap is the connection that GoBGP is handed. It lets the octets of UPDATEs go past GoBGP,
// in both directions:
//
//   - The session reads the socket. GoBGP's Read returns only the messages that the session
//     passes on with deliver: a stripped OPEN, KEEPALIVEs, nothing else. Instead of
//     each UPDATE, alive gives GoBGP a KEEPALIVE now and then, so that its hold timer
//     runs on.
//   - The session's writer writes whole messages to the socket, and GoBGP's Write does the
//     same with its KEEPALIVEs and NOTIFICATIONs: the token in writing keeps them from
//     mixing. nvad's OPEN goes out in place of GoBGP's, and GoBGP's UPDATEs are dropped.
//
// A tap ends once, for one cause. After that its Write discards and its Read waits, until
// the neighbor's goroutine has removed GoBGP's state machine.
type tap struct {
	conn          net.Conn
	local, remote *net.TCPAddr
	tapOptions

	// For GoBGP's Read.
	mu       sync.Mutex
	wake     *sync.Cond
	in       []byte
	deadline time.Time
	open     wire.Message // the OPEN that was sent, guarded by mu, too

	writing  chan struct{} // holds a token while somebody writes to the socket
	sendHold atomic.Int64  // send hold time, a time.Duration (RFC 9687)

	refused  chan struct{} // GoBGP has closed the connection unused
	opened   chan struct{} // GoBGP has sent OPEN
	accepted chan struct{} // GoBGP has sent KEEPALIVE: it accepts the peer's OPEN
	openOnce sync.Once
	accOnce  sync.Once

	reading chan struct{} // closed when the session reads no more; nil without a session
	done    chan struct{}
	endOnce sync.Once
	cause   cause // valid once done is closed
}

// tapOptions describe the neighbor of a tap.
type tapOptions struct {
	neighbor   speaker.Neighbor
	counters   *counters
	routerID   netip.Addr
	restart    func() wire.Restart
	background *sync.WaitGroup // of the goroutines that outlive the session
}

// cause says why a connection ended.
type cause struct {
	reason       string
	notification *speaker.Notification
	message      wire.Message // notification on the wire
	lost         bool         // TCP went away, nobody sent a NOTIFICATION
	local        bool         // and it was nvad that closed it
	event        uint16       // of the state machine, for which it did so; 0: none
}

// collision reports whether we closed the connection in favor of another one.
func (c *cause) collision() bool {
	n := c.notification
	return n != nil && n.Sent && n.Code == speaker.CodeCease && n.Subcode == speaker.CeaseCollision
}

var errEnded = errors.New("session has ended")

func newTap(conn net.Conn, o tapOptions) *tap {
	t := &tap{
		conn:       conn,
		tapOptions: o,
		writing:    make(chan struct{}, 1),
		refused:    make(chan struct{}, 1),
		opened:     make(chan struct{}),
		accepted:   make(chan struct{}),
		done:       make(chan struct{}),
	}
	t.local, _ = conn.LocalAddr().(*net.TCPAddr)
	t.remote, _ = conn.RemoteAddr().(*net.TCPAddr)
	t.wake = sync.NewCond(&t.mu)
	t.sendHold.Store(int64(sendHoldTime(defaultHold)))
	return t
}

// LocalAddr implements [net.Conn].
func (t *tap) LocalAddr() net.Addr { return t.local }

// RemoteAddr implements [net.Conn].
func (t *tap) RemoteAddr() net.Addr { return t.remote }

// SyscallConn implements [syscall.Conn]. It fails because nvad sets the socket options.
func (t *tap) SyscallConn() (syscall.RawConn, error) { return nil, errors.ErrUnsupported }

// SetDeadline implements [net.Conn].
func (t *tap) SetDeadline(at time.Time) error { return t.SetReadDeadline(at) }

// SetWriteDeadline implements [net.Conn]. It does nothing: nvad sets a deadline for every
// write.
func (t *tap) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline implements [net.Conn]. GoBGP uses it only to interrupt a Read at once,
// and to allow the next.
func (t *tap) SetReadDeadline(at time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deadline = at
	t.wake.Broadcast()
	return nil
}

// Read implements [net.Conn]. It does not fail when the session ends: the neighbor's
// goroutine then removes GoBGP's state machine, which interrupts the Read. If GoBGP
// noticed the end by itself, it would leave a goroutine behind for each session.
func (t *tap) Read(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		switch {
		case !t.deadline.IsZero() && !time.Now().Before(t.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(t.in) > 0:
			n := copy(p, t.in)
			t.in = t.in[n:]
			return n, nil
		}
		t.wake.Wait()
	}
}

// deliver passes m on to GoBGP.
func (t *tap) deliver(m wire.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.in = append(t.in, m...)
	t.wake.Broadcast()
}

// alive has GoBGP restart its hold timer: it passes on a KEEPALIVE, unless GoBGP has one
// to read already.
func (t *tap) alive() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.in) == 0 {
		t.in = append(t.in, wire.Keepalive...)
		t.wake.Broadcast()
	}
}

// Write implements [net.Conn]. GoBGP writes whole messages. After the end of the session
// they are discarded, for the reason that Read gives.
func (t *tap) Write(p []byte) (int, error) {
	for rest := wire.Message(p); len(rest) >= wire.HeaderLen; {
		n := int(rest[16])<<8 | int(rest[17])
		if n < wire.HeaderLen || n > len(rest) {
			return 0, errors.New("write of an incomplete message")
		}
		t.forward(rest[:n])
		rest = rest[n:]
	}
	return len(p), nil
}

// forward sends a message of GoBGP's, or nvad's in its place.
func (t *tap) forward(m wire.Message) {
	switch m.Type() {
	case wire.TypeUpdate:
		return // its End-of-RIB: GoBGP has no routes
	case wire.TypeNotification:
		n := wire.ParseNotification(m, true)
		m = slices.Clone(m) // GoBGP may use its buffer again
		t.end(cause{reason: describeSent(n), notification: &n, message: m}, m)
		return
	case wire.TypeOpen:
		m = wire.NewOpen(&t.neighbor, t.routerID, t.restart())
		t.mu.Lock()
		t.open = m
		t.mu.Unlock()
	}
	if t.send(m) != nil {
		return
	}
	t.counters.out[m.Type()].Add(1)
	switch m.Type() {
	case wire.TypeOpen:
		t.openOnce.Do(func() { close(t.opened) })
	case wire.TypeKeepalive:
		t.accOnce.Do(func() { close(t.accepted) })
	}
}

// send writes b, which consists of whole messages. If the neighbor takes longer to read
// them than the send hold time, the session ends.
func (t *tap) send(b []byte) error {
	select {
	case t.writing <- struct{}{}:
	case <-t.done:
		return errEnded
	}
	defer func() { <-t.writing }()
	return t.sendLocked(b)
}

// sendLocked is send for a caller that has the token in writing.
func (t *tap) sendLocked(b []byte) error {
	if t.ended() {
		return errEnded
	}
	_ = t.conn.SetWriteDeadline(time.Now().Add(time.Duration(t.sendHold.Load())))
	if _, err := t.conn.Write(b); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.endStuck()
		} else {
			t.end(cause{reason: "write failed: " + errText(err), lost: true}, nil)
		}
		return err
	}
	return nil
}

// probe sends a KEEPALIVE and does not wait for it. If something is being sent anyway, that
// is probe enough.
func (t *tap) probe() {
	select {
	case t.writing <- struct{}{}:
	default:
		return
	}
	t.background.Go(func() {
		defer func() { <-t.writing }()
		if t.sendLocked(wire.Keepalive) == nil {
			t.counters.out[wire.Keepalive.Type()].Add(1)
		}
	})
}

// Close implements [net.Conn]. If GoBGP closes the connection before it has sent OPEN, its
// state machine was not ready, and handOver tries again.
func (t *tap) Close() error {
	if isClosed(t.opened) {
		t.end(cause{reason: "closed by the session engine", lost: true, local: true}, nil)
		return nil
	}
	select {
	case t.refused <- struct{}{}:
	default:
	}
	return nil
}

// ended reports whether end was called.
func (t *tap) ended() bool { return isClosed(t.done) }

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// end ends the connection. last, unless nil, is sent as its last message. Only the first
// call counts. It does not wait for the neighbor.
func (t *tap) end(c cause, last wire.Message) {
	t.endOnce.Do(func() {
		t.cause = c
		close(t.done)
		if last == nil {
			t.conn.Close()
			return
		}
		t.counters.out[last.Type()].Add(1)
		_ = t.conn.SetReadDeadline(time.Now())
		t.background.Go(func() { t.farewell(last) })
	})
}

// readUntil sets the deadline of the session's reads. It returns false if the session has
// ended, whose deadline this call may have undone: then the caller must not read.
func (t *tap) readUntil(at time.Time) bool {
	_ = t.conn.SetReadDeadline(at)
	return !t.ended()
}

// notify ends the connection with a NOTIFICATION.
func (t *tap) notify(n speaker.Notification, data []byte, reason string) {
	n.Sent = true
	m := wire.NewNotification(n, data)
	t.end(cause{reason: reason, notification: &n, message: m}, m)
}

// farewellTime is how long the neighbor may take to read a NOTIFICATION.
const farewellTime = time.Second

// farewell sends last and closes the socket, once the neighbor has closed too. If nvad
// closed at once while unread data is in its socket, the kernel would reset the connection,
// and the neighbor could lose the NOTIFICATION that is still under way.
func (t *tap) farewell(last wire.Message) {
	defer t.conn.Close()
	until := time.Now().Add(farewellTime)
	_ = t.conn.SetWriteDeadline(until) // also frees a writer that is stuck
	select {
	case t.writing <- struct{}{}:
	case <-time.After(farewellTime):
		return
	}
	_ = t.conn.SetWriteDeadline(until)
	if _, err := t.conn.Write(last); err != nil {
		return
	}
	if tcp, ok := t.conn.(interface{ CloseWrite() error }); ok {
		_ = tcp.CloseWrite()
		if t.reading != nil {
			<-t.reading
		}
		_ = t.conn.SetReadDeadline(until)
		_, _ = io.Copy(io.Discard, t.conn)
	}
}

// endStuck ends a session whose neighbor does not read. The kernel discards what the
// neighbor has not read, and resets the connection.
func (t *tap) endStuck() {
	if tcp, ok := unwrap(t.conn).(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	t.end(cause{
		reason: "send hold timer expired: the neighbor does not read", lost: true, local: true, event: speaker.SendHoldTimerExpires,
	}, nil)
}
