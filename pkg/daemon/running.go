package daemon

import (
	"os"
	"sync"

	"github.com/nvad/nvad/pkg/config"
)

// candidate is a valid configuration and the text it was read from.
type candidate struct {
	text []byte
	cfg  *config.Config
}

// load reads the configuration file at path, and the files in which it keeps
// TCP-MD5 keys. The error is that of config.Load, or names key and file; it
// never shows what a file holds.
func load(path string) (candidate, error) {
	text, err := config.Read(path)
	if err != nil {
		return candidate{}, err
	}
	return examine(path, text)
}

// examine is load with the text of the file at path.
func examine(path string, text []byte) (candidate, error) {
	cfg, err := config.Parse(path, text)
	if err != nil {
		return candidate{}, err
	}
	cfg, err = withPasswords(path, cfg, os.Getenv("CREDENTIALS_DIRECTORY"))
	return candidate{text, cfg}, err
}

// running is the configuration in force.
type running struct {
	mu  sync.Mutex // held over a whole change: two never overlap
	now candidate
	nmu sync.RWMutex // guards now
}

func (r *running) get() *config.Config { return r.both().cfg }

func (r *running) both() candidate {
	r.nmu.RLock()
	defer r.nmu.RUnlock()
	return r.now
}

func (r *running) set(c candidate) {
	r.nmu.Lock()
	defer r.nmu.Unlock()
	r.now = c
}
