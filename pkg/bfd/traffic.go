package bfd

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"
)

const maxHopLimit = 255

// Reasons to discard a packet that decodes.
const (
	noSession      = "no session between these addresses"
	farAway        = "hop limit is not 255 (RFC 5881 5)"
	tooFarAway     = "hop limit is below min-ttl (RFC 5883 5)"
	otherDevice    = "received on another device"
	unknownDiscr   = "discriminator is unknown"
	otherDiscr     = "discriminator belongs to other addresses"
	strangersDiscr = "no discriminator of ours, and not the one of the peer of this session"
)

// accept finds the session of a datagram (RFC 5880 6.3, 6.8.6) and lets it step.
// Whatever does not come from the session's own addresses, device and distance is
// not so much as decoded.
func (l *loop) accept(d datagram, now time.Time) {
	e := l.sessions[Key{Local: d.local, Remote: d.remote, Multihop: d.multihop}]
	if e == nil {
		l.discard(nil, d, noSession, now)
		return
	}
	p, reason := l.admit(e, d, now)
	if reason != "" {
		l.discard(e, d, reason, now)
		return
	}
	l.step(e, received{p}, now)
	if p.authenticated {
		e.auth.took(d.payload, e.detectionTime(), now)
	}
}

// admit decodes a packet for a session, or says why it is discarded.
//
// Our discriminator is random, and so tells a packet of the peer from a stranger's
// that merely has its address. Where there is none (RFC 5880 6.8.6 lets a peer that
// has not heard us leave it out, and such a packet ends a session that is up), the
// peer's own discriminator takes its place: one that lost us still has the same. A
// peer that started anew has another; it is heard once its earlier life has gone
// silent for the detection time.
func (l *loop) admit(e *entry, d datagram, now time.Time) (packet, string) {
	switch {
	case d.hopLimit < int(e.wanted.MinTTL) && !d.multihop:
		return packet{}, farAway
	case d.hopLimit < int(e.wanted.MinTTL):
		return packet{}, tooFarAway
	case e.link != nil && e.link.device() != 0 && e.link.device() != d.device:
		return packet{}, otherDevice
	}
	p, err := decode(d.payload)
	switch {
	case err != nil:
		return p, err.Error()
	case p.your == 0 && e.state == Up && p.my != e.remote.discr:
		return p, strangersDiscr
	case p.your != 0 && l.byDiscr[p.your] == nil:
		return p, unknownDiscr
	case p.your != 0 && p.your != e.discr:
		return p, otherDiscr
	}
	if err := e.auth.verify(d.payload, p, e.wanted.Keys, now); err != nil {
		return p, err.Error()
	}
	return p, ""
}

// discard counts a packet that was not taken, for a session if it was between the
// addresses of one.
func (l *loop) discard(e *entry, d datagram, reason string, now time.Time) {
	l.discards[reason]++
	l.flood.count(now)
	if e != nil {
		e.refused.count++
		e.refused.last = reason
	}
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("BFD packet discarded", "local", d.local, "remote", d.remote, "reason", reason)
	}
}

// send sends a session's packet. Where it cannot leave at all, the socket is
// opened again until it can: only so is an address or a device noticed that has
// gone and come back.
func (l *loop) send(e *entry, p *packet, now time.Time) {
	if e.link == nil {
		return
	}
	var buf [authPacket]byte
	b := p.appendTo(buf[:0])
	if len(e.wanted.Keys) > 0 {
		b = e.auth.appendTo(b, e.wanted.Keys[0])
	}
	err := e.link.send(b)
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
