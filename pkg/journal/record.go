package journal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"
)

// Record is one entry of the journal.
type Record struct {
	Time time.Time
	Kind uint16 // one bit; 0: it belongs to all kinds, as a gap does
	// Key identifies the thing that the record is about, in at most 255 octets. The last
	// record of a key says what the thing is like. Empty: the record is not part of the state.
	Key  string
	Gone bool // the thing does not exist any more
	// Taken marks a record of the present state, for example after a gap. Nothing changed
	// at its time.
	Taken bool
	// Damaged stands for records that can't be read. Only readers get it.
	Damaged bool
	Data    []byte // at most [MostData] octets
}

// MostData bounds Data of a Record, in octets.
const MostData = 8 << 10

const mostKey = 255

// ErrNotKept is the error for the state at a time for which the journal does not have
// all of it. The errors that wrap it say why, for people.
var ErrNotKept = errors.New("the state at that time is not known")

// A frame is a record in a file: the length of what follows the checksum, the checksum
// (CRC-32C), flags, kind, time, sequence number, length of the key, key, data. Numbers are
// little-endian.
const (
	frameHead = 8
	fixedPart = 1 + 2 + 8 + 8 + 1
	mostFrame = frameHead + fixedPart + mostKey + MostData
)

// Flags of a frame.
const (
	flagGone   = 1 << iota
	flagTaken  // of a Record
	flagSweep  // the data is a sequence number: what is older ends
	flagGiveUp // the state is too large to be recorded
)

var checksum = crc32.MakeTable(crc32.Castagnoli)

// entry is a record with its place in the order of its log.
type entry struct {
	Record
	seq   uint64
	flags uint8
}

// appendFrame appends e to buf. It cuts what is too long.
func appendFrame(buf []byte, e *entry) []byte {
	key, data := e.Key[:min(len(e.Key), mostKey)], e.Data[:min(len(e.Data), MostData)]
	at := len(buf)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(fixedPart+len(key)+len(data)))
	buf = append(buf, 0, 0, 0, 0, e.flags)
	buf = binary.LittleEndian.AppendUint16(buf, e.Kind)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(nanoseconds(e.Time)))
	buf = binary.LittleEndian.AppendUint64(buf, e.seq)
	buf = append(buf, byte(len(key)))
	buf = append(buf, key...)
	buf = append(buf, data...)
	binary.LittleEndian.PutUint32(buf[at+4:], crc32.Checksum(buf[at+frameHead:], checksum))
	return buf
}

// nanoseconds returns the time since 1970. What 64 bits can't express, before 1678 and after
// 2262, becomes the earliest or the latest time.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// frameLength returns the length of the frame that begins with head; 0: that is no head
// of a frame.
func frameLength(head []byte) int {
	n := binary.LittleEndian.Uint32(head)
	if n < fixedPart || n > mostFrame-frameHead {
		return 0
	}
	return frameHead + int(n)
}

// parseFrame reads a whole frame into e, which refers to its octets. It reports false if
// the frame is damaged.
func (e *entry) parseFrame(frame []byte) bool {
	body := frame[frameHead:]
	if crc32.Checksum(body, checksum) != binary.LittleEndian.Uint32(frame[4:]) {
		return false
	}
	key := int(body[fixedPart-1])
	if len(body) < fixedPart+key {
		return false
	}
	e.flags = body[0]
	e.Record = Record{
		Kind: binary.LittleEndian.Uint16(body[1:]), Time: time.Unix(0, int64(binary.LittleEndian.Uint64(body[3:]))),
		Gone: e.flags&flagGone != 0, Taken: e.flags&flagTaken != 0,
		Key: string(body[fixedPart : fixedPart+key]), Data: body[fixedPart+key:],
	}
	e.seq = binary.LittleEndian.Uint64(body[11:])
	return true
}

// marks reports whether the entry is a note of the log itself rather than a record.
func (e *entry) marks() bool { return e.flags&(flagSweep|flagGiveUp) != 0 }
