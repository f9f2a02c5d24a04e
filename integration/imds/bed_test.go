package imds

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/metadata"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// bed is the two hubs, each with a metadata service.
type bed struct {
	*lab.Lab
	nvad string
	dir  string
}

// newBed brings up the hubs with NVAs on which nothing runs yet.
func newBed(t *testing.T) bed {
	t.Helper()
	l := lab.Up(t, lab.Options{NVAs: map[string]lab.NVA{"vm-hub00": {Kind: lab.None}, "vm-hub10": {Kind: lab.None}}})
	return bed{l, lab.Build(t, "./cmd/nvad"), t.TempDir()}
}

// vm returns a hub's NVA as the metadata service knows it.
func (b bed) vm(t *testing.T, hub string) metadata.VM {
	t.Helper()
	v, a := "vm-"+hub, map[string]string{"hub00": "10.0.0.4", "hub10": "10.10.0.4"}[hub]
	mac, err := net.ParseMAC(strings.TrimSpace(b.Exec(t, v, "cat", "/sys/class/net/eth0/address")))
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr(a)
	subnet, _ := addr.Prefix(24)
	return metadata.VM{Name: v, NICs: []metadata.NIC{{MAC: mac, Addresses: []netip.Addr{addr}, Subnet: subnet}}}
}

// metadata starts the service of a hub's VNet.
func (b bed) metadata(t *testing.T, hub string) *metadata.Server {
	t.Helper()
	s := metadata.New(b.vm(t, hub))
	b.listen(t, hub, s)
	return s
}

func (b bed) listen(t *testing.T, hub string, s *metadata.Server) {
	t.Helper()
	l, err := metadata.Listen(func(do func() error) error { return b.Within("net-"+hub, do) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go s.Serve(l)
}

// result holds a command's output and exit code.
type result struct {
	out, err string
	code     int
}

// bootstrap runs nvad bootstrap on a hub's NVA.
func (b bed) bootstrap(hub string, flags ...string) result {
	return b.watched(func(string) {}, hub, flags...)
}

// watched is bootstrap with a callback: watch gets the progress piece by piece.
func (b bed) watched(watch func(string), hub string, flags ...string) result {
	return finish(b.Command("vm-"+hub, append([]string{b.nvad, "bootstrap"}, flags...)...), writer(watch))
}

// finish runs a command to its end; progress gets what it says on stderr, too.
func finish(cmd *exec.Cmd, progress ...io.Writer) result {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(append(progress, &errs)...)
	err := cmd.Run()
	r := result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
	if err != nil && r.code < 0 {
		r.err += err.Error()
	}
	return r
}

type writer func(string)

func (w writer) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}

// flags returns the flags for a hub's NVA that write to the named file.
func (b bed) flags(hub, file string) []string {
	rs, remote, vnet := "10.0.210.4,10.0.210.5", "10.10.0.4", "10.0.0.0/16"
	if hub == "hub10" {
		rs, remote, vnet = "10.10.210.5,10.10.210.4", "10.0.0.4", "10.10.0.0/16"
	}
	return []string{"--route-server", rs, "--remote-nva", remote, "--vnet", vnet, "--output", filepath.Join(b.dir, file)}
}

// must fails the test unless the command succeeded.
func (r result) must(t *testing.T) result {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("exit code %d: %s%s", r.code, r.out, r.err)
	}
	return r
}

// refused fails the test unless the command failed, its output contains words, and it wrote
// nothing.
func (r result) refused(t *testing.T, file string, words ...string) {
	t.Helper()
	if r.code != 1 {
		t.Errorf("exit code %d: %s%s", r.code, r.out, r.err)
	}
	for _, w := range words {
		if !strings.Contains(r.err, w) {
			t.Errorf("no %q in %q", w, r.err)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Errorf("%s was written", file)
	}
}

// start runs nvad on a hub's NVA with a file.
func (b bed) start(t *testing.T, hub, file string) {
	t.Helper()
	b.Options.NVAs["vm-"+hub] = lab.NVA{Kind: lab.Nvad, Binary: b.nvad, Config: file}
	if err := b.StartNVA("vm-" + hub); err != nil {
		t.Fatal(err)
	}
}

// settles waits for the sessions and for traffic in both directions.
func (b bed) settles(t *testing.T) {
	t.Helper()
	b.AwaitSessions(t, time.Minute)
	lab.Eventually(t, time.Minute, func() error {
		for _, flow := range [][2]string{{"vm-hub100", "10.110.0.4"}, {"vm-hub110", "10.100.0.4"}} {
			if _, err := b.Output(flow[0], "ping", "-c", "1", "-W", "0.3", flow[1]); err != nil {
				return fmt.Errorf("%s does not reach %s: %w", flow[0], flow[1], err)
			}
		}
		return nil
	})
}
