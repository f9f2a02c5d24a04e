package gobgp

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// writer sends what is queued for an established session. Nobody else writes UPDATEs.
// GoBGP's KEEPALIVEs go out between two chunks.
type writer struct {
	s        *session
	enc      wire.Encoder
	families route.Family
	buf      []byte
	// accounts are for IPv4 and IPv6; nil unless the neighbor counts incoming routes.
	accounts *[2]*account
	eor      route.Family // to send once no change waits
}

// chunk is the number of octets that are written at once.
const chunk = 1 << 16

func newWriter(s *session) *writer {
	w := &writer{
		s:        s,
		enc:      wire.Encoder{TwoOctet: !s.peer.FourOctetASN, IPv6NextHops: s.peer.IPv6NextHops, Extended: s.peer.Extended},
		families: s.families(),
		buf:      make([]byte, 0, chunk+wire.MaxLen),
	}
	if s.cfg.CountsIncoming {
		w.accounts = &[2]*account{newAccount(), newAccount()}
	}
	return w
}

// run sends until the session ends.
func (w *writer) run() {
	later := newStoppedTimer()
	defer later.Stop()
	check := time.NewTicker(max(time.Duration(w.s.tap.sendHold.Load())/8, firstPause))
	defer check.Stop()
	progress := progress{since: time.Now()}
	for {
		select {
		case now := <-check.C:
			if progress.stopped(w.s.tap.conn, now) >= time.Duration(w.s.tap.sendHold.Load()) {
				w.s.tap.endStuck()
			}
			continue
		case <-w.s.out.wake:
		case <-later.C:
		case <-w.s.tap.done:
			return
		}
		b, waiting, wait := w.within(w.s.out.take(), time.Now())
		if wait > 0 {
			later.Reset(wait)
		}
		if err := w.write(b); err != nil {
			return
		}
		b.load.free()
		w.s.out.writing.Store(int64(waiting))
	}
}

// within returns the part of a batch that may be sent now without exceeding the neighbor's
// limit, and how many changes wait, and for how long.
func (w *writer) within(b batch, now time.Time) (_ batch, waiting int, wait time.Duration) {
	if w.accounts == nil {
		return b, 0, 0
	}
	for _, c := range b.changes {
		w.accounts[accountOf(c.Prefix)].add(c)
	}
	b.changes = nil
	for _, a := range w.accounts {
		var left time.Duration
		b.changes, left = a.release(b.changes, b.limit, now)
		waiting += len(a.waiting)
		if left > 0 && (wait == 0 || left < wait) {
			wait = left
		}
	}
	w.eor |= b.eor
	if b.eor = 0; waiting == 0 {
		b.eor, w.eor = w.eor, 0
	}
	return b, waiting, wait
}

func accountOf(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 0
	}
	return 1
}

// write sends a batch: announcements, then withdrawals, then markers. In this order a route
// that covers a withdrawn one arrives before that one goes. A neighbor with a limit gets
// withdrawals first, because they make room.
func (w *writer) write(b batch) error {
	groups, withdrawn := w.group(b.load, b.changes)
	if b.limit > 0 {
		if err := w.withdraw(withdrawn); err != nil {
			return err
		}
		withdrawn = nil
	}
	for _, g := range groups {
		set, err := w.enc.Encode(g.attrs, g.family)
		if err == nil {
			err = w.announce(set, g.prefixes)
		}
		if err == errEnded {
			return err
		}
		if err != nil {
			w.unsendable(g, err)
			withdrawn = append(withdrawn, g.prefixes...)
		}
	}
	if err := w.withdraw(withdrawn); err != nil {
		return err
	}
	if err := w.markers(b); err != nil {
		return err
	}
	return w.flush()
}

// group has the prefixes of one family that share a set of attributes.
type group struct {
	attrs    *route.Attrs
	family   route.Family
	prefixes []netip.Prefix
}

type groupKey struct {
	attrs  *route.Attrs
	family route.Family
}

// group groups changes by attribute set, in the order in which the sets appear, and returns
// the withdrawn prefixes. It counts first, so that all groups share one array, l's.
func (w *writer) group(l *load, changes []speaker.Change) (groups []group, withdrawn []netip.Prefix) {
	index := map[groupKey]int{}
	sizes := []int{}
	l.members = slices.Grow(l.members[:0], len(changes))[:len(changes)]
	member := l.members // group of each change, -1 if none
	withdrawals := 0
	for i, c := range changes {
		family := route.FamilyOf(c.Prefix)
		if !w.families.Has(family) {
			member[i] = -1
			continue
		}
		if c.Attrs == nil {
			member[i] = -1
			withdrawals++
			continue
		}
		g, ok := index[groupKey{c.Attrs, family}]
		if !ok {
			g = len(groups)
			index[groupKey{c.Attrs, family}] = g
			groups = append(groups, group{attrs: c.Attrs, family: family})
			sizes = append(sizes, 0)
		}
		member[i] = g
		sizes[g]++
	}
	l.prefixes = slices.Grow(l.prefixes[:0], len(changes))
	array := l.prefixes[:len(changes)]
	for g, n := range sizes {
		groups[g].prefixes, array = array[:0:n], array[n:]
	}
	withdrawn = make([]netip.Prefix, 0, withdrawals)
	for i, c := range changes {
		switch {
		case member[i] >= 0:
			groups[member[i]].prefixes = append(groups[member[i]].prefixes, c.Prefix)
		case c.Attrs == nil && w.families.Has(route.FamilyOf(c.Prefix)):
			withdrawn = append(withdrawn, c.Prefix)
		}
	}
	return groups, withdrawn
}

// announce sends the prefixes of a set in as few UPDATEs as fit.
func (w *writer) announce(set wire.Set, prefixes []netip.Prefix) error {
	for rest := prefixes; len(rest) > 0; {
		var err error
		if w.buf, rest, err = w.enc.Announce(w.buf, set, rest); err != nil {
			return err
		}
		if err := w.queued(); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) withdraw(prefixes []netip.Prefix) error {
	for _, family := range []route.Family{route.IPv4, route.IPv6} {
		rest := slices.DeleteFunc(slices.Clone(prefixes), func(p netip.Prefix) bool { return route.FamilyOf(p) != family })
		for len(rest) > 0 {
			w.buf, rest = w.enc.Withdraw(w.buf, family, rest)
			if err := w.queued(); err != nil {
				return err
			}
		}
	}
	return nil
}

// markers sends End-of-RIB (RFC 4724 2) and requests for a refresh (RFC 2918).
func (w *writer) markers(b batch) error {
	for _, family := range []route.Family{route.IPv4, route.IPv6} {
		if b.eor&w.families&family != 0 {
			w.buf = w.enc.EndOfRIB(w.buf, family)
			if err := w.queued(); err != nil {
				return err
			}
		}
		if w.s.peer.RouteRefresh && b.refresh&w.families&family != 0 {
			w.buf = append(w.buf, wire.NewRouteRefresh(family)...)
			w.s.tap.counters.out[wire.TypeRouteRefresh].Add(1)
		}
	}
	return nil
}

// queued counts an UPDATE that was added to the buffer.
func (w *writer) queued() error {
	w.s.tap.counters.out[wire.TypeUpdate].Add(1)
	if len(w.buf) < chunk {
		return nil
	}
	return w.flush()
}

func (w *writer) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	if err := w.s.tap.send(w.buf); err != nil {
		return errEnded
	}
	w.buf = w.buf[:0]
	return nil
}

// unsendable logs and counts the routes of a set that no message can carry. The caller
// withdraws them, so that the neighbor does not keep what it was sent before.
func (w *writer) unsendable(g group, err error) {
	w.s.tap.counters.unsendable.Add(uint64(len(g.prefixes)))
	w.s.log.Warn("route not sent", "prefix", g.prefixes[0].String(), "prefixes", len(g.prefixes), keyReason, err)
}

// sendHoldTime returns how long a neighbor may read nothing, for a negotiated hold time
// (RFC 9687 3: it is longer than that).
func sendHoldTime(hold time.Duration) time.Duration { return 2 * hold }

// progress watches whether the neighbor reads what is sent to it. A write that does not
// end would show it too, but only once the socket's buffer is full, and KEEPALIVEs alone
// do not fill that in a day. So progress asks the kernel how much was acknowledged.
type progress struct {
	acked uint64
	since time.Time // when the neighbor was last seen to read something, or had read all
}

// stopped returns for how long the neighbor has read nothing, as far as is known.
func (p *progress) stopped(conn net.Conn, now time.Time) time.Duration {
	info := tcpInfo(conn)
	if info == nil || info.Unacked == 0 && info.Notsent_bytes == 0 || info.Bytes_acked != p.acked {
		p.since = now
	}
	if info != nil {
		p.acked = info.Bytes_acked
	}
	return now.Sub(p.since)
}
