package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/renameio/v2"
)

const (
	indexName              = "index.json"
	textSuffix             = ".toml"
	private    fs.FileMode = 0o600 // texts may hold passwords
)

// History is a [Record] and the texts of its entries in a directory. Its methods
// are safe for concurrent use.
type History struct {
	dir     string
	writing sync.Mutex // held while the directory changes
	mu      sync.Mutex // guards the rest
	record  Record
	unsaved map[int][]byte // texts that the directory lacks, by version
	behind  error          // why the directory does not hold record; nil: it does
}

// Open reads the history of the configuration file in dir. A directory that is
// missing is an empty history; one of another file is begun anew. With an error
// the history is empty, and usable, but for a directory that somebody else can
// change: nothing is read from it or kept in it. Where only the index is damaged, the
// history has the texts that are there, as if each had been started with.
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

// rebuilt is a record of the texts in the directory.
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

// stored are the versions whose texts are in the directory, in order.
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

// Record is the history as it is now.
func (h *History) Record() Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.record
}

// Path is the file with the text of a version.
func (h *History) Path(version int) string {
	return filepath.Join(h.dir, strconv.Itoa(version)+textSuffix)
}

// Text is the text of a version. One that is not what was stored is an error.
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
		err = fmt.Errorf("%s is damaged: it is not what was stored", h.Path(version))
	}
	return text, err
}

// Commit makes r the history. Text is that of its running version, nil if that
// one is stored already. An error leaves the history as it was.
func (h *History) Commit(r Record, text []byte) error { return h.store(r, text, true) }

// Note is Commit for what happens whether it can be written or not: with an error,
// r is the history nevertheless, but will not outlive this process unless a later
// write, of Sync for one, succeeds.
func (h *History) Note(r Record, text []byte) error { return h.store(r, text, false) }

// Behind is why the directory does not hold the history as it is; nil: it does.
func (h *History) Behind() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.behind
}

// Sync writes what could not be written before. It does nothing if there is nothing.
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
		r = r.summed(Sum(text))
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

// write stores the texts before the index names them.
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

// Prune removes texts that no entry of the record has: until then, a record
// that was replaced can be committed again. What can't be removed is tried again
// the next time; while the directory is behind, nothing is removed: its index may
// name what the record does not.
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
