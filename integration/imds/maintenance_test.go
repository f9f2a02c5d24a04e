package imds

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/metadata"
)

// frozen is how long the VM is paused. BFD detects a dead neighbor after 0.9 s.
const frozen = 4 * time.Second

// TestMaintenance puts hub00's NVA through a reboot and a freeze.
func TestMaintenance(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.metadata(t, "hub00")
	for _, hub := range []string{"hub00", "hub10"} {
		b.start(t, hub, b.watchful(t, hub))
	}
	b.settles(t)
	b.bfdUp(t)
	t.Run("reboot", func(t *testing.T) { b.reboot(t, s) })
	t.Run("freeze", func(t *testing.T) { b.freeze(t, s) })
	t.Run("unannounced", func(t *testing.T) { b.unannounced(t) })
}

// watchful returns a hub's configuration with BFD between the NVAs and with scheduled events
// enabled.
func (b bed) watchful(t *testing.T, hub string) string {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, filepath.Join(root, "configs", hub+".toml"))
	text = strings.Replace(text, "next-hop-self = true\n", "next-hop-self = true\nbfd = true\n", 1)
	text += "\n[azure]\nscheduled-events = true\n\n[drain]\nhold = 2\n"
	file := filepath.Join(b.dir, hub+".toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// reboot: traffic is drained, then the event is approved. Once it is over, everything is as
// before.
func (b bed) reboot(t *testing.T, s *metadata.Server) {
	s.Schedule("other", "Reboot", 15*time.Minute, "vm-hub10")
	s.Schedule("reboot", "Reboot", 15*time.Minute, "vm-hub00")
	lab.Eventually(t, 20*time.Second, func() error { return b.drained(t, true) })
	lab.Eventually(t, 20*time.Second, func() error { return approved(s, "reboot") })
	if out := b.nvactl(t, "status"); !strings.Contains(out, "by scheduled event: Azure: Reboot") {
		t.Errorf("the status does not say why:\n%s", out)
	}
	s.Begin("reboot")
	s.Finish("reboot")
	lab.Eventually(t, 20*time.Second, func() error { return b.drained(t, false) })
	if err := approved(s, "reboot"); err != nil {
		t.Error(err)
	}
}

// freeze: no session is reset at either end, although both watch each other with BFD.
func (b bed) freeze(t *testing.T, s *metadata.Server) {
	before := b.losses()
	s.Schedule("freeze", "Freeze", 15*time.Minute, "vm-hub00")
	lab.Eventually(t, 20*time.Second, func() error { return approved(s, "reboot", "freeze") })
	if err := b.drained(t, true); err != nil {
		t.Error(err)
	}
	s.Begin("freeze")
	b.pause(t)
	s.Finish("freeze")
	lab.Eventually(t, 20*time.Second, func() error { return b.drained(t, false) })
	b.bfdUp(t)
	if after := b.losses(); after != before {
		t.Errorf("sessions were lost: %s, before %s", after, before)
	}
}

// unannounced checks that a freeze without notice does lose sessions. Otherwise the test of
// the freeze would prove nothing.
func (b bed) unannounced(t *testing.T) {
	before := b.losses()
	b.pause(t)
	lab.Eventually(t, 20*time.Second, func() error {
		if after := b.losses(); after == before {
			return fmt.Errorf("no session was lost")
		}
		return nil
	})
}

// pause stops the NVA's daemon for a while.
func (b bed) pause(t *testing.T) {
	t.Helper()
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := b.SignalNVA("hub00", sig); err != nil {
			t.Fatal(err)
		}
		if sig == syscall.SIGSTOP {
			time.Sleep(frozen)
		}
	}
}

// drained checks what Route Server was last sent.
func (b bed) drained(t *testing.T, want bool) error {
	routes, err := b.RouteServer("hub00", 0).Received(t.Context(), b.vm(t, "hub00").NICs[0].Addresses[0])
	if err != nil || len(routes) == 0 {
		return fmt.Errorf("Route Server has %d routes, %v", len(routes), err)
	}
	for _, r := range routes {
		if got := slices.Contains(r.Communities, "65535:0"); got != want {
			return fmt.Errorf("%s has communities %v", r.Prefix, r.Communities)
		}
	}
	return nil
}

func approved(s *metadata.Server, want ...string) error {
	if got := s.Approved(); !slices.Equal(got, want) {
		return fmt.Errorf("approved are %v, want %v", got, want)
	}
	return nil
}

// losses counts the lost sessions at both ends.
func (b bed) losses() string {
	count := func(hub string) int {
		log := b.NVALog(hub)
		return strings.Count(log, `msg="neighbor down"`) + strings.Count(log, `msg="bfd down"`)
	}
	return fmt.Sprintf("%d at hub00, %d at hub10", count("hub00"), count("hub10"))
}

// bfdUp waits for BFD between the NVAs.
func (b bed) bfdUp(t *testing.T) {
	t.Helper()
	lab.Eventually(t, 30*time.Second, func() error {
		out := b.nvactl(t, "neighbors", "169.254.0.2")
		_, bfd, _ := strings.Cut(out, "BFD\n")
		if words := strings.Join(strings.Fields(bfd), " "); !strings.HasPrefix(words, "State Up for") {
			return fmt.Errorf("no BFD in\n%s", out)
		}
		return nil
	})
}

func (b bed) nvactl(t *testing.T, args ...string) string {
	t.Helper()
	argv := append([]string{lab.Build(t, "./cmd/nvactl"), "--socket", b.NVASocket("hub00")}, args...)
	return b.Exec(t, "vm-hub00", argv...)
}
