package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
)

// Treated is a malformed announcement, whose prefix was treated as withdrawn
// (RFC 7606 2).
type Treated struct {
	Neighbor netip.Addr
	At       time.Time
	Reason   string
}

// mostTreated is how many prefixes of a neighbor are remembered: the latest ones, at
// most 20 kB.
const mostTreated = 128

// treated remembers, for explain, which prefixes of a neighbor were treated as
// withdrawn. The zero value is empty.
type treated struct {
	remarks map[netip.Prefix]remark
	order   []netip.Prefix // a ring, oldest at next once it is full
	next    int
}

type remark struct {
	at     time.Time
	reason string
	slot   int // in order; an older slot with the same prefix does not count
}

// add remembers prefixes. If there are too many, it forgets the oldest.
func (t *treated) add(prefixes []netip.Prefix, reason string, now time.Time) {
	if t.remarks == nil && len(prefixes) > 0 {
		t.remarks = make(map[netip.Prefix]remark)
	}
	for _, p := range prefixes[max(0, len(prefixes)-mostTreated):] {
		if r, known := t.remarks[p]; known {
			t.remarks[p] = remark{now, reason, r.slot}
			continue
		}
		if len(t.order) < mostTreated {
			t.order = append(t.order, p)
			t.next = len(t.order) - 1
		} else if old := t.order[t.next]; t.remarks[old].slot == t.next {
			delete(t.remarks, old)
		}
		t.order[t.next] = p
		t.remarks[p] = remark{now, reason, t.next}
		t.next = (t.next + 1) % mostTreated
	}
}

func (t *treated) forget(prefixes []netip.Prefix) {
	if len(t.remarks) == 0 {
		return
	}
	for _, p := range prefixes {
		delete(t.remarks, p)
	}
	if len(t.remarks) == 0 {
		*t = treated{}
	}
}

// examine records what was wrong with an UPDATE. A correct announcement or withdrawal
// of a prefix makes nvad forget the malformed one.
func (e *Engine) examine(n *neighbor, ev *speaker.Update, now time.Time) {
	n.treated.forget(ev.Announced)
	if ev.Err == nil {
		n.treated.forget(ev.Withdrawn)
		return
	}
	withdrawn := len(ev.Withdrawn) - ev.Err.Routes // the neighbor meant these to go
	n.treated.forget(ev.Withdrawn[:withdrawn])
	n.treated.add(ev.Withdrawn[withdrawn:], ev.Err.Text, now)
	n.malformed, n.malformedAt = ev.Err, now
	e.logMalformed(n, ev)
}

// logMalformed logs what was wrong with an UPDATE and what happened to its routes
// (RFC 7606 6), each reason once in a session: it may concern a whole table.
func (e *Engine) logMalformed(n *neighbor, ev *speaker.Update) {
	if !n.logged.First("malformed", ev.Err.String()) {
		return
	}
	first := ""
	if prefixes := slices.Concat(ev.Announced, ev.Withdrawn); len(prefixes) > 0 {
		first = prefixes[0].String()
	}
	e.log.Warn("malformed UPDATE", "neighbor", ev.Peer, "as", n.cfg.RemoteASN, "reason", ev.Err.String(), "prefix", first)
}

// treatedOf returns the malformed announcements of a prefix, by neighbor, or only
// those of one neighbor if from is valid.
func (e *Engine) treatedOf(prefix netip.Prefix, from netip.Addr) []Treated {
	var out []Treated
	for _, addr := range e.addresses() {
		if from.IsValid() && addr != from {
			continue
		}
		if r, ok := e.neighbors[addr].treated.remarks[prefix]; ok {
			out = append(out, Treated{Neighbor: addr, At: r.at, Reason: r.reason})
		}
	}
	return out
}
