package lab_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestRouteLimit checks that 4,000 routes are allowed and one more is not.
func TestRouteLimit(t *testing.T) {
	nva := birdNVA(t, nva1, 65001, manyRoutes(4000)...)
	l := lab.Up(t, lab.Options{Scenario: "one-hub", NVAs: map[string]lab.NVA{"hub00": nva}})
	l.AwaitSessions(t, 20*time.Second)
	ups := awaitStable(t, l, 4000)
	reconfigure(t, l, nva, manyRoutes(4001))
	awaitLimit(t, l, ups)
}

// TestRouteLimitCounts checks that routes count again when they are sent again. The limit is
// low, so that all routes fit into one UPDATE: between two UPDATEs, BIRD may pause longer than
// the settle time.
func TestRouteLimitCounts(t *testing.T) {
	nva := birdNVA(t, nva1, 65001, manyRoutes(200)...)
	l := lab.Up(t, lab.Options{Scenario: "one-hub", RouteLimit: 400, NVAs: map[string]lab.NVA{"hub00": nva}})
	l.AwaitSessions(t, 20*time.Second)
	ups := awaitStable(t, l, 200)
	birdc(t, l, "vm-hub00", "reload", "out", "rs0")
	if again := awaitStable(t, l, 200); again != ups {
		t.Fatal("half the limit sent again ended the session")
	}
	reconfigure(t, l, nva, manyRoutes(201))
	awaitStable(t, l, 201)
	birdc(t, l, "vm-hub00", "reload", "out", "rs0")
	awaitLimit(t, l, ups)
}

func manyRoutes(n int) []announcement {
	var list []announcement
	for i := range n {
		list = append(list, announcement{prefix: fmt.Sprintf("20.%d.%d.0/24", i/256, i%256)})
	}
	return list
}

func reconfigure(t *testing.T, l *lab.Lab, nva lab.NVA, list []announcement) {
	t.Helper()
	writeBIRD(t, nva.Config, nva1, 65001, list)
	birdc(t, l, "vm-hub00", "configure")
}

// awaitStable waits until instance 0 has n routes, the session has been up long enough and the
// NVA has been silent long enough for the routes to count as current. It returns how many
// times the session has come up.
func awaitStable(t *testing.T, l *lab.Lab, n int) int {
	t.Helper()
	rs := l.RouteServer("hub00", 0)
	var since time.Time
	var ups int
	lab.Eventually(t, 30*time.Second, func() error {
		session, err := rs.Session(t.Context(), nva1)
		if err != nil {
			return err
		}
		routes, err := rs.Received(t.Context(), nva1)
		if err != nil {
			return err
		}
		if !session.Established || len(routes) != n || session.Ups != ups {
			since, ups = time.Now(), session.Ups
			return fmt.Errorf("session up %v with %d routes, want %d", session.Established, len(routes), n)
		}
		if time.Since(since) < 1500*time.Millisecond {
			return fmt.Errorf("stable only since %v", since)
		}
		return nil
	})
	return ups
}

// awaitLimit waits until the session, which has come up ups times, has been lost to the limit.
func awaitLimit(t *testing.T, l *lab.Lab, ups int) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, func() error {
		session, err := l.RouteServer("hub00", 0).Session(t.Context(), nva1)
		if err != nil {
			return err
		}
		lost := !session.Established || session.Ups > ups
		if !lost || !strings.Contains(session.LastDown, "maximum number of prefixes") {
			return fmt.Errorf("up %v for time %d, last error %q", session.Established, session.Ups, session.LastDown)
		}
		return nil
	})
	lab.Eventually(t, 10*time.Second, func() error {
		if log := l.NVALog("vm-hub00"); !strings.Contains(log, "rs0: Received: Maximum number of prefixes reached") {
			return fmt.Errorf("the NVA has not logged why:\n%s", log)
		}
		return nil
	})
}

// passive makes a BIRD configuration wait for connections.
func passive(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), "multihop 255;", "multihop 255; passive on;", 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
