package failover

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/failover/probe"
	"github.com/nvad/nvad/integration/lab"
)

var (
	flagKills       = flag.Int("kills", 5, "how often nvad is killed")
	flagKillsRoutes = flag.Int("kill-routes", 10_000, "routes of each side while it is")
)

// objectNumber matches the number of a next-hop object or group.
var objectNumber = regexp.MustCompile(`\b(nhid|id|group) [0-9/,]+ ?`)

// watched runs do while traffic passes both ways, and returns the outages.
func (p *pair) watched(do func()) (results [2]probe.Result) {
	p.Helper()
	var streams [2]*probe.Stream
	for i, way := range []struct {
		from, to string
		block    int
	}{{"left", "right", rightBlock}, {"right", "left", leftBlock}} {
		s, err := probe.Start(p.NS(way.from), p.NS(way.to), targets(way.block, p.routes, 100), 5000)
		if err != nil {
			p.Fatal(err)
		}
		streams[i] = s
	}
	for _, s := range streams {
		if err := s.Flowing(steady, patience); err != nil {
			p.Fatal(err)
		}
	}
	do()
	for i, s := range streams {
		if err := s.Flowing(steady, patience); err != nil {
			p.Error(err)
		}
		r, err := s.Stop()
		if err != nil {
			p.Fatal(err)
		}
		results[i] = r
	}
	return results
}

// lossless fails the test if a packet was lost.
func (p *pair) lossless(what string, results [2]probe.Result) {
	p.Helper()
	for i, way := range []string{"left to right", "right to left"} {
		r := results[i]
		if r.Lost > 0 {
			p.Errorf("%s: %d of %d packets lost from %s, worst outage %v", what, r.Lost, r.Sent, way, r.Worst())
		}
	}
}

// same fails the test if an nvad's state in the kernel differs from before.
func (p *pair) same(name, before string) {
	p.Helper()
	if after := p.state(name); after != before {
		p.Errorf("%s: the kernel differs:\n%s", name, difference(before, after))
	}
}

// difference lists the lines that only one of two texts contains.
func difference(before, after string) string {
	count := map[string]int{}
	for line := range strings.Lines(before) {
		count[line]--
	}
	for line := range strings.Lines(after) {
		count[line]++
	}
	var w strings.Builder
	for line, n := range count {
		switch {
		case n < 0:
			w.WriteString("- " + line)
		case n > 0:
			w.WriteString("+ " + line)
		}
		if w.Len() > 4000 {
			break
		}
	}
	return w.String()
}

// TestRestart stops an nvad as `systemctl restart` does and starts it again.
func TestRestart(t *testing.T) {
	p := newPair(t, *flagKillsRoutes)
	near, far := p.state("near"), p.state("far")
	results := p.watched(func() {
		p.near.Stop()
		p.near = p.Nvad("near", "near")
		p.converge()
	})
	p.lossless("restart", results)
	p.same("near", near)
	p.same("far", far)
	t.Logf("%d and %d packets, %d and %d lost", results[0].Sent, results[1].Sent, results[0].Lost, results[1].Lost)
}

// TestKill kills an nvad at random moments while routes are announced and withdrawn, and
// starts it again.
func TestKill(t *testing.T) {
	p := newPair(t, *flagKillsRoutes)
	near, far := p.state("near"), p.state("far")
	sent, lost := 0, 0
	for range *flagKills {
		pause := time.Duration(rand.Int64N(int64(longestPause)))
		results := p.watched(func() {
			calm := p.left.churn(leftBlock + 1)
			time.Sleep(pause) // the kill comes at a random moment
			p.restart()
			calm()
			p.converge()
		})
		p.lossless("killed after "+pause.String(), results)
		p.steady()
		for _, r := range results {
			sent, lost = sent+r.Sent, lost+r.Lost
		}
	}
	p.same("near", near)
	p.same("far", far)
	t.Logf("killed %d times: %d packets, %d lost", *flagKills, sent, lost)
}

const longestPause = 300 * time.Millisecond

// steady waits until the sessions have lasted so long that the next loss does not count as a
// flap: the far nvad suppresses a neighbor that flaps.
func (p *pair) steady() {
	p.Helper()
	const steadyTime = 10 * time.Second
	lab.Eventually(p.T, 2*steadyTime, func() error {
		var neighbors []struct {
			Address string
			Since   time.Time
		}
		if err := p.ask("far", &neighbors, "neighbors"); err != nil {
			return err
		}
		for _, n := range neighbors {
			if age := time.Since(n.Since); age < steadyTime {
				return fmt.Errorf("the session with %s has lasted for %s", n.Address, age)
			}
		}
		return nil
	})
}

// restart kills the near nvad and starts it again.
func (p *pair) restart() {
	p.near.Kill()
	p.near = p.Nvad("near", "near")
}

// TestKillTwice kills an nvad again before it has announced everything to its neighbor. RFC
// 4724 4.2 then requires the neighbor to delete its stale routes, so there may be an outage.
// The test prints it and checks that the kernel ends in the same state.
func TestKillTwice(t *testing.T) {
	p := newPair(t, *flagKillsRoutes)
	near, far := p.state("near"), p.state("far")
	for range max(1, *flagKills/10) {
		pause := time.Duration(rand.Int64N(int64(longestPause)))
		results := p.watched(func() {
			p.restart()
			time.Sleep(pause) // the kill comes at a random moment
			p.restart()
			p.converge()
		})
		t.Logf("killed again %v after the start: %d and %d packets lost, worst outages %v and %v",
			pause, results[0].Lost, results[1].Lost, results[0].Worst(), results[1].Worst())
	}
	p.same("near", near)
	p.same("far", far)
}
