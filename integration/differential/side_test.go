package differential

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/differential/gen"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

// daemon is one of the two that are compared.
type daemon interface {
	name() string
	bedOf() *bed
	config() string // path of the configuration file
	// heardAll returns nil once the daemon has read everything that a neighbor sent.
	heardAll(t *testing.T, from netip.Addr) error
	// table returns the accepted paths.
	table(t *testing.T) []path
}

// path is a path as the daemon itself shows it.
type path struct {
	prefix                 netip.Prefix
	peer                   string
	valid, best, multipath bool
	weight                 uint32
}

// local stands for the neighbor of routes that a daemon originates itself.
const local = "local"

// side is a daemon between its neighbors.
type side struct {
	daemon
	neighbors []gen.Neighbor
	sessions  []*rawbgp.Session // of the neighbors, in their order
}

// meet brings up every neighbor's session and only then lets the neighbors announce their
// routes, one after the other, so that both sides receive them in the same order.
func meet(t *testing.T, d daemon, neighbors []gen.Neighbor) *side {
	t.Helper()
	s := &side{daemon: d, neighbors: neighbors}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, n := range neighbors {
		p := rawbgp.Peer{Local: n.Address, Remote: n.Self, ASN: n.ASN, Dial: lab.DialFrom(d.bedOf().NS(theirs))}
		session, err := p.Connect(ctx)
		if err != nil {
			t.Fatalf("%s: %v", d.name(), err)
		}
		t.Cleanup(session.Close)
		s.sessions = append(s.sessions, session)
	}
	for i, n := range neighbors {
		if err := s.sessions[i].Announce(n.Routes); err != nil {
			t.Fatalf("%s: %s: %v", d.name(), n.Name, err)
		}
		lab.Eventually(t, 20*time.Second, func() error { return errors.Join(s.sessions[i].Err(), d.heardAll(t, n.Address)) })
	}
	return s
}

// hush is how long nothing must have been announced before a daemon counts as done: FRR
// collects changes for up to a second.
const hush = 1200 * time.Millisecond

// settled returns nil once the daemon has nothing left to announce.
func (s *side) settled() error {
	for i, session := range s.sessions {
		if err := session.Err(); err != nil {
			return fmt.Errorf("%s: session with %s: %w", s.name(), s.neighbors[i].Name, err)
		}
		if session.Quiet() < hush {
			return fmt.Errorf("%s still announces to %s", s.name(), s.neighbors[i].Name)
		}
	}
	return nil
}

// mostWeight is the weight of the next hop in use if nvad has a backup beside it. The backup's
// weight is too small for it to carry traffic.
const mostWeight = 255

// metric is the metric of routes in use. nvad's backup routes have a higher one.
const metric = 20

// kernel returns the routes of some protocols in the main table of the daemon's namespace,
// with their next hops. Next-hop objects are resolved.
func (s *side) kernel(t *testing.T, protocols ...string) map[string]string {
	t.Helper()
	objects := s.nextHops(t)
	out := map[string]string{}
	for _, protocol := range protocols {
		for _, r := range ipJSON[kernelRoute](t, s.bedOf(), "route", "show", "proto", protocol) {
			if protocol == "bgp" && r.Metric != metric {
				continue
			}
			hops := objects[r.NHID]
			if len(hops) == 0 {
				hops = r.hops()
			}
			if r.Type != "" && r.Type != "unicast" {
				hops = []string{r.Type}
			}
			slices.Sort(hops)
			prefix := r.Dst
			if !strings.Contains(prefix, "/") {
				prefix += "/32"
			}
			out[prefix] = strings.Join(hops, " ")
		}
	}
	return out
}

// kernelRoute is a route or a next-hop object in iproute2's JSON.
type kernelRoute struct {
	ID, NHID     int
	Metric       int
	Type         string
	Dst          string
	Gateway, Dev string
	NextHops     []struct {
		Gateway, Dev string
		Weight       int
	}
	Group         []struct{ ID, Weight int }
	BlackholeFlag any `json:"blackhole"`
}

func (r *kernelRoute) hops() []string {
	var out []string
	for _, h := range r.NextHops {
		if h.Weight == mostWeight || r.NextHops[0].Weight != mostWeight {
			out = append(out, hopText(h.Gateway, h.Dev))
		}
	}
	if r.Gateway != "" || r.Dev != "" {
		out = append(out, hopText(r.Gateway, r.Dev))
	}
	return out
}

func hopText(gateway, dev string) string {
	if gateway != "" {
		return gateway
	}
	return dev
}

func (s *side) nextHops(t *testing.T) map[int][]string {
	t.Helper()
	list := ipJSON[kernelRoute](t, s.bedOf(), "nexthop", "show")
	out := map[int][]string{}
	for _, h := range list {
		out[h.ID] = h.hops()
		if h.BlackholeFlag != nil {
			out[h.ID] = []string{"blackhole"}
		}
	}
	for _, h := range list {
		for _, member := range h.Group {
			if member.Weight == mostWeight || h.Group[0].Weight != mostWeight {
				out[h.ID] = append(out[h.ID], out[member.ID]...)
			}
		}
	}
	return out
}

func ipJSON[T any](t *testing.T, b *bed, args ...string) []T {
	t.Helper()
	text := b.IP(ours, "-j "+strings.Join(args, " "))
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var out []T
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("ip %v: %v\n%s", args, err, text)
	}
	return out
}
