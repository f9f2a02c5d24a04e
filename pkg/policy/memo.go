package policy

import (
	"hash/maphash"

	"github.com/nvad/nvad/pkg/route"
)

// maxSlots bounds what a memo keeps alive: as many attribute sets, and what
// they were changed to.
const maxSlots = 1024

// memo remembers what the lists of a Program said of an attribute set and what
// its clauses made of it. Routes of one UPDATE share their set, and the same
// few sets come back for most routes of a session, so lists are asked once for
// each set rather than for each route. Sets that hash to one slot replace each
// other; the table grows until it has maxSlots.
type memo struct {
	seed     maphash.Seed
	lists    int // verdicts a slot holds
	slots    []slot
	verdicts []verdict // of all slots
	last     *slot
}

// slot is what is known of one attribute set.
type slot struct {
	attrs    *route.Attrs
	verdicts []verdict
	derived  []derived
}

// derived is the result of the clause with that change number.
type derived struct {
	change int
	attrs  *route.Attrs
}

func newMemo(lists int) memo {
	m := memo{seed: maphash.MakeSeed(), lists: lists}
	m.resize(8)
	return m
}

func (m *memo) resize(n int) {
	m.slots = make([]slot, n)
	m.verdicts = make([]verdict, n*m.lists)
	for i := range m.slots {
		m.slots[i].verdicts = m.verdicts[i*m.lists : (i+1)*m.lists]
	}
	m.last = &m.slots[0]
}

// of returns the slot of a, emptied if it was another's.
func (m *memo) of(a *route.Attrs) *slot {
	if m.last.attrs == a {
		return m.last
	}
	s := &m.slots[m.hash(a)]
	if s.attrs != a {
		if s.attrs != nil && len(m.slots) < maxSlots {
			m.resize(2 * len(m.slots))
			s = &m.slots[m.hash(a)]
		}
		s.attrs = a
		clear(s.verdicts)
		clear(s.derived)
		s.derived = s.derived[:0]
	}
	m.last = s
	return s
}

func (m *memo) hash(a *route.Attrs) uint64 {
	return maphash.Comparable(m.seed, a) & uint64(len(m.slots)-1)
}
