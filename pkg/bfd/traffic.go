package bfd

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"
)

const maxHopLimit = 255

// Reasons to discard a packet that is well-formed.
const (
	noSession      = "no session between these addresses"
	farAway        = "hop limit is not 255 (RFC 5881 5)"
	tooFarAway     = "hop limit is below min-ttl (RFC 5883 5)"
	otherDevice    = "received on another device"
	unknownDiscr   = "discriminator is unknown"
	otherDiscr     = "discriminator belongs to other addresses"
	strangersDiscr = "no discriminator of ours, and not the one of the peer of this session"
)

// accept finds the session of a datagram (RFC 5880 6.3, 6.8.6) and passes the packet to it.
// A datagram from other addresses, another device or too far away is not even decoded.
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
		e.auth.accepted(d.payload, e.detectionTime(), now)
	}
}

// admit decodes a packet for a session, or says why it is discarded.
//
// nvad's discriminator is random. A stranger who forges the peer's address does not know it,
// so a packet with it is the peer's. But a peer that does not hear nvad leaves it out (RFC
// 5880 6.8.6), and such a packet takes a session down that is up. Then the peer's own
// discriminator has to be the one that it had before: a peer that lost nvad still has it.
// A peer that has restarted has another one; its packets are accepted after the detection
// time, when its earlier session has gone down.
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

// discard counts a packet that is not accepted. e is the session between its addresses, if
// there is one.
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

// send sends a session's packet. If the address or the device of the socket is gone, the
// socket is closed and opened again until that succeeds: an old socket would not work
// even after the address or the device has come back.
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

// stale reports whether err says that the address or the device of a socket is gone. Other
// errors (no route, a full queue, a firewall) pass without a new socket.
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

// fail keeps the error for display, and logs it if it differs from the last one.
func (l *loop) fail(e *entry, err error) {
	if err != nil && (e.err == nil || e.err.Error() != err.Error()) {
		l.log.Warn("BFD session cannot send", "session", e.wanted.Key.String(), "reason", err)
	}
	e.err = err
}

// retryNow has every closed socket opened in the next turn.
func (l *loop) retryNow() {
	for _, e := range l.sessions {
		if e.link == nil {
			e.retryAt = time.Unix(0, 0)
		}
	}
}
