package gobgp

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// Times for dialling. An attempt and the pause after it stay below a second together, so
// a neighbor is back within a second of being reachable.
const (
	dialTimeout = 600 * time.Millisecond
	firstPause  = 100 * time.Millisecond
	longPause   = 350 * time.Millisecond
)

type dialResult struct {
	conn net.Conn
	err  error
}

// dial starts an attempt, unless one is under way, or the neighbor is passive or has a
// connection. If the neighbor is held back, or the pacer lets others go first, the timer
// tries again later.
func (p *peer) dial() {
	if p.dialing != nil || p.current != nil {
		return
	}
	now := time.Now()
	if wait := p.backoff.held(now); wait > 0 {
		p.redial.Reset(wait)
		return
	}
	if p.cfg.Passive {
		p.report(speaker.Active, cmp.Or(p.failure, "waits for the neighbor to connect (passive)"))
		p.schedule()
		return
	}
	if wait := p.paced(now); wait > 0 {
		p.redial.Reset(wait)
		return
	}
	p.redial.Stop()
	p.report(speaker.Connect, p.failure)
	ctx, cancel := context.WithTimeout(p.sp.ctx, dialTimeout)
	p.dialing = cancel
	p.dials.Go(func() {
		conn, err := p.sp.dialer(p.cfg).DialContext(ctx, network(p.cfg.Address), remote(p.cfg).String())
		p.dialled <- dialResult{conn, err}
	})
}

// paced returns how long to wait for the pacer.
func (p *peer) paced(now time.Time) time.Duration {
	if p.slot.IsZero() {
		p.slot = now.Add(p.sp.pace.reserve(now, p.backoff.there))
	}
	wait := p.slot.Sub(now)
	if wait <= 0 {
		p.slot = time.Time{}
	}
	return wait
}

func (p *peer) dialDone(r dialResult) {
	p.dialing()
	p.dialing = nil
	if r.err != nil {
		if p.current == nil {
			p.failure = p.dialReason(r.err)
			p.report(speaker.Active, p.failure)
		}
		p.backoff.unreachable++
		p.schedule()
		return
	}
	p.backoff.unreachable = 0
	p.connected(r.conn, true)
}

// dialReason returns why an attempt failed.
func (p *peer) dialReason(err error) string {
	reason := errText(err)
	if reason == timedOut && p.md5Suspect(p.sp.md5.read(time.Now())) {
		reason += md5Hint
	}
	return reason
}

// schedule sets the timer for the next attempt. For a passive neighbor it only ends a
// hold, for a dynamic one also the time for which it keeps its place.
func (p *peer) schedule() {
	now := time.Now()
	switch held := p.backoff.held(now); {
	case p.current != nil:
	case p.cfg.Dynamic:
		if wait := max(held, p.rest.Sub(now)); wait > 0 {
			p.redial.Reset(wait)
		}
	case held > 0:
		p.redial.Reset(held)
	case !p.cfg.Passive:
		p.redial.Reset(p.backoff.pause(now))
	}
}

// dialer returns a dialer that sets address, TTL and MD5 key before the first packet.
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
				return setMD5(fd, single(n.Address), n.Password)
			})
		},
	}
	if n.LocalAddress.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.LocalAddress, 0))
	}
	d.SetMultipathTCP(false) // it has no TCP-MD5
	return d
}

// network returns the network of one family: a socket for both would report an IPv4
// neighbor as ::ffff:192.0.2.1.
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
