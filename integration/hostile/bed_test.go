package hostile

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

// nice is the priority that nvad's unit gives it. The measuring processes have it too, so that
// the machine's other load does not count as nvad's delay.
const nice = -10

func TestMain(m *testing.M) {
	if os.Geteuid() == 0 {
		netbed.Prioritize(nice)
	}
	os.Exit(lab.Main(m))
}

// long selects the attacks with the figures of docs/security.md.
var long = os.Getenv("NVAD_HOSTILE_LONG") == "1"

// The addresses on the link. Every speaker dials nvad.
const (
	dutAddress      = "10.0.0.4"
	dutASN          = 65001
	feederAddress   = "10.0.0.12"
	feederASN       = 65002
	listenerAddress = "10.0.0.13"
	listenerASN     = 65003
	birdAddress     = "10.0.0.20"
	birdASN         = 65020
	healthPort      = "8080"
)

// Namespaces of a bed: nvad's, and the one for everybody else.
const ours, theirs = "ours", "theirs"

// bed is a namespace for nvad and one for everybody else, joined by a link.
type bed struct {
	*netbed.Bed
	nvad  *netbed.Process
	group string // control group for nvad; if empty, that of the test
}

// newBed creates a bed in which the others have the given addresses. It starts nothing.
func newBed(t *testing.T, addresses ...string) *bed {
	t.Helper()
	b := &bed{Bed: netbed.New(t, ours, theirs)}
	lab.Build(t, "./cmd/nvad")
	lab.Build(t, "./cmd/nvactl")
	for i, a := range addresses {
		addresses[i] = a + "/24"
	}
	b.Join(ours, "eth0", []string{dutAddress + "/24"}, theirs, "eth0", addresses)
	return b
}

// start starts nvad with a configuration and waits until it is ready.
func (b *bed) start(config string) {
	b.Helper()
	b.Write("nvad.toml", config)
	argv := []string{lab.Build(b.T, "./cmd/nvad"), "--config", b.Path("nvad.toml"), "--socket", b.Path("nvad.sock")}
	cmd := b.Command(ours, argv...)
	if b.group != "" { // ip would hide the control groups, from which nvad reads its limit
		cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c",
			"echo $$ >" + b.group + "/cgroup.procs && exec nsenter --net=/run/netns/" + b.NS(ours) + ` "$@"`, "sh"}, argv...)
	}
	b.nvad = b.Start("nvad", cmd)
	b.nvad.Logs("msg=ready")
}

// bird starts BIRD beside nvad, with a priority that many steps ahead of the test's.
func (b *bed) bird(config string, ahead int) {
	b.Helper()
	lab.RequireCommands(b.T, "bird", "birdc")
	b.Spawn(theirs, "bird", "nice", "-n", strconv.Itoa(-ahead), "bird", "-f", "-c", b.Write("bird.conf", config), "-s", b.Path("bird.ctl"))
}

// nvactl asks the daemon and returns what it prints.
func (b *bed) nvactl(args ...string) (string, error) { return b.Nvactl("nvad", args...) }

// alive returns an error once nvad has ended.
func (b *bed) alive() error {
	select {
	case <-b.nvad.Exited:
		return fmt.Errorf("nvad has ended: %v", b.nvad.ProcessState)
	default:
		return nil
	}
}

// resident returns how much memory nvad occupies, in KiB.
func (b *bed) resident() int {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.nvad.Process.Pid))
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib
		}
	}
	return 0
}
