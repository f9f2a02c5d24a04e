package boot

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/failover/probe"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/machine"
)

// TestBoot switches both NVAs on and touches nothing until traffic passes between the hubs. One
// of them finds everything itself, the other one brings its configuration.
func TestBoot(t *testing.T) {
	b := newBed(t, operator(t), "bootstrap.yaml", "config.yaml")
	b.ChangeAzure(t, func(s *arm.State) { s.Connect(arm.ID(arm.TypeHub, "rs-hub10"), "vm-hub10", "10.10.0.4", 65001) })
	begin := time.Now()
	b.start(t)
	b.reach(t)
	t.Logf("from power-on to ping in both directions: %v", time.Since(begin).Round(100*time.Millisecond))
	for _, n := range b.nvas() {
		n.initialised(t)
		n.settled(t)
		n.installed(t)
	}
	t.Run("reboot", b.reboot)
	t.Run("upgrade", b.upgrade)
	t.Run("kill", b.kill)
}

func (b bed) start(t *testing.T) {
	t.Helper()
	for _, n := range b.nvas() {
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
	}
}

// installed: the file has its owner and mode, the service is enabled and runs, and the machine
// was not rebooted.
func (n *nva) installed(t *testing.T) {
	t.Helper()
	got := n.Sh(t, "stat -c '%U:%G %a' /etc/nvad/nvad.toml; systemctl is-enabled nvad; systemctl is-active nvad")
	if want := "root:nvad 640\nenabled\nactive\n"; got != want {
		t.Errorf("%s: got %q, want %q", n.hub, got, want)
	}
	if boots := strings.Count(n.Journal(), "Startup finished in"); boots > 1 {
		t.Errorf("%s: booted %d times", n.hub, boots)
	}
	n.Exec(t, "nvad", "check")
}

// The longest interruptions of traffic that are allowed. A restart of nvad removes its routes
// from the VNet for a moment, because Route Server has no graceful restart. Packets that still
// arrive are forwarded. Only a second NVA would do better.
const (
	mostReboot  = time.Minute
	mostRestart = 10 * time.Second
)

// reboot: everything that cloud-init did lasts, and it does nothing again.
func (b bed) reboot(t *testing.T) {
	b.measure(t, "reboot", mostReboot, func() {
		if err := b.hub00.Reboot(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.hub00.settled(t)
	})
	b.hub00.Booted(t)
	b.hub00.initialised(t)
}

// upgrade: the package manager restarts nvad, and nvad's routes stay meanwhile.
func (b bed) upgrade(t *testing.T) {
	b.hub00.CopyIn(t, machine.Deb(t, "1.0.1"), "/root/nvad.deb")
	b.measure(t, "upgrade", mostRestart, func() {
		b.hub00.Exec(t, "apt-get", "install", "-y", "/root/nvad.deb")
		b.hub00.settled(t)
	})
	if got := b.hub00.Exec(t, "nvactl", "version"); !strings.Contains(got, "1.0.1") || strings.Contains(got, "1.0.0") {
		t.Errorf("after the upgrade:\n%s", got)
	}
}

// kill: systemd starts nvad again, and nvad finds its routes where it left them.
func (b bed) kill(t *testing.T) {
	pid := strings.TrimSpace(b.hub00.Exec(t, "systemctl", "show", "-P", "MainPID", "nvad"))
	b.measure(t, "kill", mostRestart, func() {
		b.hub00.Exec(t, "systemctl", "kill", "-s", "KILL", "nvad")
		lab.Eventually(t, patience, func() error {
			now, err := b.hub00.Output(t.Context(), "systemctl", "show", "-P", "MainPID", "nvad")
			if now = strings.TrimSpace(now); err != nil || now == pid || now == "0" {
				return fmt.Errorf("nvad was process %s, is %q: %v", pid, now, err)
			}
			return nil
		})
		b.hub00.settled(t)
	})
}

// way is one direction between the outer VNets.
type way struct{ from, to, address string }

var ways = []way{{"vm-hub100", "vm-hub110", "10.110.0.4"}, {"vm-hub110", "vm-hub100", "10.100.0.4"}}

// measure runs does and prints how long it interrupts traffic in each direction.
func (b bed) measure(t *testing.T, what string, most time.Duration, does func()) {
	t.Helper()
	const rate, steady = 200, time.Second
	streams := make([]*probe.Stream, len(ways))
	for i, w := range ways {
		var err error
		streams[i], err = probe.Start(b.Namespace(w.from), b.Namespace(w.to), []netip.Addr{netip.MustParseAddr(w.address)}, rate)
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range streams {
		if err := s.Flowing(steady, patience); err != nil {
			t.Fatalf("before the %s, %s to %s: %v", what, ways[i].from, ways[i].to, err)
		}
	}
	does()
	for i, s := range streams {
		flowing := s.Flowing(steady, patience)
		r, err := s.Stop()
		if err != nil || flowing != nil {
			t.Fatalf("after the %s, %s to %s: %v, %v", what, ways[i].from, ways[i].to, flowing, err)
		}
		t.Logf("%s, %s to %s: %v without traffic, %d of %d packets lost (sender stalled %v at most)", what, ways[i].from, ways[i].to,
			r.Worst().Round(time.Millisecond), r.Lost, r.Sent, r.Stall.Round(time.Millisecond))
		if r.Worst() > most+r.Stall {
			t.Errorf("%s: more than %v without traffic", what, most)
		}
	}
}
