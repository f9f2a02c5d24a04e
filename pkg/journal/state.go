package journal

import (
	"context"
	"maps"
	"slices"
)

// pageKeys is how many keys a reader of a state holds at once, or twice as many for a
// moment.
const pageKeys = 32 << 10

// stateReader reads the state of a log at a time, ordered by key. The base is ordered so
// already. Of the segments it collects the last entry of each key, a page of keys after the
// other: it reads the segments as often as there are pages.
type stateReader struct {
	ctx    context.Context
	log    *logView
	sel    selection
	floors floors
	upto   uint64 // sequence number of the last record before the time; 0: no segment has one

	base    *scanner
	head    *entry // of base; nil: the end
	page    []located
	after   string // the last key of the page
	more    bool   // there are keys after it
	read    int
	current entry
	frame   []byte
}

// located is an entry and its segment.
type located struct {
	placed
	segment int
}

// begin finds out whether the state is known, and collects the first page.
func (r *stateReader) begin() error {
	r.upto = r.log.before(r.sel.until)
	if err := r.log.known(r.sel.until); err != nil && r.upto == 0 {
		return err
	}
	r.base = newScanner(r.log.base.reader(), r.log.baseSize)
	r.head = r.base.next()
	if err := r.floors.settle(r.marks()).err(); err != nil {
		return err
	}
	return r.collect("")
}

// marks returns what base and segments say about the state as a whole.
func (r *stateReader) marks() unknown {
	state := r.log.head.unknown
	for i := range r.log.list {
		s := &r.log.list[i]
		if s.last == 0 || s.seq > r.upto {
			continue
		}
		if r.log.missing(i) {
			state = unknown{damaged, s.seq}
		}
		for _, e := range s.marks {
			if e.seq <= r.upto {
				r.floors.take(&e, &state)
			}
		}
		if s.broken && s.last <= r.upto {
			state = r.log.rest(i)
		}
	}
	return state
}

// rest says that the rest of a segment can't be read.
func (v *logView) rest(i int) unknown {
	if i+1 < len(v.list) {
		return unknown{damaged, v.list[i+1].seq}
	}
	return unknown{damaged, v.list[i].last + 1}
}

func (r *stateReader) patient() error {
	if r.read++; r.read%patience == 0 {
		return r.ctx.Err()
	}
	return nil
}

// collect fills the page with the smallest keys after a key. If there are too many, it
// keeps the smaller half, and ignores keys above those from then on.
func (r *stateReader) collect(after string) error {
	last := map[string]located{}
	limit := ""
	r.more = false
	for i := range r.log.list {
		s := &r.log.list[i]
		if s.last == 0 || s.seq > r.upto {
			continue
		}
		in := newScanner(s, s.size)
		for e := in.next(); e != nil && e.seq <= r.upto; e = in.next() {
			if err := r.patient(); err != nil {
				return err
			}
			if e.Key <= after || !r.sel.wants(e) {
				continue
			}
			if limit != "" && e.Key > limit {
				r.more = true
				continue
			}
			last[e.Key] = located{in.placed(), i}
			if len(last) == 2*pageKeys {
				limit = halve(last)
				r.more = true
			}
		}
		if in.broken {
			if err := r.floors.settle(r.log.rest(i)).err(); err != nil {
				return err
			}
		}
	}
	r.page = r.page[:0]
	for _, key := range slices.Sorted(maps.Keys(last)) {
		r.page = append(r.page, last[key])
	}
	if n := len(r.page); n > 0 {
		r.after = r.page[n-1].key
	}
	return nil
}

// halve removes the greater half of the keys, and returns the greatest that is left.
func halve(last map[string]located) (limit string) {
	keys := slices.Sorted(maps.Keys(last))
	for _, key := range keys[pageKeys:] {
		delete(last, key)
	}
	return keys[pageKeys-1]
}

// next implements source.
func (r *stateReader) next() (*Record, error) {
	for {
		if err := r.patient(); err != nil {
			return nil, err
		}
		if len(r.page) == 0 && r.more {
			if err := r.collect(r.after); err != nil {
				return nil, err
			}
			continue
		}
		if r.head != nil && (len(r.page) == 0 || r.head.Key < r.page[0].key) {
			r.current = *r.head
			r.frame = append(r.frame[:0], r.head.Data...)
			r.current.Data = r.frame
			r.head = r.base.next()
			if r.sel.wants(&r.current) && !r.floors.ends(r.current.Kind, r.current.seq) {
				return &r.current.Record, nil
			}
			continue
		}
		if len(r.page) == 0 {
			return nil, r.damaged()
		}
		p := r.page[0]
		r.page = r.page[1:]
		if r.head != nil && r.head.Key == p.key {
			r.head = r.base.next()
		}
		if p.gone || r.floors.ends(p.kind, p.seq) {
			continue
		}
		return r.fetch(p)
	}
}

// damaged returns an error if the base is.
func (r *stateReader) damaged() error {
	if r.base.broken {
		return r.floors.settle(unknown{damaged, r.log.head.seq}).err()
	}
	return nil
}

// fetch reads an entry of a segment.
func (r *stateReader) fetch(p located) (*Record, error) {
	r.frame = slices.Grow(r.frame[:0], p.length)[:p.length]
	if _, err := r.log.list[p.segment].ReadAt(r.frame, p.offset); err != nil {
		return nil, err
	}
	if !r.current.parseFrame(r.frame) {
		return nil, unknown{why: damaged}.err()
	}
	return &r.current.Record, nil
}
