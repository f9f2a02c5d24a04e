package journal

import (
	"bufio"
	"cmp"
	"io"
	"os"
	"slices"
	"syscall"
)

// retire merges the oldest segments into the base until the budget has room for more octets,
// and for a new base beside the one that it replaces.
func (l *Log) retire(more int64) error {
	for {
		old := len(l.list)
		if !l.sealed {
			old-- // the last one is written to
		}
		if old < 1 || l.octets.Load()+more+l.baseSize+l.segmentSize() <= l.budget.Load() {
			return nil
		}
		if err := l.merge(l.list[0]); err != nil {
			return err
		}
	}
}

// merge writes a base that contains what the segment did, and removes the segment. A crash
// in between leaves a segment whose number the base has; the next start removes it.
func (l *Log) merge(s *segment) error {
	m := merge{old: l, segment: s, head: l.head}
	m.read()
	f, size, err := m.write(l.basePath())
	if err != nil {
		return err
	}
	before := l.base
	l.mu.Lock()
	l.base, l.head, l.baseSize, l.list = f, m.head, size, slices.Clone(l.list[1:])
	l.count()
	l.mu.Unlock()
	_ = before.release()
	_ = s.release()
	return os.Remove(s.path)
}

// merge collects the entries of a new base from the old one and a segment.
type merge struct {
	old     *Log
	segment *segment
	head    header // of the new base
	floors  floors
	entries []placed // of the segment, by key
	frame   []byte
}

// placed is an entry and its place in a segment.
type placed struct {
	key    string
	offset int64
	length int
	seq    uint64
	kind   uint16
	gone   bool
}

func (s *scanner) placed() placed {
	e := &s.current
	return placed{e.Key, s.offset - int64(s.length), s.length, e.seq, e.Kind, e.Gone}
}

// read finds out what the segment says.
func (m *merge) read() {
	s := m.segment
	if s.number != m.head.number+1 {
		m.head.unknown = unknown{damaged, s.seq}
	}
	in := newScanner(s, s.size)
	for e := in.next(); e != nil; e = in.next() {
		m.head.seq, m.head.upto = e.seq+1, nanoseconds(e.Time)
		switch {
		case e.marks():
			m.floors.take(e, &m.head.unknown)
		case e.Key != "":
			m.entries = append(m.entries, in.placed())
		}
	}
	if s.broken || in.broken {
		m.head.seq = m.old.after(s)
		m.head.unknown = unknown{damaged, m.head.seq}
	}
	m.head.file, m.head.number = isBase, s.number
	// The sort is stable, so that the last entry of a key stays the last.
	slices.SortStableFunc(m.entries, func(a, b placed) int { return cmp.Compare(a.key, b.key) })
}

// after returns the sequence number with which the segment after s begins.
func (l *Log) after(s *segment) uint64 {
	for _, other := range l.list {
		if other.number > s.number {
			return other.seq
		}
	}
	return l.next
}

// write puts the new base in the place of the old one, and returns it and its size.
func (m *merge) write(path string) (out *file, size int64, err error) {
	f, err := os.OpenFile(path+temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, 0, err
	}
	if size, err = m.fill(f); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDirectory(m.old.dir)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return nil, 0, err
	}
	return share(f), size, nil
}

const temporary = ".tmp"

// fill writes the entries that stay, then the header: only at the end it is known whether
// the state fits, and whether the old base was whole.
func (m *merge) fill(f *os.File) (size int64, err error) {
	w := &bounded{w: bufio.NewWriterSize(io.NewOffsetWriter(f, headerSize), 64<<10), room: m.old.StateRoom() - headerSize}
	m.head.unknown = m.floors.settle(m.head.unknown)
	if m.head.why != tooLarge {
		err = m.entriesTo(w)
	}
	if err == nil {
		err = w.w.Flush()
	}
	if err != nil {
		return 0, err
	}
	size = headerSize + w.size
	if w.size > w.room {
		m.head.unknown = unknown{tooLarge, m.head.seq}
	}
	if m.head.why == tooLarge {
		size = headerSize
	}
	if err := f.Truncate(size); err != nil {
		return 0, err
	}
	_, err = f.WriteAt(m.head.encode(), 0)
	return size, err
}

// bounded writes as much as there is room for, and counts the rest.
type bounded struct {
	w          *bufio.Writer
	size, room int64
}

func (b *bounded) add(frame []byte) error {
	if b.size += int64(len(frame)); b.size > b.room {
		return nil
	}
	_, err := b.w.Write(frame)
	return err
}

// entriesTo writes the entries of the old base and of the segment that stay, by key.
func (m *merge) entriesTo(w *bounded) error {
	in := newScanner(m.old.base.reader(), m.old.baseSize)
	base := in.next()
	keep := func() error {
		if m.floors.ends(base.Kind, base.seq) {
			return nil
		}
		return w.add(in.frame[:in.length])
	}
	for i, p := range m.entries {
		if i+1 < len(m.entries) && m.entries[i+1].key == p.key {
			continue
		}
		for ; base != nil && base.Key < p.key; base = in.next() {
			if err := keep(); err != nil {
				return err
			}
		}
		if base != nil && base.Key == p.key {
			base = in.next()
		}
		if err := m.copy(w, p); err != nil {
			return err
		}
	}
	for ; base != nil; base = in.next() {
		if err := keep(); err != nil {
			return err
		}
	}
	if in.broken {
		m.head.unknown = m.floors.settle(unknown{damaged, m.old.head.seq})
	}
	return nil
}

// copy writes an entry of the segment if the thing exists.
func (m *merge) copy(w *bounded, p placed) error {
	if p.gone || m.floors.ends(p.kind, p.seq) {
		return nil
	}
	m.frame = slices.Grow(m.frame[:0], p.length)[:p.length]
	if _, err := m.segment.ReadAt(m.frame, p.offset); err != nil {
		return err
	}
	return w.add(m.frame)
}
