package policy

import (
	"hash/maphash"

	"github.com/nvad/nvad/pkg/route"
)

// maxSlots bounds how many attribute sets a memo keeps alive, each with the sets
// derived from it.
const maxSlots = 1024

// maxOctets bounds their memory, as neighbors choose how large a set is. It is
// enough for a few thousand sets of the usual size.
const maxOctets = 1 << 20

// ways is the number of slots for sets with the same hash.
const ways = 4

// memo remembers the verdicts of a Program's lists about an attribute set, and the
// sets that its clauses changed it to. The routes of one UPDATE share their set, and
// most routes of a session have one of a few sets, so that the lists are asked once
// for each set rather than for each route. The table grows until it has maxSlots;
// then sets with the same hash replace each other.
type memo struct {
	seed   maphash.Seed
	lists  int // verdicts in each slot
	slots  []slot
	last   *slot
	victim uint64 // the way to replace next
	octets int    // memory of the sets in the slots and of those derived from them
}

// slot holds the results for one attribute set.
type slot struct {
	attrs    *route.Attrs
	verdicts []verdict
	derived  []derived
}

// derived is the result of the change with this number.
type derived struct {
	change int
	attrs  *route.Attrs
	octets int
}

func newMemo(lists int) memo {
	m := memo{seed: maphash.MakeSeed(), lists: lists}
	m.resize(2 * ways)
	return m
}

// resize empties the memo and gives it n slots.
func (m *memo) resize(n int) {
	m.slots = make([]slot, n)
	verdicts := make([]verdict, n*m.lists)
	for i := range m.slots {
		m.slots[i].verdicts = verdicts[i*m.lists : (i+1)*m.lists]
	}
	m.last, m.octets = &m.slots[0], 0
}

// forget drops all sets and shrinks the table.
func (m *memo) forget() {
	if m.octets > 0 {
		m.resize(2 * ways)
	}
}

// of returns the slot of a; it is empty if a was not in the memo.
func (m *memo) of(a *route.Attrs) *slot {
	if m.last.attrs != a {
		m.last = m.find(a)
	}
	return m.last
}

func (m *memo) find(a *route.Attrs) *slot {
	if m.octets > maxOctets {
		m.forget()
	}
	for {
		set := m.set(a)
		for i := range set {
			s := &set[i]
			if s.attrs == nil {
				s.attrs = a
				m.octets += a.Octets()
			}
			if s.attrs == a {
				return s
			}
		}
		if len(m.slots) == maxSlots {
			m.victim++
			s := &set[m.victim%ways]
			m.octets += a.Octets() - s.octets()
			return s.reset(a)
		}
		m.resize(2 * len(m.slots))
	}
}

// derive remembers that a change turns the set of s into to.
func (m *memo) derive(s *slot, change int, to *route.Attrs) {
	s.derived = append(s.derived, derived{change, to, to.Measure()})
	m.octets += s.derived[len(s.derived)-1].octets
}

// octets returns the memory that m.octets counts for s.
func (s *slot) octets() int {
	n := s.attrs.Octets()
	for _, d := range s.derived {
		n += d.octets
	}
	return n
}

// set returns the slots in which a may be.
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
