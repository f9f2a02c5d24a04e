package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// rivals are the programs that write routes of protocol 186 themselves. Two of
// them in one table undo each other's work.
var rivals = []string{"zebra", "bird", "bird6"}

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
		if err == nil && statErr == nil && os.SameFile(own, its) {
			found = append(found, Rival{Name: name, PID: pid})
		}
	}
	return found, nil
}
