package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	dir    string
	mu     sync.Mutex // guards record
	record Record
}

// Open reads the history of the configuration file in dir. A directory that is
// missing is an empty history; one of another file is begun anew. With an error
// the history is empty, and usable, but for a directory that somebody else can
// change: nothing is read from it or kept in it.
func Open(dir, file string) (*History, error) {
	h := &History{dir: dir, record: Record{File: file}}
	data, err := h.read(indexName)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	var found Record
	if err == nil {
		err = json.Unmarshal(data, &found)
	}
	if err != nil {
		return h, fmt.Errorf("history in %s: %w", dir, err)
	}
	if found.File == file {
		h.record = found
	}
	return h, nil
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

// Text is the text of a version.
func (h *History) Text(version int) ([]byte, error) {
	return h.read(filepath.Base(h.Path(version)))
}

// Commit makes r the history. Text is that of its running version, nil if that
// one is stored already. An error leaves the history as it was.
func (h *History) Commit(r Record, text []byte) error {
	if err := h.write(r, text); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	h.mu.Lock()
	h.record = r
	h.mu.Unlock()
	return nil
}

// write stores the text before the index names it.
func (h *History) write(r Record, text []byte) error {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return err
	}
	if err := own(h.dir, fs.ModeDir); err != nil {
		return err
	}
	if text != nil {
		if err := renameio.WriteFile(h.Path(r.Running), text, private, renameio.WithStaticPermissions(private)); err != nil {
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
// the next time.
func (h *History) Prune() {
	r := h.Record()
	names, _ := filepath.Glob(filepath.Join(h.dir, "*"+textSuffix))
	for _, path := range names {
		version, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), textSuffix))
		if _, kept := r.Find(version); err == nil && !kept {
			_ = os.Remove(path)
		}
	}
}
