package bfd

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

const maxHopLimit = 255

// accept finds the session of a datagram (RFC 5880 6.3, 6.8.6) and lets it step.
//
// A discriminator is believed only from the session's own addresses, port and
// device: without authentication they are all that keeps strangers out.
func (l *loop) accept(d datagram, now time.Time) {
	if !d.multihop && d.hopLimit != maxHopLimit {
		l.discard(d, "hop limit is not 255 (RFC 5881 5)")
		return
	}
	p, err := decode(d.payload)
	if err != nil {
		l.discard(d, err.Error())
		return
	}
	key := Key{Local: d.local, Remote: d.remote, Multihop: d.multihop}
	e := l.sessions[key]
	if p.your != 0 {
		e = l.byDiscr[p.your]
	}
	switch {
	case e == nil && p.your != 0:
		l.discard(d, "discriminator is unknown")
	case e == nil:
		l.discard(d, "no session between these addresses")
	case e.wanted.Key != key:
		l.discard(d, "discriminator belongs to other addresses")
	case e.link != nil && e.link.device() != 0 && e.link.device() != d.device:
		l.discard(d, "received on another device")
	default:
		l.step(e, received{p}, now)
	}
}

func (l *loop) discard(d datagram, reason string) {
	l.discards[reason]++
	l.log.Debug("BFD packet discarded", "local", d.local, "remote", d.remote, "reason", reason)
}

// send sends a session's packet. Where it cannot leave at all, the socket is
// opened again until it can: only so is an address or a device noticed that has
// gone and come back.
func (l *loop) send(e *entry, p *packet, now time.Time) {
	if e.link == nil {
		return
	}
	var buf [headerLen]byte
	err := e.link.send(p.appendTo(buf[:0]))
	switch {
	case err == nil:
		e.packets.out++
		e.err = nil
	case stale(err):
		l.unlink(e, err, now.Add(retryInterval))
	default:
		l.fail(e, err)
	}
}

// stale reports errors of a socket whose address or device is gone. Others (no
// route, a full queue, a firewall) pass without a new socket.
func stale(err error) bool {
	for _, e := range []error{unix.EADDRNOTAVAIL, unix.EINVAL, unix.ENODEV, unix.ENXIO, unix.EBADF} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// open opens a session's socket, or tries again later.
func (l *loop) open(e *entry, now time.Time) {
	link, err := l.port.open(e.wanted.Key, e.wanted.Device)
	if err != nil {
		l.unlink(e, err, now.Add(retryInterval))
		return
	}
	e.link, e.err, e.retryAt = link, nil, time.Time{}
	l.step(e, linked{}, now)
}

// unlink closes a session's socket and has it opened again later.
func (l *loop) unlink(e *entry, err error, retryAt time.Time) {
	if e.link != nil {
		e.link.close()
	}
	e.link, e.retryAt = nil, retryAt
	l.fail(e, err)
}

// fail keeps the error for display and logs it if it is news.
func (l *loop) fail(e *entry, err error) {
	if err != nil && (e.err == nil || e.err.Error() != err.Error()) {
		l.log.Warn("BFD session cannot send", "session", e.wanted.Key.String(), "reason", err)
	}
	e.err = err
}

// retryNow opens what is not open at the next turn.
func (l *loop) retryNow() {
	for _, e := range l.sessions {
		if e.link == nil {
			e.retryAt = time.Unix(0, 0)
		}
	}
}
