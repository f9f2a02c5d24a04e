package bfd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
)

// inner are the addresses within the tunnel.
var inner = [2]netip.Addr{netip.MustParseAddr("169.254.0.1"), netip.MustParseAddr("169.254.0.2")}

// Static routes lead to these prefixes behind the far end of the tunnel. One of them has an
// alternative path.
const (
	onlyByTunnel = "10.60.0.0/16"
	alsoAround   = "10.61.0.0/16"
)

// Static routes over a tunnel without BGP follow the BFD session with its far end, which is
// not an nvad.
func TestTunnelFarEnd(t *testing.T) {
	for _, rival := range rivals.All {
		t.Run(rival.Title, func(t *testing.T) {
			s := startTunnel(t, rival)
			const farEnd, around = "169.254.0.2", "10.77.1.9"
			s.routes(t, "nobody answers", 20*time.Second, "", around)
			s.far.start(t, interval)
			start := time.Now()
			s.routes(t, "the far end is there", 20*time.Second, farEnd, farEnd)
			t.Logf("routes up %v after the start of %s", time.Since(start).Round(time.Millisecond), rival.Title)
			s.detects(t)
			unmute := mute(t, s.lan.far)
			start = time.Now()
			s.routes(t, "it is silent", detection+slack, "", around)
			t.Logf("routes moved %v after silence, detection time %v", time.Since(start).Round(time.Millisecond), detection)
			s.says(t, "down", "nothing received for")
			unmute()
			s.routes(t, "it is heard again", 20*time.Second, farEnd, farEnd)
			s.says(t, "up", "")
			s.shut(t, farEnd)
			s.far.open(t)
			s.says(t, "up", "")
		})
	}
}

// shut makes the far end shut its session down. If the far end announces that, the routes
// stay.
func (s *tunnelScene) shut(t *testing.T, farEnd string) {
	t.Helper()
	s.far.shut(t)
	if _, tells := s.far.(*frr); !tells {
		s.says(t, "down", "nothing received for")
		return
	}
	s.says(t, "up", "the other end has shut BFD down, the routes stay")
	time.Sleep(2 * detection) // nothing signals that an event has not happened
	s.routes(t, "it is shut down on purpose", slack, farEnd, farEnd)
}

// nearTunnel is the beginning of nvad's configuration file.
const nearTunnel = `asn = 65001
router-id = "10.77.0.1"
[[tunnel]]
name = "vxlan0"
vni = 77
device = "direct"
remotes = ["10.77.0.2"]
address = "169.254.0.1/24"`

// farTunnel creates the far end of the tunnel.
func (n lan) farTunnel(t *testing.T) {
	t.Helper()
	sh(t, "ip -n "+n.far+" link add vxlan0 type vxlan id 77 remote 10.77.0.1 local 10.77.0.2 dstport 4789 dev direct")
	sh(t, "ip -n "+n.far+" addr add 169.254.0.2/24 dev vxlan0")
	sh(t, "ip -n "+n.far+" link set vxlan0 up")
}

// The neighbor behind the tunnel is BIRD, with iBGP and BFD.
func TestDaemonBesideBIRD(t *testing.T) {
	lab.RequireRoot(t)
	lab.RequireCommands(t, "bird")
	d := &underTest{lan: newLAN(t), far: inner[1], socket: filepath.Join(shortDir(t), "nvad.sock")}
	d.lan.farTunnel(t)
	dir := shortDir(t)
	bird := filepath.Join(dir, "bird.conf")
	config := filepath.Join(dir, "nvad.toml")
	for file, text := range map[string]string{bird: fmt.Sprintf(`router id 10.77.0.2;
protocol device {}
protocol static { ipv4; route %[1]s blackhole; }
protocol bfd { interface "*" { min rx interval %[2]d ms; min tx interval %[2]d ms; multiplier 3; }; }
protocol bgp { local as 65001; neighbor %[3]s as 65001; direct; bfd on; connect retry time 1; error wait time 1, 2;
	ipv4 { import all; export all; next hop self; }; }
`, announced, interval.Milliseconds(), inner[0]), config: fmt.Sprintf(nearTunnel+`
[[neighbor]]
address = %q
remote-asn = 65001
bfd = { min-tx = %[2]d, min-rx = %[2]d }
`, inner[1], interval.Milliseconds())} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	spawn(t, d.lan.far, "bird", "-f", "-c", bird, "-s", filepath.Join(dir, "bird.ctl"), "-P", filepath.Join(dir, "bird.pid"))
	lab.Build(t, "./cmd/nvactl")
	spawn(t, d.lan.near, lab.Build(t, "./cmd/nvad"), "--config", config, "--socket", d.socket)
	d.follows(t, false)
}

// tunnelScene is nvad at the near end, with a tunnel to a peer at the far end.
type tunnelScene struct {
	lan    lan
	far    peer
	socket string
}

func startTunnel(t *testing.T, rival rivals.Rival) *tunnelScene {
	t.Helper()
	s := &tunnelScene{lan: newLAN(t), socket: filepath.Join(shortDir(t), "nvad.sock")}
	s.lan.farTunnel(t)
	s.far = newPeer(t, ends{
		rival: rival,
		test:  t, space: s.lan.far, dir: shortDir(t), device: "vxlan0", local: inner[1], remote: inner[0],
	})
	config := filepath.Join(filepath.Dir(s.socket), "nvad.toml")
	text := fmt.Sprintf(nearTunnel+`
bfd = { min-tx = %[1]d, min-rx = %[1]d }
[[static-route]]
prefix = %[2]q
via = "169.254.0.2"
[[static-route]]
prefix = %[3]q
via = "169.254.0.2"
[[static-route]]
prefix = %[3]q
via = "10.77.1.9"
metric = 200
`, interval.Milliseconds(), onlyByTunnel, alsoAround)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	lab.Build(t, "./cmd/nvactl")
	spawn(t, s.lan.near, lab.Build(t, "./cmd/nvad"), "--config", config, "--socket", s.socket)
	return s
}

// routes waits until the kernel has these gateways for the route that leads only through the
// tunnel and for the one with an alternative path; empty: no route.
func (s *tunnelScene) routes(t *testing.T, when string, limit time.Duration, only, around string) {
	t.Helper()
	lab.Eventually(t, limit, func() error {
		for prefix, want := range map[string]string{onlyByTunnel: only, alsoAround: around} {
			text := sh(t, "ip -n "+s.lan.near+" route show "+prefix)
			_, got, _ := strings.Cut(text, "via ") // the first gateway: the second is the backup
			if got, _, _ = strings.Cut(got, " "); got != want {
				return fmt.Errorf("%s: route is %q, want gateway %q", when, text, want)
			}
		}
		return nil
	})
}

// tunnelView is the part of `nvactl tunnels -o json` that the tests read.
type tunnelView struct {
	State string `json:"state"`
	Peers []struct {
		Neighbor string `json:"neighbor"`
		Up       bool   `json:"up"`
		Reason   string `json:"reason"`
	} `json:"peers"`
}

// says waits until nvactl shows this state of the tunnel and this reason why the far end is
// not up; empty: it is up.
func (s *tunnelScene) says(t *testing.T, state, reason string) {
	t.Helper()
	lab.Eventually(t, 20*time.Second, func() error {
		var v tunnelView
		out := sh(t, lab.Build(t, "./cmd/nvactl")+" --socket "+s.socket+" tunnels vxlan0 -o json")
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			return err
		}
		if len(v.Peers) != 1 || v.State != state || v.Peers[0].Up != (reason == "") || !strings.HasPrefix(v.Peers[0].Reason, reason) {
			return errors.New(out)
		}
		return nil
	})
}

// detects waits until both sides have agreed on the fast interval: BFD begins with one packet
// a second.
func (s *tunnelScene) detects(t *testing.T) {
	t.Helper()
	s.says(t, "up", "")
	lab.Eventually(t, 20*time.Second, func() error {
		if !s.far.up(t) {
			return errors.New(s.far.show(t))
		}
		return nil
	})
}
