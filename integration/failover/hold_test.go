package failover

import (
	"encoding/json"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

var flagHold = flag.Int("hold-routes", 100_000, "routes that two neighbors announce and withdraw while BFD has to hold")

// TestBFDHolds has two neighbors announce everything, the preferred one withdraw it
// by a lost session and announce it again, while every core is busy with something
// else too. BFD, 300 ms x 3, with FRR's bfdd and with BIRD, must not notice.
func TestBFDHolds(t *testing.T) {
	lab.RequireCommands(t, "vtysh", frrDir+"bfdd")
	const interval = 300 * time.Millisecond
	s := layScene(t, nvadDaemon, *flagHold, interval)
	s.a.answerByFRR(interval)
	s.b.answerBFD(interval)
	lab.Build(t, "./cmd/nvactl")
	startNvadNicely(s.bed)
	s.occupy()
	start := time.Now()
	s.load()
	s.a.reset()
	s.a.connect()
	s.settle()
	took := time.Since(start).Round(time.Millisecond)
	near, downs := s.nearFlaps(), s.a.frrDowns()
	t.Logf("%d routes twice, %d withdrawn and announced again, in %v on %d busy cores", s.routes, s.routes, took, runtime.NumCPU())
	t.Logf("nvad has seen flaps %v, FRR %d", near, downs)
	if near["10.1.0.2"]+near["10.2.0.2"]+downs > 0 || len(near) != 2 {
		t.Errorf("BFD flapped: nvad has seen %v, FRR %d", near, downs)
	}
}

// startNvadNicely starts nvad at the priority of an ordinary service.
func startNvadNicely(b *bed) {
	b.Helper()
	b.spawn("dut", "nvad", "nice", "-n", fmt.Sprint(-priority), lab.Build(b.T, "./cmd/nvad"),
		"--config", filepath.Join(b.dir, "nvad.toml"), "--socket", filepath.Join(b.dir, "nvad.sock"))
}

// occupy keeps every core busy at the priority of an ordinary service.
func (s *scene) occupy() {
	s.Helper()
	for i := range runtime.NumCPU() {
		s.spawn("host", fmt.Sprintf("busy%d", i), "nice", "-n", fmt.Sprint(-priority), "sh", "-c", "while :; do :; done")
	}
}

// answerByFRR is answerBFD by FRR's bfdd.
func (v *nva) answerByFRR(interval time.Duration) {
	v.Helper()
	ms := interval.Milliseconds()
	config := v.write("bfdd.conf", fmt.Sprintf("bfd\n peer %s local-address %s\n  transmit-interval %d\n  receive-interval %d\n exit\nexit\n",
		v.remote, v.address, ms, ms))
	ownedByFRR(v.bed)
	v.spawn(v.name, "bfdd", frrDir+"bfdd", "-f", config, "-i", filepath.Join(v.dir, "bfdd.pid"), "--vty_socket", v.dir,
		"-z", filepath.Join(v.dir, "zserv.api"), "--bfdctl", filepath.Join(v.dir, "bfdd.sock"), "-A", "127.0.0.1", "-P", "0")
	v.exists(filepath.Join(v.dir, "bfdd.vty"))
}

// frrDowns is how often FRR has seen a session go down.
func (v *nva) frrDowns() int {
	v.Helper()
	out := v.run("vtysh", "--vty_socket", v.dir, "-c", "show bfd peers counters json")
	var peers []struct {
		Downs int `json:"session-down"`
	}
	if err := json.Unmarshal([]byte(out), &peers); err != nil || len(peers) != 1 {
		v.Fatalf("bfdd's counters: %v: %s", err, out)
	}
	return peers[0].Downs
}

// nearFlaps is how often nvad has seen a session go down, by neighbor.
func (s *scene) nearFlaps() map[string]int {
	s.Helper()
	argv := within(s.ns("dut"), lab.Build(s.T, "./cmd/nvactl"), "--socket", filepath.Join(s.dir, "nvad.sock"), "-o", "json", "neighbors")
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		s.Fatal(err)
	}
	var list []struct {
		Address string
		BFD     *struct{ Flaps int }
	}
	if err := json.Unmarshal(out, &list); err != nil {
		s.Fatal(err)
	}
	flaps := map[string]int{}
	for _, n := range list {
		if n.BFD != nil {
			flaps[n.Address] = n.BFD.Flaps
		}
	}
	return flaps
}
