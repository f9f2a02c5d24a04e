package failover

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// outage collects the outages that one failure caused, over all rounds.
type outage struct {
	Failure string          `json:"failure"`
	Daemon  string          `json:"daemon"`
	Routes  int             `json:"routes"`
	Rounds  int             `json:"rounds"`
	Flows   []time.Duration `json:"-"` // outage of each flow in each round
	Median  float64         `json:"median_ms"`
	Worst   float64         `json:"worst_ms"`
	Open    int             `json:"open_flows"` // still lost when the measurement ended
	Lost    int             `json:"lost_packets"`
	Stall   float64         `json:"sender_stall_ms"` // the longest of any round
}

// outages are in the order in which they first occurred.
type outages []*outage

func (l *outages) of(f failure, d daemon, routes int) *outage {
	i := slices.IndexFunc(*l, func(o *outage) bool {
		return o.Failure == f.name && o.Daemon == d.name && o.Routes == routes
	})
	if i < 0 {
		i = len(*l)
		*l = append(*l, &outage{Failure: f.name, Daemon: d.name, Routes: routes})
	}
	return (*l)[i]
}

// TestOutages puts each daemon through all failures and prints the outages. Each round runs
// every daemon, so that a machine that is busy for a while affects all of them.
func TestOutages(t *testing.T) {
	if *flagDaemons == "" {
		t.Skip("runs with -args -daemons, see `make bench-failover`")
	}
	var list outages
	for _, routes := range numbers(t, *flagRoutes) {
		for range *flagRounds {
			for name := range strings.SplitSeq(*flagDaemons, ",") {
				d := daemonOf(t, name)
				t.Run(name, func(t *testing.T) { list.round(t, d, routes) })
			}
		}
	}
	list.print(t)
	if *flagJSON != "" {
		list.save(t, *flagJSON)
	}
}

// round puts one daemon through all failures.
func (l *outages) round(t *testing.T, d daemon, routes int) {
	s := newScene(t, d, routes, *flagBFD)
	s.load()
	for _, f := range failures {
		if f.needs != nil && !f.needs(s) {
			continue
		}
		l.of(f, d, routes).add(s.measure(f, traffic{flows: 100, rate: 20_000, limit: *flagLimit}))
		if f.name != failures[len(failures)-1].name {
			s.a.connect()
			s.settle()
		}
	}
}
