package rib

import "net/netip"

// mostImages bounds the destinations that a journal remembers: some 20 MB.
const mostImages = 1 << 16

// journal remembers destinations as they were before they changed, so that it can
// be told afterwards what a change of the configuration did.
type journal struct {
	at     []standpoint // when it began
	before totals
	images map[netip.Prefix]image
	full   bool
}

// StartJournal begins to remember what changes, in place of what was remembered
// before. It is called ahead of the change.
func (r *RIB) StartJournal() {
	r.journal = &journal{at: r.standpoints(), before: r.totals(), images: map[netip.Prefix]image{}}
}

// record remembers d, which is about to change.
func (r *RIB) record(d *dest) {
	j := r.journal
	if j == nil {
		return
	}
	if _, known := j.images[d.prefix]; known {
		return
	}
	if j.full = j.full || len(j.images) == mostImages; !j.full {
		j.images[d.prefix] = r.imageOf(d, j.at, image{})
	}
}

// Review compares what a journal remembers with what there is, in turns.
type Review struct {
	rib      *RIB
	journal  *journal
	prefixes []netip.Prefix
	eff      effects
}

// EndJournal stops remembering.
func (r *RIB) EndJournal() *Review {
	v := &Review{rib: r, journal: r.journal}
	r.journal = nil
	for prefix := range v.journal.images {
		v.prefixes = append(v.prefixes, prefix)
	}
	return v
}

// Step compares n destinations and reports whether all are done.
func (v *Review) Step(n int) (done bool) {
	n = min(n, len(v.prefixes))
	now := v.rib.standpoints()
	for _, prefix := range v.prefixes[:n] {
		before := v.journal.images[prefix]
		d := v.rib.look(prefix)
		if d == nil {
			d = newDest(prefix)
		}
		after := v.rib.imageOf(d, now, image{})
		v.eff.compareImages(&before, &after, v.rib, d)
	}
	v.prefixes = v.prefixes[n:]
	return len(v.prefixes) == 0
}

// Effect is what was found. It is called once Step has reported the end.
func (v *Review) Effect() Effect {
	v.eff.out.Partial = v.journal.full
	return v.eff.finish(v.journal.before)
}
