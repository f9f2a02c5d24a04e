// Package journal keeps what happened in a bounded directory, so that an operator can ask
// tomorrow what the state was at 03:12.
//
// It stores records of octets under keys, and knows nothing of what they mean. The last
// record of a key says what a thing is like, so the state at any time is the last record
// of each key before it. When the oldest segment of a log has to go, its last records are
// merged into the log's base, so that the state stays known for as long as events are kept
// (ADR 0025).
//
// It promises that the directory never takes more than its size, that what was synced
// survives a crash and a power failure, and that damage costs no more than the rest of one
// segment, which readers are told. Rare records have a log of their own, so that no flood
// of frequent ones washes them out. Readers do not block writers, and hold bounded memory.
//
// Each [Log] has one writer, which owns its files; any number of goroutines may read. The
// package reads no clock and starts no goroutine. The writer decides
// when to write again after an error.
package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// rareShare is the part of the size that rare records have.
const rareShare = 8

// Journal is two logs in one directory.
type Journal struct {
	Rare     *Log
	Frequent *Log
	frequent uint16 // kinds of Frequent
}

// Open opens the journal in dir, which it makes if it is missing, with a size in octets.
// Records of the kinds frequent go into the log Frequent, all others into Rare. The notes
// list, for people, the files that were damaged or set aside.
func Open(dir string, size int64, frequent uint16) (j *Journal, notes []string, err error) {
	if err := private(dir); err != nil {
		return nil, nil, err
	}
	j = &Journal{frequent: frequent}
	var more []string
	if j.Rare, notes, err = openLog(dir, "rare", size/rareShare); err != nil {
		return nil, notes, err
	}
	if j.Frequent, more, err = openLog(dir, "frequent", size-size/rareShare); err != nil {
		j.Rare.Close()
		return nil, notes, err
	}
	return j, append(notes, more...), nil
}

// private makes dir, or checks that only root and this process can change it.
func private(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case info.Mode().Type() != fs.ModeDir:
		return fmt.Errorf("%s is a link or a file, not a directory; remove it", dir)
	case !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s can be changed by other users; remove it, or run: chmod go-w %s", dir, dir)
	}
	return nil
}

// Resize changes the size, in octets. A smaller one takes effect at the next records.
func (j *Journal) Resize(size int64) {
	j.Rare.resize(size / rareShare)
	j.Frequent.resize(size - size/rareShare)
}

// Octets returns how much the journal takes on disk.
func (j *Journal) Octets() int64 { return j.Rare.octets.Load() + j.Frequent.octets.Load() }

// Close closes the files. Readers may go on.
func (j *Journal) Close() error { return errors.Join(j.Rare.Close(), j.Frequent.Close()) }
