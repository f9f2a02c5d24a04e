package scenarios

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestVXLANStatic runs nvad without a neighbor, with only a tunnel and static routes.
func TestVXLANStatic(t *testing.T) {
	t.Parallel()
	l := lab.UpScenario(t, "vxlan-static")
	show(t, l)
	t.Run("paths", func(t *testing.T) {
		// The article has no answer from the far NVA. Here there is one, because the NVA's
		// static route has a source address that VNets carry.
		wantHops(t, l, "vm-hub101", "10.100.0.4 10.0.0.4 10.10.0.4")
		wantHops(t, l, "vm-spoke10", "10.0.0.4 10.100.0.4 10.100.0.5")
		noLoss(t, l, "vm-hub101", "10.10.0.4")
		noLoss(t, l, "vm-spoke10", "10.100.0.5")
	})
	t.Run("the NVAs themselves", func(t *testing.T) {
		noLoss(t, l, "vm-hub100", "10.10.0.4")
		noLoss(t, l, "vm-hub00", "10.100.0.5")
	})
	t.Run("routes", func(t *testing.T) {
		routes := step(t, l, "vm-hub00# ip route")
		expect(t, routes, `(?m)^10\.100\.0\.0/16 .*via 169\.254\.0\.2 dev vxlan0 .*src 10\.0\.0\.4`)
		expect(t, routes, `(?m)^10\.100\.0\.4 .*via 10\.0\.0\.1 dev eth0 `)
	})
	t.Run("effective routes", func(t *testing.T) {
		wantEffective(t, l, "vm-spoke10", `
			Default | Active | 10.10.0.0/16  | Virtual network   | -        | -
			Default | Active | 10.0.0.0/16   | VNet peering      | -        | -
			User    | Active | 10.100.0.0/16 | Virtual appliance | 10.0.0.4 | to-onprem`)
		wantEffective(t, l, "vm-hub101", `
			Default                 | Active | 10.100.0.0/16 | Virtual network         | -           | -
			Virtual network gateway | Active | 10.0.0.0/16   | Virtual network gateway | 10.2.146.76 | -
			Virtual network gateway | Active | 10.0.0.0/16   | Virtual network gateway | 10.2.146.77 | -
			User                    | Active | 10.10.0.0/16  | Virtual appliance       | 10.100.0.4  | to-spoke10`)
	})
	t.Run("tunnel health", func(t *testing.T) { testTunnelHealth(t, l) })
	t.Run("underlay down and up", func(t *testing.T) { testUnderlay(t, l) })
}

// testTunnelHealth: BFD takes the static route down when the far NVA dies, and when the
// packets from it are lost. The route returns together with the far NVA.
func testTunnelHealth(t *testing.T, l *lab.Lab) {
	for _, f := range []struct {
		name       string
		begin, end func() error
	}{
		{"killed", func() error { return l.KillNVA("hub100") }, func() error { return l.StartNVA("hub100") }},
		{"silent", func() error { return nft(l, "vm-hub100", "-f", silence(t)) },
			func() error { return nft(l, "vm-hub100", "delete", "table", "inet", "silence") }},
	} {
		awaitTunnel(t, l, "up", "10.100.0.4 up (bfd of gateway 169.254.0.2)")
		start := time.Now()
		if err := f.begin(); err != nil {
			t.Fatal(err)
		}
		awaitStatic(t, l, false)
		t.Logf("%s: the static route was down after %v", f.name, time.Since(start).Round(time.Millisecond))
		awaitTunnel(t, l, "down", "10.100.0.4 down (bfd of gateway 169.254.0.2): nothing received for 900ms")
		start = time.Now()
		if err := f.end(); err != nil {
			t.Fatal(err)
		}
		awaitStatic(t, l, true)
		t.Logf("%s: the static route was back after %v", f.name, time.Since(start).Round(time.Millisecond))
	}
	lab.Eventually(t, 10*time.Second, func() error {
		_, err := l.Output("vm-hub101", "ping", "-c", "1", "-W", "0.3", "10.10.0.4")
		return err
	})
	testFarRestart(t, l)
}

// testFarRestart: an NVA that is restarted on purpose announces that (AdminDown), and the
// route to it stays.
func testFarRestart(t *testing.T, l *lab.Lab) {
	awaitTunnel(t, l, "up", "10.100.0.4 up (bfd of gateway 169.254.0.2)")
	monitor := l.Command("vm-hub00", "timeout", "4", "ip", "monitor", "route")
	var seen strings.Builder
	monitor.Stdout = &seen
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.StopNVA("hub100"), l.StartNVA("hub100")); err != nil {
		t.Fatal(err)
	}
	_ = monitor.Wait() // timeout ends it, with its own exit status
	if strings.Contains(seen.String(), "10.100.0.0/16") {
		t.Errorf("a restart of the far NVA moved the route:\n%s", &seen)
	}
	awaitTunnel(t, l, "up", "10.100.0.4 up (bfd of gateway 169.254.0.2)")
}

// silence returns a file with nft rules that drop everything an NVA sends into tunnels.
func silence(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "silence.nft")
	text := "table inet silence {\n chain out { type filter hook output priority 0; udp dport 4789 drop; }\n}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func nft(l *lab.Lab, node string, args ...string) error {
	_, err := l.Output(node, append([]string{"nft"}, args...)...)
	return err
}

// awaitStatic waits until vm-hub00 has, or no longer has, the static route through the tunnel.
func awaitStatic(t *testing.T, l *lab.Lab, there bool) {
	t.Helper()
	lab.Eventually(t, 20*time.Second, func() error {
		if out := l.Exec(t, "vm-hub00", "ip", "route", "show", "10.100.0.0/16"); (out != "") != there {
			return fmt.Errorf("there is a static route: %q", out)
		}
		return nil
	})
}

// awaitTunnel waits until nvactl shows this state of the tunnel and of its peer.
func awaitTunnel(t *testing.T, l *lab.Lab, state, peer string) {
	t.Helper()
	lab.Eventually(t, 20*time.Second, func() error {
		out := strings.Join(strings.Fields(step(t, l, "vm-hub00# nvactl tunnels vxlan0")), " ")
		if !strings.Contains(out, " State "+state) || !strings.Contains(out, " Peer "+peer) {
			return fmt.Errorf("want %s, %s in:\n%s", state, peer, out)
		}
		return nil
	})
}

// testUnderlay: the kernel drops every route over a link that goes down, including the static
// ones. nvad restores them.
func testUnderlay(t *testing.T, l *lab.Lab) {
	if err := l.LinkDown("vm-hub00"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Output("vm-hub101", "ping", "-c", "1", "-W", "0.3", "10.10.0.4"); err == nil {
		t.Error("traffic passes without the underlay")
	}
	if err := l.LinkUp("vm-hub00"); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, 5*time.Second, func() error {
		_, err := l.Output("vm-hub101", "ping", "-c", "1", "-W", "0.3", "10.10.0.4")
		return err
	})
}
