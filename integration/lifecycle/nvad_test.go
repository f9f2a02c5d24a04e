package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

// patience is the limit for everything that takes well below a second on an idle machine.
const patience = 15 * time.Second

// nvad is a running daemon.
type nvad struct {
	*netbed.Process
	*bed
}

// launches counts the starts of nvad: each has its own log.
var launches atomic.Int32

// daemonArgs returns the command line of nvad with the bed's files.
func (b *bed) daemonArgs(args ...string) []string {
	return append([]string{lab.Build(b.T, "./cmd/nvad"), "--config", b.config, "--socket", b.socket}, args...)
}

// launch starts nvad and does not wait for it.
func (b *bed) launch(env []string, args ...string) *nvad {
	b.Helper()
	cmd := b.Command(b.ours, b.daemonArgs(args...)...)
	cmd.Env = append(os.Environ(), env...)
	return &nvad{b.Start(fmt.Sprintf("nvad%d", launches.Add(1)), cmd), b}
}

// start starts nvad and waits until it is ready.
func (b *bed) start(args ...string) *nvad {
	b.Helper()
	n := b.launch(nil, args...)
	n.Logs("msg=ready")
	return n
}

// result holds a command's exit code and output.
type result struct {
	code     int
	out, err string
}

// run runs a command in nvad's namespace and waits for its end.
func (b *bed) run(argv ...string) result {
	b.Helper()
	return b.runIn(b.ours, argv...)
}

// runIn runs a command in a namespace and waits for its end.
func (b *bed) runIn(namespace string, argv ...string) result {
	b.Helper()
	cmd := b.Command(namespace, argv...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// ctl runs nvactl.
func (b *bed) ctl(args ...string) result {
	b.Helper()
	return b.run(append([]string{lab.Build(b.T, "./cmd/nvactl"), "--socket", b.socket}, args...)...)
}

// tell runs nvactl and returns its output. The command must succeed. Arguments are split at
// spaces.
func (b *bed) tell(command string) string {
	b.Helper()
	r := b.ctl(strings.Fields(command)...)
	if r.code != 0 || r.err != "" {
		b.Fatalf("nvactl %s: exit code %d: %s", command, r.code, r.err)
	}
	return r.out
}

// ask runs nvactl -o json and decodes its output.
func ask[T any](b *bed, command string) (v T) {
	b.Helper()
	out := b.tell(command + " -o json")
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		b.Fatalf("nvactl %s: %v: %s", command, err, out)
	}
	return v
}

// neighbor is an entry of `nvactl neighbors -o json`.
type neighbor struct {
	Address    string
	State      string
	Since      time.Time
	Reason     string
	Received   int
	Dropped    int
	Accepted   int
	Advertised int
	Flaps      int
}

// neighbor returns one neighbor's state.
func (b *bed) neighbor(addr string) neighbor {
	b.Helper()
	for _, n := range ask[[]neighbor](b, "neighbors") {
		if n.Address == addr {
			return n
		}
	}
	b.Fatalf("no neighbor %s", addr)
	return neighbor{}
}

// up waits until a neighbor is established and returns it.
func (b *bed) up(addr string) (n neighbor) {
	b.Helper()
	b.Eventually(patience, func() error {
		if n = b.neighbor(addr); n.State != "Established" {
			return fmt.Errorf("neighbor %s is %s: %s", addr, n.State, n.Reason)
		}
		return nil
	})
	return n
}

// inSync waits until nvad has received every neighbor's End-of-RIB.
func (b *bed) inSync() {
	b.Helper()
	b.Eventually(patience, func() error {
		s := ask[struct {
			InSync     bool     `json:"in_sync"`
			WaitingFor []string `json:"waiting_for"`
		}](b, "status")
		if !s.InSync {
			return fmt.Errorf("not in sync, waiting for %v", s.WaitingFor)
		}
		return nil
	})
}

// routed waits until ip route shows every one of want.
func (b *bed) routed(want ...string) {
	b.Helper()
	b.Eventually(patience, func() error { return contains(b.ip("route"), want...) })
}

// unrouted waits until ip route no longer shows prefix.
func (b *bed) unrouted(prefix string) {
	b.Helper()
	b.Eventually(patience, func() error {
		if text := b.ip("route"); strings.Contains(text, prefix) {
			return fmt.Errorf("%s is still in:\n%s", prefix, text)
		}
		return nil
	})
}
