package arm64

import (
	"context"
	"debug/elf"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

const (
	emulator = "qemu-aarch64"
	patience = time.Minute // the emulator takes several times as long as a CPU
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// TestSmoke checks a file, starts nvad with it, receives and announces a route, asks for the
// status, and stops.
func TestSmoke(t *testing.T) {
	lab.RequireCommands(t, emulator)
	b := netbed.New(t, "nva", "far")
	programs := build(t)
	connect(b)
	config := b.Write("nvad.toml", `asn = 65001
router-id = "10.0.0.4"

[[network]]
prefix = "10.1.0.0/24"

[[neighbor]]
address    = "10.0.0.1"
remote-asn = 65010
import     = "accept"
export     = "accept"
`)
	run := func(program string, args ...string) (string, error) {
		return netbed.Try(b.Command("nva", append([]string{emulator, filepath.Join(programs, program)}, args...)...))
	}
	if out, err := run("nvad", "check", config); err != nil || !strings.Contains(out, "ok: 1 neighbor") {
		t.Fatalf("nvad check: %v: %s", err, out)
	}
	socket := b.Path("nvad.sock")
	nvad := b.Spawn("nva", "nvad", emulator, filepath.Join(programs, "nvad"), "--config", config, "--socket", socket)
	nvad.Logs("msg=ready")

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	far := netip.MustParseAddr("10.0.0.1")
	session, err := rawbgp.Peer{Local: far, Remote: netip.MustParseAddr("10.0.0.4"), ASN: 65010, Dial: lab.DialFrom(b.NS("far"))}.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	route := rawbgp.Route{Prefix: netip.MustParsePrefix("10.100.0.0/24"), Attrs: &rawbgp.Attrs{
		NextHop: far, Path: []rawbgp.Segment{{Type: rawbgp.Sequence, ASNs: []uint32{65010}}},
	}}
	if err := session.Announce([]rawbgp.Route{route}); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, patience, func() error {
		if _, ok := session.Table()[netip.MustParsePrefix("10.1.0.0/24")]; !ok {
			return fmt.Errorf("the neighbor has %v", session.Table())
		}
		if got := b.IP("nva", "route show 10.100.0.0/24"); !strings.Contains(got, "via 10.0.0.1") {
			return fmt.Errorf("in the kernel: %q", got)
		}
		return nil
	})
	for command, want := range map[string]string{"status": "1 of 1 established", "neighbors": "10.0.0.1", "routes fib": "10.100.0.0/24"} {
		out, err := run("nvactl", append([]string{"--socket", socket}, strings.Fields(command)...)...)
		t.Logf("nvactl %s: %v\n%s", command, err, out)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("nvactl %s has no %q", command, want)
		}
	}
	nvad.Stop()
}

// connect joins the namespaces so that no event comes that the emulator can't translate: an
// entry in the neighbor table that expires would be one.
func connect(b *netbed.Bed) {
	b.Helper()
	for _, ns := range []string{"nva", "far"} {
		b.In(ns, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", "net.ipv4.ip_forward=1")
	}
	b.Join("nva", "eth0", []string{"10.0.0.4/24"}, "far", "eth0", []string{"10.0.0.1/24"})
	mac := func(ns string) string { return strings.TrimSpace(b.In(ns, "cat", "/sys/class/net/eth0/address")) }
	b.IP("nva", "neigh add 10.0.0.1 lladdr "+mac("far")+" nud permanent dev eth0")
	b.IP("far", "neigh add 10.0.0.4 lladdr "+mac("nva")+" nud permanent dev eth0")
}

// build builds both programs for arm64 and returns their directory.
func build(t *testing.T) string {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(lab.BuildDir(), "arm64")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", "./cmd/nvad", "./cmd/nvactl")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	if err := lab.AsInvoker(cmd, dir); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build for arm64: %v\n%s", err, out)
	}
	for _, program := range []string{"nvad", "nvactl"} {
		f, err := elf.Open(filepath.Join(dir, program))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if f.Machine != elf.EM_AARCH64 {
			t.Fatalf("%s is for %v", program, f.Machine)
		}
	}
	return dir
}
