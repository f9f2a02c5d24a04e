package failover

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

var (
	flagDaemons = flag.String("daemons", "", "measure outages of these: nvad,FRR,BIRD")
	flagRoutes  = flag.String("routes", "100000", "numbers of routes to measure outages with")
	flagRounds  = flag.Int("rounds", 3, "rounds of each measurement")
	flagBFD     = flag.Duration("bfd", 300*time.Millisecond, "BFD interval, times 3; 0 for none")
	flagLimit   = flag.Duration("limit", 10*time.Second, "how long to wait for an outage to end")
	flagJSON    = flag.String("json", "", "write the figures to this file too")
)

func TestMain(m *testing.M) {
	sweep()
	os.Exit(lab.Main(m))
}
