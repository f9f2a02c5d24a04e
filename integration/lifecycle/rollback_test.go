package lifecycle

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Two policies. The second one denies a prefix in each direction and installs the other routes
// with another source address.
const (
	oldSource = "10.0.0.4"
	newSource = "10.0.0.8"
)

func policies(in, out, source string) settings {
	s := ordinary(neighborSettings{peer1, []string{
		`import = { prefix-list = "in", route-map = "map" }`, `export = { prefix-list = "out" }`,
	}})
	s.networks = append(s.networks, "10.21.0.0/16")
	s.rest = fmt.Sprintf("[prefix-list]\nin = [%q, \"permit any\"]\nout = [%q, \"permit any\"]\n"+
		"[[route-map.map]]\naction = \"permit\"\nset = { preferred-source = %q }\n", in, out, source)
	return s
}

func oldPolicy() settings { return policies("deny 1.0.0.0/8", "deny 1.0.0.0/8", oldSource) }

func newPolicy() settings { return policies("deny 10.101.0.0/16", "deny 10.21.0.0/16", newSource) }

// change is a bed with a neighbor and an nvad under the old policy.
type change struct {
	*bed
	f *frr
	n *nvad
}

func newChange(t *testing.T) *change {
	t.Helper()
	b := newBed(t)
	b.ip("addr add " + newSource + "/24 dev eth0")
	f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16", "10.101.0.0/16"}, graceful: true})
	b.configure(oldPolicy())
	c := &change{b, f, b.start()}
	b.up(peer1)
	c.follows(oldSource)
	b.inSync()
	return c
}

// follows waits until kernel and neighbor show the policy with this source address.
func (c *change) follows(source string) {
	c.Helper()
	c.f.knows("10.20.0.0/16")
	c.Eventually(patience, func() error {
		return contains(c.ip("route show 10.100.0.0/16"), "src "+source)
	})
	if source == oldSource {
		c.routed("10.101.0.0/16")
		c.f.knows("10.21.0.0/16")
		return
	}
	c.unrouted("10.101.0.0/16")
	c.f.misses("10.21.0.0/16")
}

// configState is the configuration's part of `nvactl status -o json`.
type configState struct {
	Version   int
	FileState string `json:"file_state"`
	Deadline  *time.Time
	Fallback  int
}

func (c *change) state() configState {
	c.Helper()
	return ask[struct{ Config configState }](c.bed, "status").Config
}

// fate waits until a version in the history has the given cause and result.
func (c *change) fate(version int, cause, result string) {
	c.Helper()
	c.Eventually(patience, func() error {
		var seen []string
		for _, v := range ask[[]struct {
			Version       int
			Cause, Result string
		}](c.bed, "config history") {
			seen = append(seen, fmt.Sprintf("%d %s %s", v.Version, v.Cause, v.Result))
		}
		return contains(strings.Join(seen, "\n"), fmt.Sprintf("%d %s %s", version, cause, result))
	})
}

// restarted kills nvad, as a crash would, and starts it again after pause.
func (c *change) restarted(pause time.Duration) {
	c.Helper()
	c.n.Signal(syscall.SIGKILL)
	c.n.Ended()
	time.Sleep(pause) // the test needs a deadline that passes meanwhile
	c.n = c.start()
}

// TestUnconfirmed lets a change expire. The earlier configuration returns by itself, each
// route is replaced exactly once, and the session stays.
func TestUnconfirmed(t *testing.T) {
	t.Parallel()
	c := newChange(t)
	since := c.neighbor(peer1).Since
	c.configure(newPolicy())
	const wait = 8 * time.Second // enough on a busy machine for all that is asked meanwhile
	begin := time.Now()
	out := c.tell("reload --confirm 8s")
	c.must(contains(out, "soft refresh", "Version 1 runs again in 8s unless confirmed: nvactl confirm"))
	c.follows(newSource)
	if s := c.state(); s.Version != 2 || s.Deadline == nil || s.Fallback != 1 || s.FileState != "same" {
		t.Errorf("status: %+v", s)
	}
	c.must(contains(c.tell("status"), "version 1 runs again in", "nvactl confirm"))
	if r := c.ctl("reload"); r.code != 1 || !strings.Contains(r.err, "version 2 waits for confirmation") {
		t.Errorf("a reload meanwhile: %+v", r)
	}
	updates := c.f.view().Messages.UpdatesReceived
	m := c.monitor()
	c.n.Logs("configuration rolled back")
	took := time.Since(begin)
	t.Logf("rolled back %v after the reload", took.Round(10*time.Millisecond))
	if took < wait {
		t.Errorf("too early: %v", took)
	}
	c.follows(oldSource)
	if n := c.f.view().Messages.UpdatesReceived - updates; n != 1 {
		t.Errorf("%d UPDATEs for one prefix that comes back", n)
	}
	if seen := c.Read(m.file); regexp.MustCompile(`(?m)^Deleted 10\.10[01]`).MatchString(seen) {
		t.Errorf("a route was deleted, not replaced:\n%s", seen)
	}
	if n := c.neighbor(peer1); !n.Since.Equal(since) || n.Flaps != 0 || c.f.view().Established != 1 {
		t.Errorf("the session was reset: %+v", n)
	}
	c.fate(2, "reload", "not confirmed")
	c.fate(3, "rollback", "applied")
	if s := c.state(); s.Version != 3 || s.Deadline != nil || s.FileState != "held back" {
		t.Errorf("status: %+v", s)
	}
	if r := c.ctl("confirm"); r.code != 1 || r.err != "nvactl: no change waits for confirmation\n" {
		t.Errorf("too late: %+v", r)
	}
	c.must(contains(c.tell("config diff --from 1 --to 2"), "prefix-list in"))
	if out := c.tell("config diff --from 1 --to 3"); out != "No difference.\n" {
		t.Errorf("after the rollback: %s", out)
	}
}

// TestConfirmed confirms a change after a crash within the deadline, and rolls it back later.
func TestConfirmed(t *testing.T) {
	t.Parallel()
	c := newChange(t)
	c.configure(newPolicy())
	c.tell("reload --confirm 5m")
	c.follows(newSource)
	c.Write("nvad.toml", "not even TOML") // the pending change does not come from the file
	c.restarted(0)
	c.n.Logs("configuration still waits for confirmation", "rollback unless confirmed")
	c.up(peer1)
	c.follows(newSource)
	if s := c.state(); s.Version != 2 || s.Deadline == nil || s.FileState != "differs" {
		t.Errorf("status: %+v", s)
	}
	c.configure(newPolicy())
	if out := c.tell("confirm"); out != "version 2 stays\n" {
		t.Errorf("confirm: %s", out)
	}
	c.fate(2, "reload", "confirmed")
	c.restarted(0)
	c.up(peer1)
	c.follows(newSource)

	c.inSync()
	since := c.neighbor(peer1).Since
	c.must(os.Chmod(c.config, 0o640))
	out := c.tell("rollback --config " + c.config)
	c.must(contains(out, "soft refresh", "Version 1 runs again, as version 3.", "nvad.toml contains the running configuration again"))
	c.follows(oldSource)
	if n := c.neighbor(peer1); !n.Since.Equal(since) || n.Flaps != 0 {
		t.Errorf("the session was reset: %+v", n)
	}
	if c.Read("nvad.toml") != oldPolicy().String() || c.Read("nvad.toml.old") != newPolicy().String() {
		t.Errorf("nvad.toml:\n%snvad.toml.old:\n%s", c.Read("nvad.toml"), c.Read("nvad.toml.old"))
	}
	if info, err := os.Stat(c.config); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if s := c.state(); s.FileState != "same" || s.Version != 3 {
		t.Errorf("status: %+v", s)
	}
	c.tell("rollback 2 --config " + c.config)
	c.follows(newSource)
}

// TestCrashUnconfirmed kills nvad while a change is pending and starts it after the deadline.
// The last confirmed configuration runs, however often nvad is started, until somebody
// explicitly changes that.
func TestCrashUnconfirmed(t *testing.T) {
	t.Parallel()
	c := newChange(t)
	c.configure(newPolicy())
	c.tell("reload --confirm 1s")
	c.restarted(1500 * time.Millisecond)
	c.n.Logs("level=WARN msg=\"configuration was not confirmed in time: the one before it runs\" config_version=3")
	c.up(peer1)
	c.follows(oldSource)
	c.must(contains(c.tell("status"), "nvad.toml still contains the change"))
	c.fate(2, "reload", "not confirmed")

	c.n.Stop()
	c.n = c.start()
	c.n.Logs("configuration file was rolled back and has not changed since")
	c.up(peer1)
	c.follows(oldSource)
	if c.Read("nvad.toml") != newPolicy().String() {
		t.Error("the file was touched")
	}
	c.must(contains(c.tell("reload"), "soft refresh")) // an explicit reload activates the file
	c.follows(newSource)
	c.restarted(0)
	c.up(peer1)
	c.follows(newSource)
}
