package gobgp

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// Times of dialling. An attempt and the pause after it stay below a second
// together, so that a neighbor is back within a second of being reachable.
const (
	dialTimeout = 600 * time.Millisecond
	firstPause  = 100 * time.Millisecond
	longPause   = 350 * time.Millisecond
	longDamping = 5 * time.Second
	steadyTime  = 10 * time.Second // a session that lasted so long was no failure
)

type dialResult struct {
	conn net.Conn
	err  error
}

// dial starts an attempt, unless the neighbor is passive or has a connection.
func (p *peer) dial() {
	if p.dialing != nil || p.current != nil {
		return
	}
	if p.cfg.Passive {
		p.tellState(speaker.Active, cmp.Or(p.state.Reason, "waits for the neighbor to connect (passive)"))
		return
	}
	p.redial.Stop()
	p.tellState(speaker.Connect, p.state.Reason)
	ctx, cancel := context.WithTimeout(p.sp.ctx, dialTimeout)
	p.dialing = cancel
	p.dials.Go(func() {
		conn, err := p.sp.dialer(p.cfg).DialContext(ctx, network(p.cfg.Address), remote(p.cfg).String())
		p.dialled <- dialResult{conn, err}
	})
}

func (p *peer) dialDone(r dialResult) {
	p.dialing()
	p.dialing = nil
	if r.err != nil {
		if p.current == nil {
			p.tellState(speaker.Active, p.dialReason(r.err))
		}
		p.backoff.unreachable++
		p.schedule()
		return
	}
	p.backoff.unreachable = 0
	p.connected(r.conn, true)
}

// dialReason is why an attempt failed.
func (p *peer) dialReason(err error) string {
	reason := errText(err)
	if reason == timedOut && p.md5Suspect(readMD5Failures()) {
		reason += md5Hint
	}
	return reason
}

// schedule plans the next attempt.
func (p *peer) schedule() {
	if !p.cfg.Passive && p.current == nil {
		p.redial.Reset(p.backoff.pause())
	}
}

// backoff says how long to wait before the next attempt to dial.
type backoff struct {
	unreachable int // attempts without a connection, in a row
	refused     int // connections without a lasting session, in a row
}

// lost counts the end of a session. One that lasted, or ended in a collision,
// is followed by an attempt at once.
func (b *backoff) lost(s *session) {
	since := s.establishedAt()
	if !since.IsZero() && time.Since(since) > steadyTime {
		b.refused = 0
		return
	}
	b.refused++
}

func (b *backoff) pause() time.Duration {
	pause := time.Duration(0)
	if b.unreachable > 0 {
		pause = min(firstPause<<min(b.unreachable-1, 8), longPause)
	}
	if b.refused > 1 {
		pause = max(pause, min(2*firstPause<<min(b.refused-2, 8), longDamping))
	}
	return pause - time.Duration(rand.Int64N(int64(pause)/4+1))
}

// dialer is configured so that the socket is complete before the first packet:
// address, TTL, MD5 key.
func (s *Speaker) dialer(n speaker.Neighbor) *net.Dialer {
	d := &net.Dialer{
		KeepAliveConfig: keepAlive,
		Control: func(network, _ string, c syscall.RawConn) error {
			return onSocket(c, func(fd int) error {
				if err := setSession(fd, network, n); err != nil {
					return err
				}
				if n.Password == "" {
					return nil
				}
				return setMD5(fd, n.Address, n.Password)
			})
		},
	}
	if n.LocalAddress.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.LocalAddress, 0))
	}
	d.SetMultipathTCP(false) // knows no TCP-MD5
	return d
}

// network keeps the families apart: a socket for both would name an IPv4
// neighbor ::ffff:192.0.2.1.
func network(a netip.Addr) string {
	if a.Is4() {
		return "tcp4"
	}
	return "tcp6"
}

func remote(n speaker.Neighbor) netip.AddrPort {
	port := n.Port
	if port == 0 {
		port = defaultPort
	}
	return netip.AddrPortFrom(n.Address, port)
}
