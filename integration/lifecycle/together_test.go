package lifecycle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// How often two NVAs are started together, and how soon each session must be
// up, counted from the start of the processes.
const (
	jointStarts  = 100
	jointSession = 2 * time.Second
)

// TestStartedTogether starts two nvads at the same moment, each dialling the
// other through the tunnel that both have yet to make. Neither may wait for a
// timer, whichever of the two connections survives.
func TestStartedTogether(t *testing.T) {
	b := newBed(t)
	pair := []*half{
		{ns: b.ours, address: ourAddress, remote: peer1, inner: "169.254.0.1", peer: "169.254.0.2"},
		{ns: b.theirs, address: peer1, remote: ourAddress, inner: "169.254.0.2", peer: "169.254.0.1"},
	}
	var slowest time.Duration
	for i := range jointStarts {
		start := time.Now()
		for _, h := range pair {
			h.start(b, i)
		}
		for _, h := range pair {
			took := h.up(b, start)
			slowest = max(slowest, took)
			if took > jointSession {
				t.Errorf("start %d: session of %s up after %v", i, h.address, took)
			}
		}
		for _, h := range pair {
			h.end(b)
		}
	}
	t.Logf("%d starts, slowest session up %v after the processes were started", jointStarts, slowest.Round(time.Millisecond))
}

// half is one of two nvads that have each other for a neighbor.
type half struct {
	ns, address, remote, inner, peer string
	cmd                              *exec.Cmd
	log                              string
}

func (h *half) start(b *bed, i int) {
	b.Helper()
	config := b.write(h.ns+".toml", fmt.Sprintf(`asn = 65001
router-id = %q
[[tunnel]]
name = "vxlan0"
vni = 77
device = "eth0"
remotes = [%q]
address = "%s/24"
[[neighbor]]
address = %q
remote-asn = 65001
`, h.address, h.remote, h.inner, h.peer))
	h.log = fmt.Sprintf("%s-%d.log", h.ns, i)
	out, err := os.Create(filepath.Join(b.dir, h.log))
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	socket := filepath.Join(b.dir, "run", h.ns+".sock")
	h.cmd = within(h.ns, lab.Build(b.T, "./cmd/nvad"), "--config", config, "--socket", socket)
	h.cmd.Stdout, h.cmd.Stderr = out, out
	if err := h.cmd.Start(); err != nil {
		b.Fatal(err)
	}
}

// up returns how long after start the session came up.
func (h *half) up(b *bed, start time.Time) (took time.Duration) {
	b.Helper()
	b.eventually(patience, func() error {
		err := contains(b.read(h.log), `msg="neighbor up"`)
		took = time.Since(start)
		return err
	})
	return took
}

// end kills nvad: a graceful end would let the other side finish first.
func (h *half) end(b *bed) {
	b.Helper()
	_ = h.cmd.Process.Signal(syscall.SIGKILL)
	_ = h.cmd.Wait()
	if strings.Contains(b.read(h.log), "DATA RACE") {
		b.Errorf("%s:\n%s", h.log, b.read(h.log))
	}
}
