package differential

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/differential/gen"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
	"github.com/nvad/nvad/integration/rivals"
)

var (
	cases  = flag.Int("cases", 6, "cases to draw")
	seed   = flag.Uint64("seed", 1, "seed of the first case; the others follow")
	routes = flag.Int("routes", 400, "routes that a case announces")
	frrs   = flag.String("frr", "frr8,frr10", "versions of FRR to compare with, see integration/rivals")
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// forFRRs runs a test with each version of FRR, side by side.
func forFRRs(t *testing.T, test func(t *testing.T, version rivals.Rival)) {
	t.Helper()
	lab.RequireRoot(t)
	lab.RequireCommands(t, "ip")
	for _, command := range []string{"./cmd/nvad", "./cmd/nvactl"} {
		lab.Build(t, command)
	}
	for name := range strings.SplitSeq(*frrs, ",") {
		version, err := rivals.Find(name)
		if err != nil || !version.IsFRR() {
			t.Fatalf("-frr %s: %v", name, err)
		}
		t.Run(version.Name, func(t *testing.T) {
			t.Parallel()
			lab.RequireRival(t, version)
			test(t, version)
		})
	}
}

// TestDifferential runs cases until so many of them differ that more would add nothing.
func TestDifferential(t *testing.T) { forFRRs(t, testDifferential) }

func testDifferential(t *testing.T, version rivals.Rival) {
	const enough = 10
	c := coverage{hits: map[string]int{}}
	failed := 0
	for i := range uint64(*cases) {
		drawn := gen.New(*seed+i, *routes)
		if version != rivals.FRR8 {
			drawn.ForFRR10()
		}
		if !t.Run(fmt.Sprintf("seed=%d", drawn.Seed), func(t *testing.T) { runCase(t, version, drawn, &c) }) {
			failed++
		}
		if failed >= enough {
			t.Fatalf("%d of %d cases differ", failed, i+1)
		}
	}
	if failed == 0 {
		c.report(t)
	}
}

func runCase(t *testing.T, version rivals.Rival, drawn *gen.Case, c *coverage) {
	daemon, peers := links(drawn.Neighbors)
	a := meet(t, startFRR(t, version, newBed(t, daemon, peers), drawn.FRR()), drawn.Neighbors)
	b := meet(t, startNvad(t, newBed(t, daemon, peers), drawn.Nvad()), drawn.Neighbors)
	seen := expectSame(t, a, b)
	c.add(t, drawn, a.bedOf().Path("frr.log"), seen)
}

// links returns the addresses of the daemon and of its neighbors.
func links(neighbors []gen.Neighbor) (daemon, peers []string) {
	for _, n := range neighbors {
		if add := fmt.Sprintf("addr add %s/24 dev eth0", n.Self); !slices.Contains(daemon, add) {
			daemon = append(daemon, add)
		}
		peers = append(peers, fmt.Sprintf("addr add %s/24 dev eth0", n.Address))
	}
	return append(daemon, fmt.Sprintf("addr add %s/24 dev eth0", gen.Spare)), peers
}

// patience is how long a difference must last to count.
const patience = 6 * time.Second

// expectSame waits until both daemons are done and agree, and returns FRR's facts. Differences
// that last fail the test.
func expectSame(t *testing.T, frr, nvad *side) facts {
	t.Helper()
	for _, s := range []*side{frr, nvad} {
		lab.Eventually(t, 30*time.Second, s.settled)
	}
	var seen facts
	var diffs []difference
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		seen = frr.observe(t)
		diffs = compare(seen, nvad.observe(t))
		if len(diffs) == 0 || time.Now().After(deadline) {
			break
		}
	}
	if len(diffs) > 0 {
		report(t, frr, nvad, diffs)
	}
	return seen
}

// perKind is how many differences a report prints of each attribute.
const perKind = 2

// report prints the first differences of each attribute, the announcements for their prefixes,
// and the paths of the configurations.
func report(t *testing.T, frr, nvad *side, diffs []difference) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%d differences, among them:\n", len(diffs))
	told, kinds := map[string]bool{}, map[string]int{}
	for _, d := range diffs {
		kind := d.kind()
		if kinds[kind]++; kinds[kind] <= perKind {
			fmt.Fprintln(&text, d)
			told[d.prefix] = true
		}
	}
	fmt.Fprintln(&text, "announced:")
	for _, n := range frr.neighbors {
		for _, r := range n.Routes {
			if p := r.Prefix.String(); told[p] {
				fmt.Fprintf(&text, "%s by %s (%s): %s\n", p, n.Name, n.Address, rawbgp.Describe(r.Attrs))
			}
		}
	}
	for _, s := range []*side{frr, nvad} {
		fmt.Fprintf(&text, "%s: %s\n", s.name(), s.config())
	}
	t.Error(text.String())
}
