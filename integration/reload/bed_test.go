package reload

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

const ourASN = 65001

var (
	ourAddress = netip.MustParseAddr("10.0.0.4")
	// sources are the preferred source addresses that the policies set.
	sources = [2]string{ourAddress.String(), "10.0.0.8"}
	beds    atomic.Int32
)

// bed is nvad in a namespace, joined by one link to that of its neighbors.
type bed struct {
	*testing.T
	nvad, peers string // names of the namespaces
	dir         string
	daemon      *exec.Cmd
}

// newBed makes the namespaces and runs nvad with a configuration. All of it ends
// with the test.
func newBed(t *testing.T, config string) *bed {
	t.Helper()
	prefix := fmt.Sprintf("nvrl%dx%d", os.Getpid(), beds.Add(1))
	b := &bed{T: t, nvad: prefix + "a", peers: prefix + "b", dir: t.TempDir()}
	for _, ns := range []string{b.nvad, b.peers} {
		b.sh("ip netns add " + ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
		b.sh("ip -n " + ns + " link set lo up")
	}
	b.sh(fmt.Sprintf("ip link add eth0 netns %s type veth peer name eth0 netns %s", b.nvad, b.peers))
	for _, a := range sources {
		b.sh("ip -n " + b.nvad + " addr add " + a + "/24 dev eth0")
	}
	for _, a := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.5", "10.0.0.6"} {
		b.sh("ip -n " + b.peers + " addr add " + a + "/24 dev eth0")
	}
	b.sh("ip -n " + b.nvad + " link set eth0 up")
	b.sh("ip -n " + b.peers + " link set eth0 up")
	b.write(config)
	b.start()
	return b
}

// sh runs a command, split at spaces, and returns its output.
func (b *bed) sh(command string) string {
	b.Helper()
	argv := strings.Fields(command)
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		b.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

func (b *bed) file(name string) string { return filepath.Join(b.dir, name) }

// write replaces nvad's file at once, so that it is never read half.
func (b *bed) write(config string) {
	b.Helper()
	if err := os.WriteFile(b.file("new.toml"), []byte(config), 0o644); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(b.file("new.toml"), b.file("nvad.toml")); err != nil {
		b.Fatal(err)
	}
}

func (b *bed) start() {
	b.Helper()
	log, err := os.Create(b.file("log"))
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	b.daemon = exec.Command("ip", "netns", "exec", b.nvad, lab.Build(b.T, "./cmd/nvad"),
		"--config", b.file("nvad.toml"), "--socket", b.file("nvad.sock"))
	b.daemon.Stdout, b.daemon.Stderr = log, log
	if err := b.daemon.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = b.daemon.Process.Kill()
		_ = b.daemon.Wait()
		if text, _ := os.ReadFile(b.file("log")); b.Failed() {
			b.Logf("nvad:\n%s", text)
		}
	})
}

// reload has nvad read its file again, in either way.
func (b *bed) reload(bySignal bool) {
	b.Helper()
	if !bySignal {
		b.nvactl("reload")
		return
	}
	if err := b.daemon.Process.Signal(syscall.SIGHUP); err != nil {
		b.Fatal(err)
	}
}

func (b *bed) nvactl(args ...string) []byte {
	b.Helper()
	out, err := exec.Command(lab.Build(b.T, "./cmd/nvactl"), append([]string{"--socket", b.file("nvad.sock")}, args...)...).CombinedOutput()
	if err != nil {
		b.Fatalf("nvactl %v: %v: %s", args, err, out)
	}
	return out
}

// neighbor is what nvactl neighbors tells.
type neighbor struct {
	Address  string
	State    string
	Flaps    int
	EndOfRIB []string `json:"end_of_rib"`
}

func (b *bed) neighbors() (list []neighbor) {
	b.Helper()
	if err := json.Unmarshal(b.nvactl("neighbors", "-o", "json"), &list); err != nil {
		b.Fatal(err)
	}
	return list
}

// session connects a neighbor.
func (b *bed) session(asn uint32, address netip.Addr, watch func(rawbgp.Update)) *rawbgp.Session {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	s, err := rawbgp.Peer{Local: address, Remote: ourAddress, ASN: asn, Dial: lab.DialFrom(b.peers), Watch: watch}.Connect(ctx)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}
