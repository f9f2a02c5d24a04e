package journal

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Parts of a log's budget.
const (
	segments   = 8 // a segment has this part of it
	baseParts  = 2 // a base has at most so many of the parts
	mostOctets = 8 << 20
)

// Log is one sequence of records with a budget of its own. Only one goroutine may call its
// methods.
type Log struct {
	dir, name string
	budget    atomic.Int64
	octets    atomic.Int64 // on disk
	next      uint64       // sequence number of the next entry
	unsynced  bool
	missing   uint64 // number of the last segment that was found, also if it is set aside

	mu       sync.Mutex // guards what readers take; only the writer changes it
	base     *file      // nil: there is none
	head     header     // of base
	baseSize int64
	list     []*segment // the last one is written to unless sealed
	// sealed says that the next entry begins a new segment.
	sealed bool
}

func (l *Log) resize(budget int64) { l.budget.Store(budget) }

// segmentSize returns the size that a segment should have.
func (l *Log) segmentSize() int64 { return min(l.budget.Load()/segments, mostOctets) }

// Append writes records, and returns how many are in the log afterwards. The rest were not
// written, because of the error.
func (l *Log) Append(records []Record) (written int, err error) {
	entries := make([]entry, len(records))
	for i, r := range records {
		entries[i].Record = r
		if r.Gone {
			entries[i].flags |= flagGone
		}
		if r.Taken {
			entries[i].flags |= flagTaken
		}
	}
	return l.append(entries)
}

// Next returns the sequence number of the next record, for [Log.Sweep].
func (l *Log) Next() uint64 { return l.next }

// Sweep ends all things of kinds whose last record has a sequence number below before. A
// sweep of all kinds makes the state known again, whatever was lost earlier.
func (l *Log) Sweep(at time.Time, kinds uint16, before uint64) error {
	data := binary.LittleEndian.AppendUint64(nil, before)
	_, err := l.append([]entry{{Record: Record{Time: at, Kind: kinds, Data: data}, flags: flagSweep}})
	return err
}

// GiveUp records that the state is too large for this log. The state is then unknown until
// the next sweep of everything.
func (l *Log) GiveUp(at time.Time) error {
	_, err := l.append([]entry{{Record: Record{Time: at}, flags: flagGiveUp}})
	return err
}

// StateRoom returns how many octets a state may take in the log.
func (l *Log) StateRoom() int64 { return l.budget.Load() / segments * baseParts }

// append writes entries in as few writes as the segments allow.
func (l *Log) append(entries []entry) (written int, err error) {
	for len(entries) > 0 {
		var buf []byte
		n := 0
		for room := l.room(); n < len(entries) && (n == 0 || int64(len(buf)+mostFrame) <= room); n++ {
			entries[n].seq = l.next + uint64(n)
			buf = appendFrame(buf, &entries[n])
		}
		if err := l.write(buf, entries[:n]); err != nil {
			return written, err
		}
		written += n
		entries = entries[n:]
	}
	return written, nil
}

// room returns how many octets fit into the present segment.
func (l *Log) room() int64 {
	room := l.segmentSize() - headerSize
	if s := l.writing(); s != nil && s.size+mostFrame <= l.segmentSize() {
		room = l.segmentSize() - s.size
	}
	return room
}

// writing returns the segment that is written to; nil if there is none.
func (l *Log) writing() *segment {
	if l.sealed || len(l.list) == 0 {
		return nil
	}
	return l.list[len(l.list)-1]
}

// write appends the frames of entries to the present segment, or to a new one if they do
// not fit. After an error the log is as before.
func (l *Log) write(frames []byte, entries []entry) error {
	s := l.writing()
	if s != nil && s.size+int64(len(frames)) > l.segmentSize() && s.size > headerSize {
		if err := l.Sync(); err != nil {
			return err
		}
		l.sealed = true
		s = nil
	}
	if err := l.retire(int64(len(frames))); err != nil {
		return err
	}
	if s == nil {
		var err error
		if s, err = l.begin(); err != nil {
			return err
		}
	}
	if _, err := s.WriteAt(frames, s.size); err != nil {
		_ = s.Truncate(s.size)
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.size += int64(len(frames))
	for i := range entries {
		s.took(&entries[i])
	}
	l.next = s.last + 1
	l.unsynced = true
	l.count()
	return nil
}

// begin creates the next segment.
func (l *Log) begin() (*segment, error) {
	s := &segment{header: header{file: isSegment, number: max(l.lastNumber(), l.missing) + 1, seq: l.next}, size: headerSize}
	f, err := os.OpenFile(l.path(s.number), os.O_RDWR|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(s.encode(), 0); err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return nil, err
	}
	s.file = share(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list, l.sealed = append(l.list, s), false
	l.count()
	return s, nil
}

func (l *Log) lastNumber() uint64 {
	if n := len(l.list); n > 0 {
		return l.list[n-1].number
	}
	return l.head.number
}

func (l *Log) path(number uint64) string {
	return filepath.Join(l.dir, fmt.Sprintf("%s-%012d.seg", l.name, number))
}

func (l *Log) basePath() string { return filepath.Join(l.dir, l.name+".base") }

// count adds up what the log takes on disk.
func (l *Log) count() {
	total := l.baseSize
	for _, s := range l.list {
		total += s.size
	}
	l.octets.Store(total)
}

// Sync returns once everything that was written would survive a power failure.
func (l *Log) Sync() error {
	s := l.writing()
	if !l.unsynced || s == nil {
		return nil
	}
	if err := s.Sync(); err != nil {
		return err
	}
	if err := syncDirectory(l.dir); err != nil {
		return err
	}
	l.unsynced = false
	return nil
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Close closes the files, which readers may still read.
func (l *Log) Close() error {
	err := l.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.list {
		_ = s.release()
	}
	_ = l.base.release()
	l.list, l.base, l.sealed = nil, nil, true
	return err
}
