package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"sync/atomic"
)

// version is the format of the files. An nvad that does not know the version of a file
// leaves it as it is, under another name.
const version = 1

// A header begins each file: magic, version, what kind of file it is, and what it has.
const (
	magic      = "nvadlog"
	headerSize = 56
)

// Kinds of file.
const (
	isSegment = 'S'
	isBase    = 'B'
)

// why the state of a log is not known.
type reason uint8

const (
	known    reason = iota
	damaged         // records are missing
	tooLarge        // it does not fit into its share of the budget
)

// header describes a file.
type header struct {
	file   byte   // isSegment or isBase
	number uint64 // of a segment; the last one that a base contains
	seq    uint64 // of the first record of a segment; of the record after the last one of a base
	upto   int64  // of a base: time of its last record, in nanoseconds
	unknown
}

// unknown says why the state of a log is not known. A sweep of everything before since, or
// of more, makes it known again.
type unknown struct {
	why   reason
	since uint64 // sequence number
}

func (h *header) encode() []byte {
	b := append(make([]byte, 0, headerSize), magic...)
	b = append(b, version, h.file, byte(h.why), 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, h.number)
	b = binary.LittleEndian.AppendUint64(b, h.seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.upto))
	b = binary.LittleEndian.AppendUint64(b, h.since)
	b = append(b, 0, 0, 0, 0)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, checksum))
}

// versionError is the error of a file that another version of nvad wrote.
type versionError uint8

func (v versionError) Error() string {
	return fmt.Sprintf("has format %d, and this nvad knows format %d", uint8(v), version)
}

var errHeader = fmt.Errorf("has no valid header")

// readHeader reads the header of f.
func readHeader(f *os.File, file byte) (h header, err error) {
	b := make([]byte, headerSize)
	if _, err := f.ReadAt(b, 0); err != nil || string(b[:len(magic)]) != magic {
		return h, errHeader
	}
	if v := b[len(magic)]; v != version {
		return h, versionError(v)
	}
	sum := binary.LittleEndian.Uint32(b[headerSize-4:])
	if b[8] != file || crc32.Checksum(b[:headerSize-4], checksum) != sum {
		return h, errHeader
	}
	return header{
		file: b[8], number: binary.LittleEndian.Uint64(b[16:]), seq: binary.LittleEndian.Uint64(b[24:]),
		upto: int64(binary.LittleEndian.Uint64(b[32:])), unknown: unknown{reason(b[9]), binary.LittleEndian.Uint64(b[40:])},
	}, nil
}

// file is an open file that its log and readers share. The last one closes it.
type file struct {
	*os.File
	path string
	uses atomic.Int32
}

func share(f *os.File) *file {
	out := &file{File: f, path: f.Name()}
	out.uses.Store(1)
	return out
}

// reader returns f to read from. A file that does not exist is empty.
func (f *file) reader() io.ReaderAt {
	if f == nil {
		return strings.NewReader("")
	}
	return f
}

func (f *file) hold() *file { f.uses.Add(1); return f }

func (f *file) release() error {
	if f == nil || f.uses.Add(-1) > 0 {
		return nil
	}
	return f.Close()
}
