package rib

// history dates what happened to all paths of a neighbor at once: the session was lost,
// stale routes were swept, a reload changed the settings. Such an event only starts a new
// era, so it costs the same however many paths there are. Each path has the era in which
// it was last brought up to date, and catches up when its destination is next looked at,
// at the latest by the table's walk.
//
// Two mixtures can never happen because of this.
//
// If a session is lost and comes back before the walk has reached a path of it, then that
// path is gone all the same: it is older than the loss, so nobody takes it for a path of
// the new session.
//
// If a reload changes import and export policies that rely on each other, such as a tag set
// on import that export filters by, then every path is imported by the new policy before
// the new export policy sees it. Otherwise the old import and the new export together could
// announce what both configurations deny, or withdraw what both announce.
type history struct {
	era    uint32    // events so far
	policy uint32    // era in which import settings last changed
	source uint32    // era in which settings last changed that others prefer or are sent its routes by
	lost   uint32    // era in which the session was last lost with its routes kept: older paths are stale
	born   [2]uint32 // by family: older paths are gone
	swept  [2]uint32 // by family: older paths that are marked as stale are gone

	forgotten uint32 // era in which all paths were last removed: older ones are of a session that is over
}

func (h *history) datePolicy() { h.era++; h.policy = h.era }

func (h *history) dateSource() { h.era++; h.source = h.era }

// isGone reports whether pt, of family f, went with an event since it caught up.
func (h *history) isGone(pt *path, f int) bool {
	return pt.era < h.born[f] || pt.flags&flagStale != 0 && pt.era < h.swept[f]
}

// isStale reports whether pt was kept over the neighbor's restart and not announced since.
func (h *history) isStale(pt *path) bool { return pt.flags&flagStale != 0 || pt.era < h.lost }

// forgetPaths removes all paths of the neighbor.
func (n *inbound) forgetPaths() {
	n.era++
	n.born, n.forgotten = [2]uint32{n.era, n.era}, n.era
	n.tallies[0].forget()
	n.tallies[1].forget()
	n.retake()
}

// keepPaths makes all paths of the neighbor stale. If one is stale already, it is removed:
// the neighbor restarts for the second time and did not announce it in between, so it does
// not have it any longer (RFC 4724 4.2).
func (n *inbound) keepPaths() {
	n.sweep(0)
	n.sweep(1)
	n.era++
	n.lost = n.era
	n.tallies[0].stale, n.tallies[1].stale = n.tallies[0].outcomes, n.tallies[1].outcomes
}

// sweep removes the stale paths of a family.
func (n *inbound) sweep(f int) {
	n.era++
	n.born[f], n.swept[f] = max(n.born[f], n.lost), n.era
	n.tallies[f].sweep()
	n.retake()
}

// renew has the paths of d catch up, and reports whether d must be decided again.
func (s *adjIn) renew(d *dest) (changed bool) {
	for i := len(d.paths) - 1; i >= 0; i-- {
		if p := s.peers.of(&d.paths[i]); d.paths[i].era != p.era && s.catchUp(d, i, p) {
			changed = true
		}
	}
	return changed
}

// catchUp brings path i of d up to date with what happened to its neighbor. It reports
// whether d must be decided again.
func (s *adjIn) catchUp(d *dest, i int, p *peer) (changed bool) {
	pt := &d.paths[i]
	if p.isGone(pt, d.family()) {
		s.cut(d, i, p)
		return true
	}
	if p.isStale(pt) {
		pt.flags |= flagStale
	}
	evaluate := pt.era < p.policy
	changed = pt.era < p.source
	// Before reimport counts it again. By its old era it could be one that went with the
	// neighbor's paths of then, which no count includes.
	pt.era = p.era
	if evaluate {
		changed = s.reimport(d, i, p) || changed
	}
	return changed
}

// reimport evaluates path i of d again, and reports whether it came out differently.
func (s *adjIn) reimport(d *dest, i int, p *peer) bool {
	first := s.seen.note(d)
	pt := &d.paths[i]
	before := *pt
	s.count(d, p, pt, -1)
	s.evaluate(d, pt, p, s.admit(p, pt.received))
	s.mon.note(d, p, &before, pt)
	s.count(d, p, pt, 1)
	s.hops.release(before.hop)
	if pt.accepted == before.accepted && sameExtra(pt.extra, before.extra) {
		if first {
			s.seen.unnote(d)
		}
		return false
	}
	return true
}
