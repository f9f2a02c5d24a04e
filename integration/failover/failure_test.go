package failover

import (
	"os"
	"time"

	"github.com/nvad/nvad/integration/failover/probe"
	"github.com/nvad/nvad/integration/lab"
)

// failure is a way in which the preferred NVA, or the route through it, fails.
type failure struct {
	name       string
	needs      func(s *scene) bool // nil: no requirement
	begin, end func(s *scene)
}

// failures are in the order in which a scene goes through them. FRR does not recover from the
// last one.
var failures = []failure{
	{
		name:  "link down",
		begin: func(s *scene) { s.IP("dut", "link set nva1 down") },
		end:   func(s *scene) { s.IP("dut", "link set nva1 up") },
	},
	{
		name:  "session reset",
		begin: func(s *scene) { s.a.forward("0"); s.a.reset() },
		end:   func(s *scene) { s.a.forward("1") },
	},
	{
		name:  "session closed",
		begin: func(s *scene) { s.a.forward("0"); s.a.cease() },
		end:   func(s *scene) { s.a.forward("1") },
	},
	{
		name:  "silent death",
		needs: func(s *scene) bool { return s.bfd > 0 },
		begin: func(s *scene) { s.Rules("nva1", silence) },
		end:   func(s *scene) { s.Rules("nva1", "delete table ip silence\n") },
	},
	{
		name:  "next-hop flush",
		needs: func(s *scene) bool { return s.daemon.objects },
		begin: func(s *scene) { s.IP("dut", "nexthop flush") },
		end:   func(*scene) {},
	},
}

// silence drops every packet that the NVA receives or sends.
const silence = `table ip silence {
	chain in { type filter hook prerouting priority -300; drop; }
	chain out { type filter hook output priority -300; drop; }
}`

// forward turns the NVA's forwarding on or off, as if it depended on its routing daemon.
func (v *nva) forward(value string) {
	v.Helper()
	err := lab.WithinNamespace(v.NS(v.name), func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte(value), 0o644)
	})
	if err != nil {
		v.Fatal(err)
	}
}

// steady is how long every flow has to arrive before an outage counts as over.
const steady = 300 * time.Millisecond

// measure puts the scene through a failure under traffic and restores it.
func (s *scene) measure(f failure, o traffic) probe.Result {
	s.Helper()
	stream, err := probe.Start(s.NS("host"), s.NS("receiver"), targets(block, s.routes, o.flows), o.rate)
	if err != nil {
		s.Fatal(err)
	}
	if err := stream.Flowing(steady, patience); err != nil {
		s.Fatalf("%s: before %s: %v", s.daemon.name, f.name, err)
	}
	f.begin(s)
	over := stream.Flowing(steady, o.limit)
	result, err := stream.Stop()
	if err != nil {
		s.Fatal(err)
	}
	s.Logf("%s, %d routes, %s: median %v, worst %v, %d of %d packets lost, the sender stalled for %v at most",
		s.daemon.name, s.routes, f.name, result.Median(), result.Worst(), result.Lost, result.Sent, result.Stall)
	if over != nil {
		s.Log(over)
	}
	f.end(s)
	return result
}

// traffic says how outages are measured.
type traffic struct {
	flows, rate int
	limit       time.Duration // how long an outage may last
}
