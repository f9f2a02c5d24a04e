package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// bed is the network of one run: the subject's namespace and those of its
// neighbors, new each time.
type bed struct {
	prefix string
	dir    string // of the subject's files
	fib    *fibWatch

	nextProbe int // number of a route that was not announced yet

	routeServer, nva, second *peer
}

// nodes are the namespaces besides the subject's, each with one link to it.
// As in Azure, a Route Server is not on the link but behind its gateway.
var nodes = []struct {
	name            string
	dut, peer, loop string // addresses
}{
	{"rs", "10.0.0.4/24", "10.0.0.1/24", "10.0.210.4/32"},
	{"nva", "169.254.0.1/24", "169.254.0.2/24", ""},
	{"rs2", "10.1.0.4/24", "10.1.0.1/24", "10.1.210.4/32"},
}

var beds atomic.Int32

func newBed() (*bed, error) {
	b := &bed{prefix: fmt.Sprintf("nvb%dx%d", os.Getpid(), beds.Add(1)), nextProbe: probeBase}
	if err := b.make(); err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.routeServer = b.peer("rs", "10.0.210.4", "10.0.0.4", 65515)
	b.nva = b.peer("nva", "169.254.0.2", "169.254.0.1", nvaASN)
	b.second = b.peer("rs2", "10.1.210.4", "10.1.0.4", 65515)
	return b, nil
}

const nvaASN = 65001

func (b *bed) peer(name, address, dut string, asn uint32) *peer {
	return newPeer(name, b.ns(name), netip.MustParseAddr(address), netip.MustParseAddr(dut), asn)
}

func (b *bed) peers() []*peer { return []*peer{b.routeServer, b.nva, b.second} }

func (b *bed) ns(node string) string { return b.prefix + "-" + node }

func (b *bed) make() error {
	var err error
	if b.dir, err = os.MkdirTemp("", b.prefix+"-"); err != nil {
		return err
	}
	lines := []string{"netns add " + b.ns("dut")}
	for _, n := range nodes {
		lines = append(lines, "netns add "+b.ns(n.name),
			fmt.Sprintf("link add %s netns %s type veth peer name eth0 netns %s", n.name, b.ns("dut"), b.ns(n.name)))
	}
	if err := run(lines, "ip", "-batch", "-"); err != nil {
		return err
	}
	dut := []string{"link set lo up"}
	for _, n := range nodes {
		dut = append(dut, "link set "+n.name+" up", "address add "+n.dut+" dev "+n.name)
		if err := b.makeNode(n.name, n.peer, n.loop); err != nil {
			return err
		}
	}
	if err := run(dut, "ip", "-n", b.ns("dut"), "-batch", "-"); err != nil {
		return err
	}
	if err := run(nil, "ip", "netns", "exec", b.ns("dut"), "sysctl", "-q", "-w", "net.ipv4.ip_forward=1"); err != nil {
		return err
	}
	b.fib, err = watchFIB(b.ns("dut"))
	return err
}

func (b *bed) makeNode(name, address, loop string) error {
	lines := []string{"link set lo up", "link set eth0 up", "address add " + address + " dev eth0"}
	if loop != "" {
		lines = append(lines, "address add "+loop+" dev lo")
	}
	return run(lines, "ip", "-n", b.ns(name), "-batch", "-")
}

// connect brings up the sessions that are not, each dialled by the neighbor.
func (b *bed) connect(ctx context.Context) error {
	for _, p := range b.peers() {
		if p.up() {
			continue
		}
		if err := p.connect(ctx); err != nil {
			return err
		}
	}
	return nil
}

// close removes the namespaces, with all that is in them.
func (b *bed) close() error {
	if b.fib != nil {
		b.fib.close()
	}
	for _, p := range []*peer{b.routeServer, b.nva, b.second} {
		if p != nil {
			p.close()
		}
	}
	errs := []error{os.RemoveAll(b.dir)}
	for _, name := range []string{"dut", "rs", "nva", "rs2"} {
		if _, err := os.Stat(filepath.Join("/run/netns", b.ns(name))); err == nil {
			errs = append(errs, run(nil, "ip", "netns", "del", b.ns(name)))
		}
	}
	return errors.Join(errs...)
}

// run runs a command with lines as its input, and returns what it said if it
// failed.
func run(lines []string, argv ...string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// sweep removes the beds of benches that have died, and ends what runs on them.
func sweep() error {
	spaces, err := filepath.Glob("/run/netns/nvb*x*-*")
	if err != nil {
		return err
	}
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), "nvb*x*-*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range append(spaces, dirs...) {
		var pid, bed int
		name := filepath.Base(path)
		if _, err := fmt.Sscanf(name, "nvb%dx%d-", &pid, &bed); err != nil || syscall.Kill(pid, 0) == nil {
			continue
		}
		if filepath.Dir(path) != "/run/netns" {
			errs = append(errs, os.RemoveAll(path))
			continue
		}
		out, _ := exec.Command("ip", "netns", "pids", name).Output()
		for _, word := range strings.Fields(string(out)) {
			if pid, err := strconv.Atoi(word); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		errs = append(errs, run(nil, "ip", "netns", "del", name))
	}
	return errors.Join(errs...)
}
