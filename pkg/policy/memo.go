package policy

import (
	"hash/maphash"

	"github.com/nvad/nvad/pkg/route"
)

// maxSlots bounds what a memo keeps alive: as many attribute sets, and what
// they were changed to.
const maxSlots = 1024

// ways is how many sets that hash alike are remembered beside each other.
const ways = 4

// memo remembers what the lists of a Program said of an attribute set and what
// its clauses made of it. Routes of one UPDATE share their set, and the same
// few sets come back for most routes of a session, so lists are asked once for
// each set rather than for each route. The table grows until it has maxSlots;
// then sets that hash alike replace each other.
type memo struct {
	seed   maphash.Seed
	lists  int // verdicts a slot holds
	slots  []slot
	last   *slot
	victim uint64 // which way is replaced next
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
	m.resize(2 * ways)
	return m
}

// resize forgets everything.
func (m *memo) resize(n int) {
	m.slots = make([]slot, n)
	verdicts := make([]verdict, n*m.lists)
	for i := range m.slots {
		m.slots[i].verdicts = verdicts[i*m.lists : (i+1)*m.lists]
	}
	m.last = &m.slots[0]
}

// of returns the slot of a, emptied if it was another's.
func (m *memo) of(a *route.Attrs) *slot {
	if m.last.attrs != a {
		m.last = m.find(a)
	}
	return m.last
}

func (m *memo) find(a *route.Attrs) *slot {
	for {
		set := m.set(a)
		for i := range set {
			if s := &set[i]; s.attrs == a || s.attrs == nil {
				s.attrs = a
				return s
			}
		}
		if len(m.slots) == maxSlots {
			m.victim++
			return set[m.victim%ways].reset(a)
		}
		m.resize(2 * len(m.slots))
	}
}

// set returns the slots that a may be in.
func (m *memo) set(a *route.Attrs) []slot {
	h := maphash.Comparable(m.seed, a) & uint64(len(m.slots)/ways-1) * ways
	return m.slots[h : h+ways]
}

// reset empties the slot for a.
func (s *slot) reset(a *route.Attrs) *slot {
	s.attrs = a
	clear(s.verdicts)
	clear(s.derived)
	s.derived = s.derived[:0]
	return s
}
