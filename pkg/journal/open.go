package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// skip is how many sequence numbers are left free for entries that can't be read.
const skip = mostOctets

// openLog reads what there is of a log, and repairs it: an entry that was not written whole
// before a crash is cut off.
func openLog(dir, name string, budget int64) (l *Log, notes []string, err error) {
	l = &Log{dir: dir, name: name, next: 1}
	l.budget.Store(budget)
	note := func(path string, err error) { notes = append(notes, fmt.Sprintf("%s: %s", path, err)) }
	_ = os.Remove(l.basePath() + temporary)
	if err := l.openBase(note); err != nil {
		return nil, notes, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, notes, errors.Join(err, l.Close())
	}
	for _, f := range files {
		if err := l.openSegment(filepath.Join(dir, f.Name()), note); err != nil {
			return nil, notes, errors.Join(err, l.Close())
		}
	}
	slices.SortFunc(l.list, func(a, b *segment) int { return cmp.Compare(a.number, b.number) })
	l.settleEnd(note)
	l.count()
	return l, notes, nil
}

func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

// openBase opens the base, if there is one. A damaged base has no entries.
func (l *Log) openBase(note func(string, error)) error {
	f, err := open(l.basePath())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	l.head, err = readHeader(f, isBase)
	if err == nil {
		l.baseSize, err = f.Seek(0, 2)
	}
	if err != nil {
		note(f.Name(), fmt.Errorf("%w; it is set aside", err))
		l.head, l.baseSize = header{file: isBase, unknown: unknown{why: damaged}}, 0
		return errors.Join(f.Close(), l.setAside(f.Name(), err))
	}
	l.base, l.next = share(f), max(l.next, l.head.seq)
	return nil
}

const aside = ".aside"

// setAside renames a file that can't be read. One of another version stays for good, since
// that version can still read it; of damaged ones only the last stays.
func (l *Log) setAside(path string, why error) error {
	var other versionError
	if errors.As(why, &other) {
		return os.Rename(path, path+aside)
	}
	return os.Rename(path, filepath.Join(l.dir, l.name+".damaged"))
}

func (l *Log) openSegment(path string, note func(string, error)) error {
	was := strings.TrimSuffix(path, aside)
	number, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(was), l.name+"-"), ".seg"), 10, 64)
	if err != nil || was != l.path(number) {
		return nil // not a file of this package
	}
	if was != path {
		l.missing = max(l.missing, number)
		return nil
	}
	if l.base != nil && number <= l.head.number {
		return os.Remove(path) // merged before a crash
	}
	f, err := open(path)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, 2)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s := &segment{}
	if s.header, err = readHeader(f, isSegment); err != nil || s.number != number {
		if size >= headerSize {
			err = cmp.Or(err, errHeader)
			note(path, fmt.Errorf("%w; it is set aside", err))
			l.missing = max(l.missing, number)
			return errors.Join(f.Close(), l.setAside(path, err))
		}
		return errors.Join(f.Close(), os.Remove(path)) // a crash before its first entry
	}
	s.file = share(f)
	s.examine(size)
	l.list = append(l.list, s)
	return nil
}

// settleEnd cuts off what was not written whole, and finds the next sequence number. A
// segment in the middle stays damaged: readers are told.
func (l *Log) settleEnd(note func(string, error)) {
	for i, s := range l.list {
		l.next = max(l.next, s.seq, s.last+1)
		switch {
		case !s.broken:
		case i < len(l.list)-1:
			note(s.path, fmt.Errorf("is damaged after %d octets; the events in the rest of it are lost", s.size))
		default:
			note(s.path, fmt.Errorf("ended within a record; it is cut to %d octets", s.size))
			if err := s.Truncate(s.size); err == nil {
				s.broken = false
			} else {
				l.sealed = true
			}
		}
	}
	if l.hole() {
		l.next += skip
		l.sealed = true
	}
	if l.base == nil && l.head.why == damaged {
		l.head.since = l.next
		if len(l.list) > 0 {
			l.head.since, l.head.number = l.list[0].seq, l.list[0].number-1
		}
	}
}

// hole reports whether files are missing, whose sequence numbers are not known.
func (l *Log) hole() bool {
	if l.head.why == damaged && l.base == nil || l.missing > l.lastNumber() {
		return true
	}
	for i, s := range l.list[min(1, len(l.list)):] {
		if s.number != l.list[i].number+1 {
			return true
		}
	}
	return false
}
