package kernel

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// rivals are the programs that write routes of protocol 186 themselves. Two of
// them in one table undo each other's work.
var rivals = []string{"zebra", "bird", "bird6"}

// netAdmin is CAP_NET_ADMIN in a set of capabilities.
const netAdmin = 1 << unix.CAP_NET_ADMIN

// Rival is another routing daemon in the same network namespace.
type Rival struct {
	Name string
	PID  int
}

// RivalDaemons finds the routing daemons that share this process's network
// namespace, whichever user they run as.
func RivalDaemons() ([]Rival, error) { return rivalsIn("/proc") }

// namespaceFile is a file of a process's directory in /proc that is the same
// one for all processes of a network namespace. The link ns/net would say it
// more plainly, but of another user's process only with CAP_SYS_PTRACE.
const namespaceFile = "net/dev"

func rivalsIn(proc string) ([]Rival, error) {
	own, err := os.Stat(filepath.Join(proc, "self", namespaceFile))
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(proc, "[0-9]*/comm"))
	if err != nil {
		return nil, err
	}
	var found []Rival
	for _, path := range names {
		comm, err := os.ReadFile(path)
		name := strings.TrimSpace(string(comm))
		if err != nil || !slices.Contains(rivals, name) {
			continue
		}
		dir := filepath.Dir(path)
		pid, err := strconv.Atoi(filepath.Base(dir))
		its, statErr := os.Stat(filepath.Join(dir, namespaceFile))
		if err == nil && statErr == nil && os.SameFile(own, its) && writesRoutes(proc, dir) {
			found = append(found, Rival{Name: name, PID: pid})
		}
	}
	return found, nil
}

// writesRoutes reports whether a process can change routes at all. Anybody can call
// a process "bird", and that must not keep nvad from starting. Within a user
// namespace of its own a process has every capability, but not over this network.
func writesRoutes(proc, dir string) bool {
	own, err := os.ReadFile(filepath.Join(proc, "self/uid_map"))
	its, itsErr := os.ReadFile(filepath.Join(dir, "uid_map"))
	if err != nil || itsErr != nil || !bytes.Equal(own, its) {
		return false
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if set, ok := strings.CutPrefix(line, "CapPrm:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64)
			return err == nil && n&netAdmin != 0
		}
	}
	return false
}
