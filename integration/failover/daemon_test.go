package failover

import (
	"fmt"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
)

// daemon is a routing daemon under test.
type daemon struct {
	name string
	// objects says whether the daemon's routes use the kernel's next-hop objects.
	objects bool
	// require skips the test where the daemon is not installed.
	require func(t *testing.T)
	// prepare writes the configuration. start starts the daemon and waits only for what its
	// next process needs.
	prepare func(b *bed, c setup)
	start   func(b *bed) []*process
}

// setup is the configuration that all daemons share: two neighbors, of which the first is
// preferred for its shorter path. Nothing is announced to either.
type setup struct {
	bfd       time.Duration // detection takes 3 intervals; 0: no BFD
	neighbors []neighbor
}

type neighbor struct {
	address string
	asn     uint32
}

// Settings of the device under test.
const (
	dutASN = 65001
	dutID  = "10.0.1.1"
)

// daemonOf returns the daemon with that name: nvad, or a rival.
func daemonOf(t *testing.T, name string) daemon {
	t.Helper()
	if name == nvadDaemon.name {
		return nvadDaemon
	}
	r, err := rivals.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return rivalDaemon(r)
}

func rivalDaemon(r rivals.Rival) daemon {
	if r.IsFRR() {
		return frrDaemon(r)
	}
	return birdDaemon(r)
}

// daemons are all, in the order of tables.
func daemons() []daemon {
	list := []daemon{nvadDaemon}
	for _, r := range rivals.All {
		list = append(list, rivalDaemon(r))
	}
	return list
}

// scene is a device under test between a host and two NVAs, with the receiver behind the NVAs.
//
//	host ── dut ── nva1 ── receiver
//	          └─── nva2 ──────┘
type scene struct {
	*bed
	daemon daemon
	routes int
	bfd    time.Duration
	a, b   *nva
}

// newScene creates a scene and starts the daemon in it.
func newScene(t *testing.T, d daemon, routes int, bfd time.Duration) *scene {
	t.Helper()
	s := layScene(t, d, routes, bfd)
	if bfd > 0 {
		s.a.answerBFD(bfd)
		s.b.answerBFD(bfd)
	}
	d.start(s.bed)
	return s
}

// layScene creates a scene in which nothing runs yet.
func layScene(t *testing.T, d daemon, routes int, bfd time.Duration) *scene {
	t.Helper()
	lab.RequireRoot(t)
	d.require(t)
	b := newBed(t, "host", "dut", "nva1", "nva2", "receiver")
	link(b, "host", "10.0.1.2", "dut", "10.0.1.1")
	link(b, "dut", "10.1.0.1", "nva1", "10.1.0.2")
	link(b, "dut", "10.2.0.1", "nva2", "10.2.0.2")
	link(b, "nva1", "10.3.0.1", "receiver", "10.3.0.2")
	link(b, "nva2", "10.4.0.1", "receiver", "10.4.0.2")
	b.IP("host", "route add default via 10.0.1.1")
	b.IP("nva1", "route add "+destinations+" via 10.3.0.2")
	b.IP("nva2", "route add "+destinations+" via 10.4.0.2")
	b.IP("receiver", "route add local "+destinations+" dev lo")
	s := &scene{bed: b, daemon: d, routes: routes, bfd: bfd}
	s.a = s.nva("nva1", "10.1", 65101, 1)
	s.b = s.nva("nva2", "10.2", 65102, 2)
	d.prepare(b, setup{bfd: bfd, neighbors: []neighbor{{"10.1.0.2", 65101}, {"10.2.0.2", 65102}}})
	return s
}

// nva creates one of the two NVAs. They do without graceful restart, under which routes would
// be kept and not lost.
func (s *scene) nva(name, net string, asn uint32, length int) *nva {
	v := &nva{
		bed: s.bed, name: name, device: "dut", address: addr(net + ".0.2"), remote: addr(net + ".0.1"), asn: asn, plain: true,
	}
	v.routes = announcement(block, s.routes, pathOf(v.address, asn, length))
	s.Cleanup(v.reset)
	return v
}

// load brings both sessions up and waits until the kernel routes everything through the
// preferred NVA.
func (s *scene) load() {
	s.Helper()
	s.b.connect()
	s.a.connect()
	s.settle()
}

// calm is how long the size of the kernel's tables must not change before a daemon counts as
// done.
const calm = time.Second

// perRoute is the extra time that each route may take on a busy machine.
const perRoute = 300 * time.Microsecond

// settle waits until all routes go through the preferred NVA and the daemon is done, so that
// the next failure does not meet unfinished work.
func (s *scene) settle() {
	s.Helper()
	last, since := -1, time.Now()
	s.Eventually(4*patience+time.Duration(s.routes)*perRoute, func() error {
		if s.a.stay() || s.b.stay() {
			since = time.Now()
		}
		count, err := s.prefixes("dut")
		if err != nil {
			return err
		}
		if count != last {
			last, since = count, time.Now()
		}
		if time.Since(since) < calm {
			return fmt.Errorf("the number of routes in the kernel still changes, it is %d at the moment", count)
		}
		return s.through("dut", s.a.address, s.routes)
	})
}
