package journal

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"slices"
)

// scanner reads the entries of one file in order.
type scanner struct {
	in      *bufio.Reader
	frame   []byte
	offset  int64 // of the next frame
	broken  bool  // the file is damaged at offset
	length  int   // of the current entry's frame
	current entry
}

// newScanner reads the first size octets of f.
func newScanner(f io.ReaderAt, size int64) *scanner {
	const buffer = 64 << 10
	s := &scanner{offset: headerSize, frame: make([]byte, mostFrame)}
	s.in = bufio.NewReaderSize(io.NewSectionReader(f, headerSize, max(0, size-headerSize)), buffer)
	return s
}

// next returns the next entry, which is valid until the next call; nil at the end, and
// where the file is damaged.
func (s *scanner) next() *entry {
	if s.broken {
		return nil
	}
	head, err := s.in.Peek(frameHead)
	if len(head) == 0 && err == io.EOF {
		return nil
	}
	n := 0
	if err == nil {
		n = frameLength(head)
	}
	if n > 0 {
		_, err = io.ReadFull(s.in, s.frame[:n])
	}
	if n == 0 || err != nil || !s.current.parseFrame(s.frame[:n]) {
		s.broken = true
		return nil
	}
	s.length, s.offset = n, s.offset+int64(n)
	return &s.current
}

// segment is a file of entries in the order in which they were written.
type segment struct {
	*file
	header
	size        int64  // octets that are valid, with the header
	last        uint64 // sequence number of its last entry; 0: it has none
	first, stop int64  // earliest and latest time, in nanoseconds
	broken      bool   // what follows size is damaged
	marks       []entry
}

// took adds e to what is known of the segment: its times, its last entry and its marks.
func (s *segment) took(e *entry) {
	if s.last = e.seq; e.marks() {
		mark := *e
		mark.Data = slices.Clone(e.Data)
		s.marks = append(s.marks, mark)
	}
	n := nanoseconds(e.Time)
	if s.first == 0 && s.stop == 0 {
		s.first, s.stop = math.MaxInt64, math.MinInt64
	}
	s.first, s.stop = min(s.first, n), max(s.stop, n)
}

// examine reads the whole segment to learn what it has.
func (s *segment) examine(size int64) {
	in := newScanner(s, size)
	for e := in.next(); e != nil; e = in.next() {
		s.took(e)
	}
	s.size, s.broken = in.offset, in.broken
}

// floors hold how far sweeps reach: they end the entries of a kind before a sequence number.
type floors struct {
	kinds [16]uint64
	all   uint64 // before which entries of all kinds end
}

// take reads the mark e, which may end what makes the state unknown, or make it so.
func (f *floors) take(e *entry, u *unknown) {
	switch {
	case e.flags&flagGiveUp != 0:
		*u = unknown{tooLarge, e.seq + 1}
	case e.flags&flagSweep != 0 && len(e.Data) == 8:
		f.sweep(e)
	}
}

func (f *floors) sweep(e *entry) {
	before := binary.LittleEndian.Uint64(e.Data)
	if e.Kind == math.MaxUint16 {
		f.all = max(f.all, before)
	}
	for i := range f.kinds {
		if e.Kind>>i&1 != 0 {
			f.kinds[i] = max(f.kinds[i], before)
		}
	}
}

// settle returns u, unless everything was recorded anew since.
func (f *floors) settle(u unknown) unknown {
	if u.since <= f.all {
		return unknown{}
	}
	return u
}

// ends reports whether a sweep ended the thing that an entry is about.
func (f *floors) ends(kind uint16, seq uint64) bool {
	for i, before := range f.kinds {
		if kind>>i&1 != 0 && seq < before {
			return true
		}
	}
	return false
}
