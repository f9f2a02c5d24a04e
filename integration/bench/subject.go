package bench

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// subject is a routing daemon with the policies of the two hubs, see package
// documentation.
type subject interface {
	// start runs the daemon until it listens to its operator. It is given the
	// bed only here.
	start(*bed) error
	// reload has a changed import policy taken over: LOCAL_PREF 200 for what
	// the Route Server tells. It returns when the daemon has been told.
	reload() error
	running() *processes
}

// Subjects are the names that [Options] knows, in the order of tables.
var Subjects = []string{"nvad", "bird", "frr"}

func newSubject(name string, o *Options) (subject, error) {
	switch name {
	case "nvad":
		return &nvad{binary: o.Nvad}, nil
	case "bird":
		return &bird{}, nil
	case "frr":
		return &frr{}, nil
	}
	return nil, fmt.Errorf("no subject %q, there are %v", name, Subjects)
}

// awaitSocket waits until somebody answers on a unix socket.
func awaitSocket(path string) error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		c, err := net.Dial("unix", path)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

func (b *bed) write(name, text string) (path string, err error) {
	path = filepath.Join(b.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o644)
}
