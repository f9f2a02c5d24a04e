package twohubs

import (
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

// TestNewKey follows docs/wireguard.md: a second tunnel with new keys takes over from the first one,
// and no packet is lost meanwhile.
func TestNewKey(t *testing.T) {
	t.Parallel()
	lab.RequireRoot(t)
	r := newRotation(t)
	lossless := r.sending()

	keys := map[string]string{}
	for _, hub := range hubs {
		out, err := exec.Command(lab.Build(t, "./cmd/nvad"), "public-key", "wg1", "--socket", r.NVASocket(hub.name)).Output()
		if err != nil {
			t.Fatal(err)
		}
		keys[hub.name] = strings.TrimSpace(string(out))
	}
	second := map[string]string{}
	for i, hub := range hubs {
		other := hubs[1-i]
		second[hub.name] = fmt.Sprintf(`
[[tunnel]]
name        = "wg1"
type        = "wireguard"
listen-port = 51821
public-key  = %q
endpoint    = "%s:51821"
address     = "169.254.0.%d/30"

[[neighbor]]
address       = "169.254.0.%d"
remote-asn    = 65001
next-hop-self = true
export        = { prefix-list = %q }
`, keys[other.name], other.address, 5+i, 6-i, hub.list)
		r.configure(hub.name, r.text[hub.name]+second[hub.name])
	}
	r.AwaitSessions(t, convergeTime)
	for i, hub := range hubs {
		r.routes(hub.name, hubs[1-i].behind, "wg1")
	}
	r.nvactl("hub00", "shutdown", "169.254.0.2", "--message", "new key")
	for i, hub := range hubs {
		r.leaves(hub.name, hubs[1-i].behind, "wg0")
	}
	for _, hub := range hubs {
		r.configure(hub.name, first.ReplaceAllString(r.text[hub.name], "")+second[hub.name])
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

// hubs are the two ends; list is the prefix-list of what the other end learns.
var hubs = []struct{ name, address, behind, list string }{
	{"hub00", "10.0.0.4", "10.100.0.0/16", "vm-hub10"},
	{"hub10", "10.10.0.4", "10.110.0.0/16", "vm-hub00"},
}

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
		if err != nil || out == "" || strings.Contains(out, device) != want {
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
