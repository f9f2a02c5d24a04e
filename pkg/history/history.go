// Package history keeps the last configurations of nvad in a directory, so that a
// change can be rolled back: the text of each, when it was activated, what caused it,
// and what became of it. It also remembers a configuration that waits for
// confirmation, so that no crash or restart makes it permanent by mistake.
//
// It promises that what [History.Commit] stored without an error survives a crash as a
// whole, and that a text is kept exactly as it was read, comments and passwords
// included, readable only by the owner of the directory. The transitions of a [Record]
// are pure; the package reads no clock.
//
// It owns the directory. It does not parse or activate configurations, and never
// touches the configuration file.
package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/google/renameio/v2"
)

const (
	indexName              = "index.json"
	textSuffix             = ".toml"
	private    fs.FileMode = 0o600 // texts may contain passwords
)

// History is a [Record] and the texts of its entries, in a directory. Its methods are safe
// for concurrent use.
type History struct {
	dir     string
	writing sync.Mutex // locked while the directory changes
	mu      sync.Mutex // guards the rest
	record  Record
	unsaved map[int][]byte // texts that could not be written to the directory, by version
	behind  error          // why the directory does not match record; nil: it does
}

// Open reads the history of the configuration file from dir. If dir is missing, or
// belongs to another configuration file, the history is empty. If only the index is
// damaged, the history has the texts that exist, as if nvad had started with each.
//
// With an error, the history is usable nevertheless. But if somebody else can change
// the directory, nothing is ever read from it or stored in it.
func Open(dir, file string) (*History, error) {
	h := &History{dir: dir, record: Record{File: file}}
	data, err := h.read(indexName)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	var found Record
	if err == nil {
		if err = json.Unmarshal(data, &found); err != nil {
			h.record = h.rebuilt(file)
		}
	}
	if err != nil {
		return h, fmt.Errorf("history in %s: %w", dir, err)
	}
	if found.File == file {
		h.record = found
	}
	return h, nil
}

// rebuilt returns a record of the texts in the directory.
func (h *History) rebuilt(file string) Record {
	r := Record{File: file}
	for _, version := range h.stored() {
		if info, err := os.Lstat(h.Path(version)); err == nil {
			r.Entries = append(r.Entries, Entry{Version: version, Time: info.ModTime(), Cause: Start, Result: Applied})
			r.Running = version
		}
	}
	r.Entries = r.Entries[max(0, len(r.Entries)-Kept):]
	return r
}

// stored returns the versions whose texts are in the directory, in order.
func (h *History) stored() []int {
	var out []int
	names, _ := filepath.Glob(filepath.Join(h.dir, "*"+textSuffix))
	for _, path := range names {
		version, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), textSuffix))
		if err == nil && version > 0 {
			out = append(out, version)
		}
	}
	slices.Sort(out)
	return out
}

// Record returns the current record.
func (h *History) Record() Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.record
}

// Path returns the path of a version's text.
func (h *History) Path(version int) string {
	return filepath.Join(h.dir, strconv.Itoa(version)+textSuffix)
}

// Text returns the text of a version. If the file was changed since it was stored, that is
// an error.
func (h *History) Text(version int) ([]byte, error) {
	h.mu.Lock()
	text, ok := h.unsaved[version]
	e, _ := h.record.Find(version)
	h.mu.Unlock()
	if ok {
		return text, nil
	}
	text, err := h.read(filepath.Base(h.Path(version)))
	if err == nil && e.Sum != "" && e.Sum != Sum(text) {
		err = fmt.Errorf("%s is damaged: it is not the text that nvad stored", h.Path(version))
	}
	return text, err
}

// Commit makes r the record. text is the text of the running version, or nil if that is
// stored already. With an error, the history stays as it was.
func (h *History) Commit(r Record, text []byte) error { return h.store(r, text, true) }

// Note is like Commit, but for an event that happened in any case: even with an error, r
// is the record from then on. It is lost when the process ends, unless a later write
// succeeds; see [History.Sync].
func (h *History) Note(r Record, text []byte) error { return h.store(r, text, false) }

// Behind returns why the directory does not match the record; nil if it does.
func (h *History) Behind() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.behind
}

// Sync writes what could not be written before, if there is anything.
func (h *History) Sync() error {
	if h.Behind() == nil {
		return nil
	}
	return h.store(h.Record(), nil, false)
}

func (h *History) store(r Record, text []byte, must bool) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.Lock()
	texts := maps.Clone(h.unsaved)
	h.mu.Unlock()
	if text != nil {
		r = r.edited(func(e *Entry) { e.Sum = Sum(text) })
		if texts == nil {
			texts = map[int][]byte{}
		}
		texts[r.Running] = text
	}
	maps.DeleteFunc(texts, func(version int, _ []byte) bool { _, kept := r.Find(version); return !kept })
	err := h.write(r, texts)
	if err != nil {
		err = fmt.Errorf("history: %w", err)
	}
	if err != nil && must {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.record, h.unsaved, h.behind = r, texts, err
	if err == nil {
		h.unsaved = nil
	}
	return err
}

// write stores the texts first, so that the index never refers to a missing text.
func (h *History) write(r Record, texts map[int][]byte) error {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return err
	}
	if err := own(h.dir, fs.ModeDir); err != nil {
		return err
	}
	for version, text := range texts {
		if err := renameio.WriteFile(h.Path(version), text, private, renameio.WithStaticPermissions(private)); err != nil {
			return err
		}
	}
	index, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(h.dir, indexName), append(index, '\n'), private, renameio.WithStaticPermissions(private))
}

// Prune removes the texts that belong to no entry of the record. Until then, a record
// that was replaced can be committed again. A text that can't be removed is left for the
// next time. While the directory is behind, nothing is removed, since its index may refer
// to texts that the record no longer has.
func (h *History) Prune() {
	r := h.Record()
	if h.Behind() != nil {
		return
	}
	for _, version := range h.stored() {
		if _, kept := r.Find(version); !kept {
			_ = os.Remove(h.Path(version))
		}
	}
}

// mostBytes bounds a file of the history, at twice the largest configuration.
const mostBytes = 16 << 20

// read returns a file of the history if nobody else can have written it, since nvad
// will run it. If, for example, the directory is in /tmp, anyone could have created it
// first.
func (h *History) read(name string) ([]byte, error) {
	if err := own(h.dir, fs.ModeDir); err != nil {
		return nil, err
	}
	path := filepath.Join(h.dir, name)
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := judge(path, info, 0); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err == nil && len(data) > mostBytes {
		err = fmt.Errorf("%s is larger than %d MiB, so nvad did not write it", path, mostBytes>>20)
	}
	return data, err
}

// own returns an error unless path has the type kind and only root and the user of this
// process can change it.
func own(path string, kind fs.FileMode) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return judge(path, info, kind)
}

func judge(path string, info fs.FileInfo, kind fs.FileMode) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case info.Mode().Type() != kind:
		return fmt.Errorf("%s is a link or another kind of file than nvad creates; remove it", path)
	case !ok:
		return fmt.Errorf("the owner of %s is unknown", path)
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user (uid %d), whose configurations nvad does not run", path, st.Uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s can be changed by other users (mode %04o), whose configurations nvad does not run", path, info.Mode().Perm())
	}
	return nil
}
