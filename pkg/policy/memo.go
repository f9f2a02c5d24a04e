package policy

import (
	"hash/maphash"

	"github.com/nvad/nvad/pkg/route"
)

// maxSlots bounds what a memo keeps alive: as many attribute sets, and what
// they were changed to.
const maxSlots = 1024

// maxOctets bounds it where the sets are large, which neighbors choose. It is room
// for some thousand of usual size.
const maxOctets = 1 << 20

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
	octets int    // of the sets that slots hold, and of what they were changed to
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
	octets int
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
	m.last, m.octets = &m.slots[0], 0
}

// forget drops all sets, and the table that they filled.
func (m *memo) forget() {
	if m.octets > 0 {
		m.resize(2 * ways)
	}
}

// of returns the slot of a, emptied if it was another's.
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

// derive keeps what a change made of the set of s.
func (m *memo) derive(s *slot, change int, to *route.Attrs) {
	s.derived = append(s.derived, derived{change, to, to.Measure()})
	m.octets += s.derived[len(s.derived)-1].octets
}

// octets is what is counted of s.
func (s *slot) octets() int {
	n := s.attrs.Octets()
	for _, d := range s.derived {
		n += d.octets
	}
	return n
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
