package bfd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/frrouting"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
)

// announced is the prefix that the neighbor announces to nvad.
const announced = "10.50.0.0/16"

// If a neighbor of nvad falls silent, BFD detects it, nvad resets its session and withdraws
// its route, long before the BGP hold time. Everything returns with the neighbor.
func TestDaemonBesideFRR(t *testing.T) {
	for _, version := range rivals.FRRs {
		for name, path := range map[string]struct {
			addrs   [2]netip.Addr
			ttl     int
			dynamic bool
		}{"single-hop": {direct, 1, false}, "multihop": {distant, 2, false}, "dynamic": {direct, 1, true}} {
			if path.dynamic && !version.Whole() {
				continue
			}
			t.Run(version.Title+" "+name, func(t *testing.T) {
				lab.RequireRival(t, version)
				d := startDaemon(t, version, path.addrs, path.ttl, path.dynamic)
				d.follows(t, path.ttl > 1)
			})
		}
	}
}

// follows makes the neighbor, whose route is installed, fall silent and return.
func (d *underTest) follows(t *testing.T, multihop bool) {
	t.Helper()
	d.await(t, 30*time.Second, true)
	// BFD comes up beside BGP, and negotiates its intervals afterwards.
	lab.Eventually(t, 30*time.Second, func() error {
		if b := d.bfd(t); b.State != "Up" || b.DetectionTimeMs != 300 || b.Multihop != multihop {
			return fmt.Errorf("bfd %+v", b)
		}
		return nil
	})
	unmute := silence(t, d.lan.far)
	start := time.Now()
	d.await(t, detection+slack, false)
	t.Logf("route gone %v after silence, detection time %v", time.Since(start).Round(time.Millisecond), detection)
	if d.dynamic { // forgotten with its session
		if out := sh(t, d.nvactl(t, "neighbors")); strings.Contains(out, d.far.String()+" ") {
			t.Errorf("after its session:\n%s", out)
		}
	} else if b := d.bfd(t); b.State != "Down" || !strings.HasPrefix(b.LastDown, "nothing received for ") {
		t.Errorf("bfd %+v", b)
	}
	unmute()
	d.await(t, 30*time.Second, true)
}

// silence drops everything that leaves a namespace.
func silence(t *testing.T, space string) (end func()) {
	t.Helper()
	cmd := exec.Command("ip", "netns", "exec", space, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(`table inet silence {
		chain out { type filter hook output priority 0; oifname != "lo" drop; }
	}`)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
	return func() { sh(t, "ip netns exec "+space+" nft delete table inet silence") }
}

// underTest is nvad at the near end and FRR at the far end.
type underTest struct {
	lan     lan
	far     netip.Addr
	socket  string
	dynamic bool // the far end is no configured neighbor of nvad
}

func startDaemon(t *testing.T, version rivals.Rival, addrs [2]netip.Addr, ttl int, dynamic bool) *underTest {
	t.Helper()
	d := &underTest{lan: newLAN(t), far: addrs[1], socket: filepath.Join(shortDir(t), "nvad.sock"), dynamic: dynamic}
	startFRRouter(t, version, d.lan.far, addrs, ttl)
	multihop := ""
	if ttl > 1 {
		multihop = fmt.Sprintf("ebgp-multihop = %d\n", ttl)
	}
	config := filepath.Join(filepath.Dir(d.socket), "nvad.toml")
	who := fmt.Sprintf("[[neighbor]]\naddress = %q", d.far)
	if dynamic {
		who = fmt.Sprintf("[peer-group.far]\nlisten-range = [%q]", netip.PrefixFrom(d.far, 24).Masked())
	}
	text := fmt.Sprintf("asn = 65001\nrouter-id = \"10.77.0.1\"\n%s\nremote-asn = 65002\n"+
		"import = \"accept\"\nexport = \"accept\"\nbfd = { min-tx = %[2]d, min-rx = %[2]d }\n%[3]s",
		who, interval.Milliseconds(), multihop)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	spawn(t, d.lan.near, lab.Build(t, "./cmd/nvad"), "--config", config, "--socket", d.socket)
	lab.Build(t, "./cmd/nvactl")
	return d
}

// startFRRouter starts FRR's daemons with one neighbor that BFD watches.
func startFRRouter(t *testing.T, version rivals.Rival, space string, addrs [2]netip.Addr, ttl int) {
	t.Helper()
	dir := shortDir(t)
	multihop := ""
	if ttl > 1 {
		multihop = fmt.Sprintf(" neighbor %s ebgp-multihop %d\n", addrs[0], ttl)
	}
	ms := interval.Milliseconds()
	conf := map[string]string{"zebra": "", "bfdd": "", "bgpd": fmt.Sprintf("router bgp 65002\n bgp router-id 10.77.0.2\n"+
		" no bgp ebgp-requires-policy\n no bgp network import-check\n neighbor %[1]s remote-as 65001\n neighbor %[1]s timers connect 1\n"+
		"%[2]s neighbor %[1]s bfd 3 %[3]d %[3]d\n address-family ipv4 unicast\n  network %[4]s\n exit-address-family\n",
		addrs[0], multihop, ms, announced)}
	for name, text := range conf {
		if err := os.WriteFile(filepath.Join(dir, name+".conf"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err := frrouting.Start(version, dir, []string{"zebra", "bfdd", "bgpd"}, frrouting.Files(dir), func(_ string, argv ...string) error {
		spawn(t, space, argv...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// await waits until FRR's route is in the kernel, or until it is not.
func (d *underTest) await(t *testing.T, limit time.Duration, there bool) {
	t.Helper()
	lab.Eventually(t, limit, func() error {
		if got := sh(t, "ip -n "+d.lan.near+" route show "+announced); (got != "") != there {
			return errors.New("the route is: " + got)
		}
		return nil
	})
}

// bfdView is the BFD part of `nvactl neighbors -o json`.
type bfdView struct {
	State           string `json:"state"`
	Multihop        bool   `json:"multihop"`
	DetectionTimeMs int    `json:"detection_time_ms"`
	LastDown        string `json:"last_down"`
}

// nvactl returns a command that asks nvad.
func (d *underTest) nvactl(t *testing.T, command string) string {
	t.Helper()
	return lab.Build(t, "./cmd/nvactl") + " --socket " + d.socket + " " + command
}

func (d *underTest) bfd(t *testing.T) bfdView {
	t.Helper()
	out := sh(t, d.nvactl(t, "neighbors "+d.far.String()+" -o json"))
	var v struct {
		BFD bfdView `json:"bfd"`
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return v.BFD
}
