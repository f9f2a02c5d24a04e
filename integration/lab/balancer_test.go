package lab_test

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestLoadBalancer checks that a route whose next hop is a frontend is shown with that
// frontend, and leads to the backends that answer their probes with 200.
func TestLoadBalancer(t *testing.T) {
	route := announcement{"10.200.0.0/16", "bgp_next_hop = 10.0.0.100;"}
	l := lab.Up(t, lab.Options{Scenario: "two-hubs-ha", NVAs: map[string]lab.NVA{
		"vm-hub00":   birdNVA(t, nva1, 65001, route),
		"vm-hub00-2": birdNVA(t, netip.MustParseAddr("10.0.0.6"), 65001, route),
	}})
	first := serveHealth(t, l, "vm-hub00", "10.0.0.4:8080")
	serveHealth(t, l, "vm-hub00-2", "10.0.0.6:8080")
	l.AwaitSessions(t, 20*time.Second)
	leadsTo := func(want ...string) {
		t.Helper()
		lab.Eventually(t, 10*time.Second, func() error {
			out := l.Exec(t, "net-hub00", "ip", "route", "show", "10.200.0.0/16")
			for _, backend := range []string{"10.0.0.4", "10.0.0.6"} {
				if strings.Contains(out, "via "+backend+" ") != strings.Contains(strings.Join(want, " "), backend) {
					return fmt.Errorf("the frontend leads to %q, want %v", out, want)
				}
			}
			return nil
		})
		if hops, _ := effective(t, l, "vm-hub00", "10.200.0.0/16"); hops != "10.0.0.100" {
			t.Errorf("the effective route's next hop is %q", hops)
		}
	}
	leadsTo("10.0.0.4", "10.0.0.6")
	first.Store(http.StatusServiceUnavailable)
	leadsTo("10.0.0.6")
	first.Store(http.StatusOK)
	leadsTo("10.0.0.4", "10.0.0.6")
	if err := l.LinkDown("vm-hub00"); err != nil {
		t.Fatal(err)
	}
	leadsTo("10.0.0.6")
	if err := l.LinkUp("vm-hub00"); err != nil {
		t.Fatal(err)
	}
	leadsTo("10.0.0.4", "10.0.0.6")
}

// serveHealth answers a load balancer's probes on an NVA, but no other requests, with a status
// that can be changed.
func serveHealth(t *testing.T, l *lab.Lab, vm, at string) *atomic.Int32 {
	t.Helper()
	var listener net.Listener
	if err := l.Within(vm, func() (err error) {
		listener, err = net.Listen("tcp", at)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var status atomic.Int32
	status.Store(http.StatusOK)
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, _, _ := net.SplitHostPort(r.RemoteAddr); from != "168.63.129.16" || r.URL.Path != "/healthz" {
			t.Errorf("%s asks for %s", from, r.URL)
		}
		w.WriteHeader(int(status.Load()))
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return &status
}
