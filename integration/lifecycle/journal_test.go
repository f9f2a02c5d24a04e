package lifecycle

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// underJournal runs its arguments as systemd would: as an unprivileged user with nvad's
// capabilities, with stderr connected to a systemd-journald. The first argument is the /run of
// that journald.
const underJournal = `
run=$1; shift
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup # ip netns exec has mounted a bare /sys
mount --bind "$run" /run && mkdir -p /run/systemd/journal /run/log/journal
/lib/systemd/systemd-journald &
for i in $(seq 200); do systemd-cat true && break; sleep 0.05; done 2>/dev/null
systemd-cat -t nvad sh -c 'export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2)
exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+net_admin,+net_bind_service \
	--ambient-caps=+net_admin,+net_bind_service "$@"' sh "$@"
exit $? # not exec: who becomes another user outlives its parent
`

// ownProcesses runs its arguments in their own mount and PID namespaces, which end with them.
var ownProcesses = []string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"}

// TestJournal runs nvad under systemd's journal with a neighbor that ends the session with a
// reason. Each event is one entry with a priority and fields.
func TestJournal(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	lab.RequireCommands(t, "/lib/systemd/systemd-journald", "journalctl", "systemd-cat", "setpriv", "unshare")
	f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
	b.configure(ordinary(open(peer1)))
	run := filepath.Join(b.Dir, "journal")
	b.must(os.Mkdir(run, 0o755))
	b.must(os.Chown(filepath.Dir(b.socket), 65534, 65534))
	b.Spawn(b.ours, "journald", slices.Concat(ownProcesses, []string{"sh", "-c", underJournal, "sh", run}, b.daemonArgs())...)

	j := journal{bed: b, dir: filepath.Join(run, "log/journal")}
	j.has(entry{"MESSAGE": "ready", "PRIORITY": "6", "SYSLOG_IDENTIFIER": "nvad", "_TRANSPORT": "journal", "_UID": "65534"})
	j.has(entry{"PRIORITY": "6", "NVAD_NEIGHBOR": peer1, "NVAD_AS": "65010", "NVAD_HOLD_TIME": "9s"})
	f.vtysh("conf t", "router bgp 65010", "neighbor "+ourAddress+" shutdown message off to the beach")
	const reason = `NOTIFICATION received: Cease/Administrative Shutdown "off to the beach"`
	j.has(entry{
		"MESSAGE":  `neighbor down neighbor=` + peer1 + ` as=65010 reason="` + strings.ReplaceAll(reason, `"`, `\"`) + `" routes_kept=false`,
		"PRIORITY": "4", "NVAD_NEIGHBOR": peer1, "NVAD_REASON": reason,
	})
}

// entry is a journal entry, or the fields of one that a test looks for.
type entry map[string]string

// journal is a directory of journal files.
type journal struct {
	*bed
	dir string
}

// has waits for an entry with all fields of want.
func (j journal) has(want entry) {
	j.Helper()
	j.Eventually(patience, func() error {
		out := j.run("journalctl", "--directory", j.dir, "--output", "json", "--no-pager", "SYSLOG_IDENTIFIER=nvad").out
		for line := range strings.Lines(out) {
			var e map[string]any
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				return err
			}
			missing := func(k string) bool { return fmt.Sprint(e[k]) != want[k] }
			if keys := fields(want); !slices.ContainsFunc(keys, missing) {
				return nil
			}
		}
		return fmt.Errorf("no entry %v in\n%s", want, out)
	})
}

func fields(e entry) []string {
	var keys []string
	for k := range e {
		keys = append(keys, k)
	}
	return keys
}
