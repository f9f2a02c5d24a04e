package twohubs

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/failover/probe"
	"github.com/nvad/nvad/integration/lab"
)

// TestNewKey does what "nvactl tunnels rotate" says on two NVAs: a second tunnel with new keys takes
// over from the first one, and no packet is lost meanwhile.
func TestNewKey(t *testing.T) {
	t.Parallel()
	lab.RequireRoot(t)
	r := newRotation(t)
	lossless := r.sending()

	far := r.step("hub00", "rotate wg0", "exchange").Elsewhere[0]
	second := map[string]string{}
	for _, hub := range []string{"hub10", "hub00"} { // the second one with the command that the first has printed
		s := r.step(hub, strings.TrimPrefix(far, "nvactl tunnels "), "configure")
		second[hub] = "\n" + strings.Join(s.Sections, "\n\n") + "\n"
		r.configure(hub, r.text[hub]+second[hub])
		far = s.Elsewhere[0]
	}
	r.awaitStep("hub00", "shutdown")
	commands := r.awaitStep("hub10", "shutdown").Commands
	for i, hub := range hubs {
		r.routes(hub.name, hubs[1-i].behind, "wg0k2")
	}
	r.nvactl("hub10", strings.Fields(strings.ReplaceAll(commands[0], `"new key"`, "new-key"))[1:]...)
	for i, hub := range hubs {
		r.awaitStep(hub.name, "remove")
		r.leaves(hub.name, hubs[1-i].behind, "wg0")
	}
	for _, hub := range hubs {
		r.configure(hub.name, first.ReplaceAllString(r.text[hub.name], "")+second[hub.name])
		r.step(hub.name, "rotate wg0", "done")
	}
	r.AwaitSessions(t, convergeTime)
	lossless()
	for _, hub := range hubs {
		if out, err := r.Output("vm-"+hub.name, "ip", "link", "show", "wg0"); err == nil {
			t.Errorf("%s still has the old tunnel: %s", hub.name, out)
		}
	}
	converge(t, r.Lab)
}

// TestStolenKey follows docs/wireguard.md: once the other end does not have the key any more, packets
// that are encrypted with it change nothing; a new key brings the tunnel back.
func TestStolenKey(t *testing.T) {
	t.Parallel()
	lab.RequireRoot(t)
	r := newRotation(t)
	const stolen = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=" // of hub10
	r.configure("hub00", strings.Replace(r.text["hub00"], stolen, r.publicKey("hub00", "spare"), 1))
	count := func() string {
		r.Helper()
		return r.Exec(t, "vm-hub00", "cat", "/sys/class/net/wg0/statistics/rx_packets")
	}
	before := count()
	if out, err := r.Output("vm-hub10", "ping", "-q", "-c", "20", "-i", "0.02", "-W", "0.2", "169.254.0.1"); err == nil || !strings.Contains(out, " 100% packet loss") {
		t.Errorf("with the stolen key: %s", out)
	}
	if after := count(); after != before {
		t.Errorf("%s packets before, and %s after the owner of the stolen key has sent", before, after)
	}
	if err := r.StopNVA("hub10"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(r.NVASocket("hub10")), "wireguard", "wg0.key")); err != nil {
		t.Fatal(err)
	}
	fresh := r.publicKey("hub10", "wg0")
	if err := r.StartNVA("hub10"); err != nil {
		t.Fatal(err)
	}
	r.configure("hub00", strings.Replace(r.text["hub00"], stolen, fresh, 1))
	converge(t, r.Lab)
}

// publicKey runs "nvad public-key" on a hub.
func (r *rotation) publicKey(hub, name string) string {
	r.Helper()
	out, err := exec.Command(lab.Build(r.T, "./cmd/nvad"), "public-key", name, "--socket", r.NVASocket(hub)).Output()
	if err != nil {
		r.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// hubs are the two ends, each with the prefix behind it.
var hubs = []struct{ name, behind string }{{"hub00", "10.100.0.0/16"}, {"hub10", "10.110.0.0/16"}}

// first matches the old tunnel and the neighbor in it.
var first = regexp.MustCompile(`(?s)\[\[tunnel\]\]\nname       = "wg0".*?\n\n|\[\[neighbor\]\]\naddress       = "169.254.0.[12]".*?\n\n`)

// rotation is the two hubs with files that change.
type rotation struct {
	*testing.T
	*lab.Lab
	file, text map[string]string
}

func newRotation(t *testing.T) *rotation {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	r := &rotation{T: t, file: map[string]string{}, text: map[string]string{}}
	nvas := map[string]lab.NVA{}
	for _, hub := range hubs {
		text, err := os.ReadFile(filepath.Join(root, "configs", hub.name+"-wireguard.toml"))
		if err != nil {
			t.Fatal(err)
		}
		r.text[hub.name] = string(text)
		r.file[hub.name] = filepath.Join(t.TempDir(), hub.name+".toml")
		if err := os.WriteFile(r.file[hub.name], text, 0o644); err != nil {
			t.Fatal(err)
		}
		nvas[hub.name] = lab.NVA{Kind: lab.Nvad, Binary: lab.Build(t, "./cmd/nvad"), Config: r.file[hub.name]}
	}
	r.Lab = lab.Up(t, lab.Options{Scenario: "two-hubs-wireguard", NVAs: nvas})
	converge(t, r.Lab)
	return r
}

func (r *rotation) nvactl(hub string, args ...string) {
	r.Helper()
	if out, err := exec.Command(lab.Build(r.T, "./cmd/nvactl"), append([]string{"--socket", r.NVASocket(hub)}, args...)...).CombinedOutput(); err != nil {
		r.Fatalf("%s: nvactl %s: %v\n%s", hub, strings.Join(args, " "), err, out)
	}
}

// rotationStep holds an answer of "nvactl tunnels rotate".
type rotationStep struct {
	Step, Text          string
	Sections            []string
	Commands, Elsewhere []string
}

// step runs "nvactl tunnels", and checks which step it has reached.
func (r *rotation) step(hub, command, want string) rotationStep {
	r.Helper()
	s, err := r.ask(hub, command)
	if err != nil || s.Step != want {
		r.Fatalf("%s: nvactl tunnels %s: %+v, %v; want step %q", hub, command, s, err, want)
	}
	return s
}

// awaitStep waits until the rotation of wg0 has reached a step.
func (r *rotation) awaitStep(hub, want string) (s rotationStep) {
	r.Helper()
	lab.Eventually(r.T, convergeTime, func() (err error) {
		if s, err = r.ask(hub, "rotate wg0"); err == nil && s.Step != want {
			err = fmt.Errorf("%s: step %q, want %q: %s", hub, s.Step, want, s.Text)
		}
		return err
	})
	return s
}

func (r *rotation) ask(hub, command string) (s rotationStep, err error) {
	r.Helper()
	args := append([]string{"--socket", r.NVASocket(hub), "-o", "json", "tunnels"}, strings.Fields(command)...)
	out, err := exec.Command(lab.Build(r.T, "./cmd/nvactl"), args...).Output()
	if err != nil {
		return s, fmt.Errorf("nvactl %s: %w", strings.Join(args, " "), err)
	}
	return s, json.Unmarshal(out, &s)
}

func (r *rotation) configure(hub, text string) {
	r.Helper()
	if err := os.WriteFile(r.file[hub], []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
	r.nvactl(hub, "reload")
}

// routes waits until a hub has the prefix through a device as its best route or one of them; leaves
// waits until it does not have it.
func (r *rotation) routes(hub, prefix, device string) {
	r.Helper()
	r.through(hub, prefix, device, true)
}
func (r *rotation) leaves(hub, prefix, device string) {
	r.Helper()
	r.through(hub, prefix, device, false)
}

func (r *rotation) through(hub, prefix, device string, want bool) {
	r.Helper()
	lab.Eventually(r.T, convergeTime, func() error {
		out, err := r.Output("vm-"+hub, "ip", "route", "show", prefix)
		if err != nil || out == "" || strings.Contains(out, "dev "+device+" ") != want {
			return fmt.Errorf("%s: %s through %s is not %v: %s %v", hub, prefix, device, want, out, err)
		}
		return nil
	})
}

// sending sends 1000 packets a second each way until the function it returns is called. That fails
// the test if any was lost.
func (r *rotation) sending() (stop func()) {
	r.Helper()
	var streams []*probe.Stream
	for _, way := range [][3]string{{"vm-hub100", "vm-hub110", vm110}, {"vm-hub110", "vm-hub100", vm100}} {
		s, err := probe.Start(r.Namespace(way[0]), r.Namespace(way[1]), []netip.Addr{netip.MustParseAddr(way[2])}, 1000)
		if err != nil {
			r.Fatal(err)
		}
		streams = append(streams, s)
	}
	return func() {
		r.Helper()
		for _, s := range streams {
			result, err := s.Stop()
			if err != nil {
				r.Fatal(err)
			}
			if r.Logf("%d of %d packets lost", result.Lost, result.Sent); result.Lost > 0 || result.Sent < 100 {
				r.Errorf("%d of %d packets lost, worst outage %v", result.Lost, result.Sent, result.Worst())
			}
		}
	}
}
