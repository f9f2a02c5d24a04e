package failover

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/failover/probe"
	"github.com/nvad/nvad/integration/lab"
)

// The hosts of the two outer VNets of the two-hubs scenario.
const (
	host100, address100 = "vm-hub100", "10.100.0.4"
	host110, address110 = "vm-hub110", "10.110.0.4"
)

// TestRouteServer restarts the NVA of a hub. Route Server has no graceful restart: it
// withdraws the NVA's routes from the VNet until they are announced again. The test prints the
// outage in both directions.
func TestRouteServer(t *testing.T) {
	lab.RequireRoot(t)
	l := lab.Up(t, lab.Options{NVAs: map[string]lab.NVA{"hub00": nvaOf(t, "hub00"), "hub10": nvaOf(t, "hub10")}})
	l.AwaitSessions(t, 30*time.Second)
	for _, end := range []struct {
		name string
		do   func(string) error
	}{{"SIGTERM", l.StopNVA}, {"SIGKILL", l.KillNVA}} {
		there, back := bothWays(t, l)
		if err := end.do("hub00"); err != nil {
			t.Fatal(err)
		}
		if err := l.StartNVA("hub00"); err != nil {
			t.Fatal(err)
		}
		l.AwaitSessions(t, 30*time.Second)
		report(t, end.name+", towards the other hub", there)
		report(t, end.name+", from the other hub", back)
	}
}

func nvaOf(t *testing.T, vnet string) lab.NVA {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return lab.NVA{
		Kind: lab.Nvad, Binary: lab.Build(t, "./cmd/nvad"), Config: filepath.Join(root, "configs", vnet+".toml"),
	}
}

// bothWays starts traffic between the outer VNets and waits until it flows.
func bothWays(t *testing.T, l *lab.Lab) (there, back *probe.Stream) {
	t.Helper()
	start := func(from, to, address string) *probe.Stream {
		s, err := probe.Start(l.Namespace(from), l.Namespace(to), []netip.Addr{addr(address)}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	there, back = start(host100, host110, address110), start(host110, host100, address100)
	for _, s := range []*probe.Stream{there, back} {
		if err := s.Flowing(steady, 2*patience); err != nil {
			t.Fatal(err)
		}
	}
	return there, back
}

// report waits until a stream flows again and prints its outage.
func report(t *testing.T, what string, s *probe.Stream) {
	t.Helper()
	if err := s.Flowing(steady, patience); err != nil {
		t.Error(err)
	}
	r, err := s.Stop()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d of %d packets lost in %v", what, r.Lost, r.Sent, r.Worst().Round(time.Millisecond))
	if r.Worst() > routeServerLimit {
		t.Errorf("%s: an outage of %v", what, r.Worst())
	}
}

// routeServerLimit is generous, because the test prints the figures.
const routeServerLimit = 10 * time.Second
