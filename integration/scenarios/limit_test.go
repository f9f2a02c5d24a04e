package scenarios

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// routeLimit is the limit of the Route Servers of these tests. It is small so that the tests
// need few routes.
const routeLimit = 400

// TestRouteLimit makes nvad announce more than half of what Route Server accepts, and then
// more than all of it, and send everything again each time. The session must stay.
func TestRouteLimit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ routes, received, held int }{{300, 300, 0}, {450, 400, 50}} {
		t.Run(fmt.Sprint(tc.routes), func(t *testing.T) {
			t.Parallel()
			l := upLimited(t, tc.routes)
			awaitReceived(t, l, tc.received)
			if out := nvactl(t, l, "neighbors"); strings.Contains(out, "held back") != (tc.held > 0) {
				t.Errorf("nvactl neighbors says\n%s", out)
			}
			t.Logf("%s", nvactl(t, l, "neighbors 10.0.210.4"))
			last := fmt.Sprintf("20.%d.%d.0/24", (tc.routes-1)/256, (tc.routes-1)%256)
			if out := nvactl(t, l, "explain "+last); strings.Contains(strings.Join(strings.Fields(out), " "), "held back: maximum-prefix-out 400 reached") != (tc.held > 0) {
				t.Errorf("nvactl explain says\n%s", out)
			}
			told := fmt.Sprintf("%d prefixes advertised, %d held back: maximum-prefix-out 400 reached\n", tc.received, tc.held)
			if out := nvactl(t, l, "routes advertised 10.0.210.4"); strings.Contains(out, told) != (tc.held > 0) {
				t.Errorf("nvactl routes advertised says\n%s", out)
			}
			start := time.Now()
			nvactl(t, l, "reset 10.0.210.4 --soft out")
			nvactl(t, l, "reset 10.0.210.5 --soft out")
			lab.Eventually(t, 3*time.Minute, func() error {
				if out := nvactl(t, l, "neighbors 10.0.210.4"); strings.Contains(out, "Queued") {
					return fmt.Errorf("not every route is sent:\n%s", out)
				}
				return nil
			})
			t.Logf("everything was sent again within %.1fs", time.Since(start).Seconds())
			awaitReceived(t, l, tc.received)
			for i := range 2 {
				s, err := l.RouteServer("hub00", i).Session(t.Context(), netip.MustParseAddr("10.0.0.4"))
				if err != nil || !s.Established || s.Ups != 1 {
					t.Errorf("session with instance %d: %+v, %v", i, s, err)
				}
			}
		})
	}
}

// upLimited brings up a hub whose NVA originates the given number of routes.
func upLimited(t *testing.T, routes int) *lab.Lab {
	t.Helper()
	config := fmt.Sprintf(`asn = 65001
router-id = "10.0.0.4"

[[static-route]]
prefix = "10.0.210.0/24"
via = "10.0.0.1"

[peer-group.rs]
preset = "azure-route-server"
neighbors = ["10.0.210.4", "10.0.210.5"]
maximum-prefix-out = %d
`, routeLimit)
	for i := range routes {
		config += fmt.Sprintf("\n[[network]]\nprefix = \"20.%d.%d.0/24\"\n", i/256, i%256)
	}
	file := filepath.Join(t.TempDir(), "nvad.toml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	l := lab.Up(t, lab.Options{
		Scenario: "one-hub", RouteLimit: routeLimit, Nvactl: lab.Build(t, "./cmd/nvactl"),
		NVAs: map[string]lab.NVA{"vm-hub00": {Kind: lab.Nvad, Binary: lab.Build(t, "./cmd/nvad"), Config: file}},
	})
	l.AwaitSessions(t, 30*time.Second)
	return l
}

// awaitReceived waits until both instances have n routes of the NVA.
func awaitReceived(t *testing.T, l *lab.Lab, n int) {
	t.Helper()
	lab.Eventually(t, 30*time.Second, func() error {
		for i := range 2 {
			routes, err := l.RouteServer("hub00", i).Received(t.Context(), netip.MustParseAddr("10.0.0.4"))
			if err != nil {
				return err
			}
			if len(routes) != n {
				return fmt.Errorf("instance %d has %d routes, want %d", i, len(routes), n)
			}
		}
		return nil
	})
}
