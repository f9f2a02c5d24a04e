package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// TestMachine puts a machine through files from outside, a boot, a reboot and a power cut.
// Only what is on its disk survives.
func TestMachine(t *testing.T) {
	lab.RequireRoot(t)
	prefix := fmt.Sprintf("nvm%d", os.Getpid())
	inside, outside := prefix+"a", prefix+"b"
	for _, ns := range []string{inside, outside} {
		host(t, "ip netns add "+ns)
		t.Cleanup(func() { host(t, "ip netns del "+ns) })
	}
	host(t, fmt.Sprintf("ip link add eth0 netns %s type veth peer name eth0 netns %s", inside, outside))
	host(t, "ip -n "+outside+" addr add 10.0.0.1/24 dev eth0")
	host(t, "ip -n "+outside+" link set eth0 up")

	m := Make(t, Options{Name: "vm-test", Namespace: inside})
	m.Put(t, "/etc/systemd/network/10-eth0.network", Networkd("10.0.0.4/24", "0.0.0.0/0 10.0.0.1"))
	m.Boot(t)
	answers := func() error {
		_, err := m.Output(t.Context(), "ping", "-c1", "-W1", "10.0.0.1")
		return err
	}
	lab.Eventually(t, 20*time.Second, answers)
	if got := strings.TrimSpace(m.Exec(t, "hostname")); got != "vm-test" {
		t.Errorf("host name %q", got)
	}
	m.Sh(t, "sysctl -q net.ipv4.ip_forward=1; ip link add vx0 type vxlan id 1 dstport 4789; echo kept >/root/kept; sync")

	for _, off := range []func(context.Context) error{m.Stop, func(context.Context) error { return m.Kill() }} {
		if err := off(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Output(t.Context(), "true"); err == nil {
			t.Error("a machine that is off runs commands")
		}
		m.Boot(t)
		lab.Eventually(t, 20*time.Second, answers)
		if got := m.Sh(t, "cat /root/kept; sysctl -n net.ipv4.ip_forward; ip -br link show type vxlan"); got != "kept\n0\n" {
			t.Errorf("after power off and on: %q", got)
		}
	}
	if got := strings.Count(m.Journal(), "Linux version"); got > 0 {
		t.Errorf("the journal has the host's kernel log")
	}
	if !strings.Contains(m.Journal(), "Journal started") {
		t.Error("no journal")
	}
	if err := m.Remove(); err != nil {
		t.Fatal(err)
	}
	for _, h := range hierarchies {
		if _, err := os.Stat(filepath.Join(h, m.id)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("control group left: %v", err)
		}
	}
	if _, err := os.Stat(m.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("layer left: %v", err)
	}
}

func host(t *testing.T, command string) {
	t.Helper()
	argv := strings.Fields(command)
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", command, err, out)
	}
}
