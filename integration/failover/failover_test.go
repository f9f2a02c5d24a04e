package failover

import (
	"flag"
	"os"
	"testing"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
)

var (
	flagDaemons = flag.String("daemons", "", "measure outages of these: nvad, and rivals such as frr10,bird3")
	flagRoutes  = flag.String("routes", "100000", "numbers of routes to measure outages with")
	flagRounds  = flag.Int("rounds", 3, "rounds of each measurement")
	flagBFD     = flag.Duration("bfd", 300*time.Millisecond, "BFD interval, times 3; 0 for none")
	flagLimit   = flag.Duration("limit", 10*time.Second, "how long to wait for an outage to end")
	flagJSON    = flag.String("json", "", "write the figures to this file too")
)

func TestMain(m *testing.M) {
	netbed.Prioritize(priority)
	os.Exit(lab.Main(m))
}

// priority is a nice value. The test and everything it starts run ahead of the machine's other
// load: while a sender waits for a CPU, it sees no outage.
const priority = -15

// shortLimit is far more than nvad needs, even on a busy machine. The test prints the figures.
const shortLimit = 2 * time.Second

// TestRivals measures one failure with each rival, so that all of them are known to fit the
// scene: their routes are installed, and traffic returns.
func TestRivals(t *testing.T) {
	for _, r := range rivals.All {
		t.Run(r.Title, func(t *testing.T) {
			s := newScene(t, rivalDaemon(r), 200, *flagBFD)
			s.load()
			got := s.measure(failures[0], traffic{flows: 50, rate: 5_000, limit: *flagLimit})
			t.Logf("%s: the longest outage was %v", failures[0].name, got.Worst())
			if got.Open > 0 {
				t.Errorf("%d flows did not return", got.Open)
			}
		})
	}
}

// TestFailover is the short form of TestOutages.
func TestFailover(t *testing.T) {
	s := newScene(t, nvadDaemon, 1000, 0)
	s.load()
	for _, f := range failures {
		if f.needs != nil && !f.needs(s) {
			continue
		}
		r := s.measure(f, traffic{flows: 100, rate: 20_000, limit: 3 * shortLimit})
		if r.Worst() > shortLimit || r.Open > 0 {
			t.Errorf("%s: an outage of %v, %d flows did not return", f.name, r.Worst(), r.Open)
		}
		s.a.connect()
		s.settle()
	}
}
