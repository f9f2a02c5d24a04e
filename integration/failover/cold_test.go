package failover

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestColdStart measures the time from the start of a daemon until the kernel has the routes
// of a neighbor that only listens.
func TestColdStart(t *testing.T) {
	const routes, rounds = 10_000, 3
	names := []string{"nvad"}
	if *flagDaemons != "" {
		names = strings.Split(*flagDaemons, ",")
	}
	rows := [][]string{{"cold start", fmt.Sprintf("ms to %d routes", routes)}}
	took := map[string][]string{}
	for range rounds {
		for _, name := range names {
			t.Run(name, func(t *testing.T) {
				took[name] = append(took[name], fmt.Sprint(coldStart(t, daemonOf(t, name), routes).Milliseconds()))
			})
		}
	}
	for _, name := range names {
		rows = append(rows, []string{name, strings.Join(took[name], " ")})
	}
	fmt.Print(lab.Table(rows))
}

func coldStart(t *testing.T, d daemon, routes int) time.Duration {
	s := layScene(t, d, routes, 0)
	s.a.serve()
	before, err := s.prefixes("dut")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	d.start(s.bed)
	s.soon(func() error {
		if n, err := s.prefixes("dut"); err != nil || n < before+routes {
			return fmt.Errorf("%d of %d routes: %w", n-before, routes, err)
		}
		return nil
	})
	return time.Since(start)
}

// soonest is the interval at which soon polls.
const soonest = 5 * time.Millisecond

// soon polls, at a short interval, for an event whose time is measured.
func (s *scene) soon(check func() error) {
	s.Helper()
	for deadline := time.Now().Add(2 * patience); ; time.Sleep(soonest) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("after %v: %v", 2*patience, err)
		}
	}
}

// TestSessionReturns lets nvad lose its session with a neighbor that keeps listening, and with
// one that is unreachable for a while. Each session is up again within a second.
func TestSessionReturns(t *testing.T) {
	s := layScene(t, nvadDaemon, 100, 0)
	s.a.serve()
	s.daemon.start(s.bed)
	s.soon(s.a.established)
	for name, reachable := range map[string]bool{"listens on": true, "out of reach": false} {
		if !reachable {
			s.Rules("nva1", deafness)
		}
		s.a.reset()
		if !reachable {
			time.Sleep(3 * time.Second) // the outage
			s.Rules("nva1", "delete table ip deafness\n")
		}
		start := time.Now()
		s.soon(s.a.established)
		took := time.Since(start)
		t.Logf("%s: back after %v", name, took.Round(time.Millisecond))
		if took > time.Second {
			t.Errorf("%s: the session was back only after %v", name, took)
		}
	}
}

// deafness drops what an NVA receives but lets it send, so that nvad learns that the session
// is lost.
const deafness = `table ip deafness {
	chain in { type filter hook prerouting priority -300; drop; }
}`

// established returns an error unless the session is up.
func (v *nva) established() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.session == nil {
		return fmt.Errorf("no session with %s", v.remote)
	}
	return v.session.Err()
}
