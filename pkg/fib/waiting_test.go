package fib_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/fib/fibtest"
)

// If the kernel refuses the next hop of a route's new group, the route waits in its old group.
// If that group moved along with the routes that left it, the packets of the waiting route
// would follow them.
func TestGroupStaysUnderWaitingRoute(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", far), bgp("10.2.0.0/16", far)}, t0)
	settle(f, t0)
	other := []fib.NextHop{{Via: addr("169.254.0.9"), Link: 3}}
	put := "put hop via 169.254.0.9 dev #3"
	k.FailNext(put, errors.New("no buffer space"))
	f.Apply([]fib.Change{bgp("10.1.0.0/16", other)}, t0)
	settle(f, t0)
	if r := f.Refusal(); r == nil || r.Prefix != p("10.1.0.0/16") || !strings.Contains(r.Error(), "no buffer space") {
		t.Errorf("refusal %v", r)
	}
	if c := f.Count(); c.Failed != 1 {
		t.Errorf("%+v", c)
	}
	k.FailNext(put, errors.New("no buffer space"))
	f.Apply([]fib.Change{bgp("10.2.0.0/16", gw)}, t0)
	settle(f, t0)
	if got := k.String(); !strings.Contains(got, "10.1.0.0/16 metric 20 proto 186 via 169.254.0.2 dev #3") ||
		!strings.Contains(got, "10.2.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #2") {
		t.Errorf("kernel holds\n%s", got)
	}
	settle(f, t0.Add(time.Minute)) // refused once more
	settle(f, t0.Add(2*time.Minute))
	if got := k.String(); !strings.Contains(got, "10.1.0.0/16 metric 20 proto 186 via 169.254.0.9 dev #3") {
		t.Errorf("later the kernel holds\n%s", got)
	}
	if r := f.Refusal(); r != nil {
		t.Errorf("refusal %v", r)
	}
}

// A route that was added and removed while its group is refused is no longer an example of
// what the kernel refuses. However often it was added, it counts once.
func TestRefusalOfWaitingRoutes(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	for i := range 1000 {
		k.FailNext("put hop via 169.254.0.2 dev #3", errors.New("no buffer space"))
		f.Apply([]fib.Change{bgp("10.1.0.0/16", far), bgp("10.2.0.0/16", far)}, t0)
		settle(f, t0)
		if c := f.Count(); i > 0 && c.Failed > 5 {
			t.Fatalf("round %d: %d of 2 routes count as failed", i, c.Failed)
		}
	}
	f.Apply([]fib.Change{gone("10.1.0.0/16")}, t0)
	settle(f, t0)
	if r := f.Refusal(); r == nil || r.Prefix != p("10.2.0.0/16") || r.Err == nil {
		t.Errorf("refusal %v", r)
	}
	f.Apply([]fib.Change{gone("10.2.0.0/16")}, t0)
	settle(f, t0)
	if r, c := f.Refusal(), f.Count(); r != nil || c.Failed != 0 {
		t.Errorf("refusal %v, %+v", r, c)
	}
}

// If the kernel refuses a deletion, the status gives the reason.
func TestRefusedDeletion(t *testing.T) {
	k := fibtest.New()
	f := start(t, k, fib.Options{})
	f.Apply([]fib.Change{bgp("10.1.0.0/16", far)}, t0)
	settle(f, t0)
	k.FailNext("delete 10.1.0.0/16 metric 20", errors.New("try again"))
	f.Apply([]fib.Change{gone("10.1.0.0/16")}, t0)
	settle(f, t0)
	if r := f.Refusal(); r == nil || r.Err.Error() != "try again" {
		t.Errorf("refusal %v", r)
	}
	if s := states(f)["10.1.0.0/16"]; s != "failed not deleted: try again" {
		t.Errorf("shown as %q", s)
	}
}
