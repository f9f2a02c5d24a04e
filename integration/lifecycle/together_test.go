package lifecycle

import (
	"fmt"
	"strings"
	"testing"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

// How many times two NVAs are started together, and how soon each session must be up after
// both have their tunnel.
const (
	jointStarts  = 30
	jointSession = 2 * time.Second
)

// TestStartedTogether starts two nvads at the same moment. Each dials the other through a
// tunnel that neither has created yet. Neither may have to wait for a timer, whichever of the
// two connections survives.
func TestStartedTogether(t *testing.T) {
	b := newBed(t)
	pair := []*half{
		{ns: b.ours, address: ourAddress, remote: peer1, inner: "169.254.0.1", peer: "169.254.0.2"},
		{ns: b.theirs, address: peer1, remote: ourAddress, inner: "169.254.0.2", peer: "169.254.0.1"},
	}
	var slowest time.Duration
	for i := range jointStarts {
		for _, h := range pair {
			h.start(b, i)
		}
		var tunnels time.Time // when the second was up
		for _, h := range pair {
			if at := h.logged(b, `msg="tunnel up"`); at.After(tunnels) {
				tunnels = at
			}
		}
		for _, h := range pair {
			took := h.logged(b, `msg="neighbor up"`).Sub(tunnels)
			slowest = max(slowest, took)
			if took > jointSession {
				t.Errorf("start %d: session of %s up after %v", i, h.address, took)
			}
		}
		for _, h := range pair {
			h.nvad.Kill() // after a graceful stop, the other side could finish first
		}
	}
	t.Logf("%d starts, slowest session up %v after the tunnels", jointStarts, slowest.Round(time.Millisecond))
}

// half is one of two nvads that are each other's neighbor.
type half struct {
	ns, address, remote, inner, peer string
	nvad                             *netbed.Process
}

func (h *half) start(b *bed, i int) {
	b.Helper()
	config := b.Write(h.ns+".toml", fmt.Sprintf(`asn = 65001
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
	h.nvad = b.Spawn(h.ns, fmt.Sprintf("%s-%d", h.ns, i), lab.Build(b.T, "./cmd/nvad"),
		"--config", config, "--socket", b.Path("run/"+h.ns+".sock"))
}

// logged waits until nvad has logged a text and returns when it did.
func (h *half) logged(b *bed, text string) (at time.Time) {
	b.Helper()
	h.nvad.Logs(text)
	for line := range strings.Lines(b.Read(h.nvad.Log)) {
		if strings.Contains(line, text) {
			stamp, _, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
			var err error
			if at, err = time.Parse(time.RFC3339, stamp); err != nil {
				b.Fatal(err)
			}
			break
		}
	}
	return at
}
