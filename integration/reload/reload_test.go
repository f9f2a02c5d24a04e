package reload

import (
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

var (
	reloads = flag.Int("reloads", 200, "reloads of the file")
	rate    = flag.Int("rate", 1000, "changes of routes a second")
)

const patience = 20 * time.Second

// config returns the file with policy 1 or 2 in it.
func config(policy int) string {
	deny, mark, rest := "private", "65001:66", policy1
	if policy == 2 {
		deny, mark, rest = "reserved", "65001:77", policy2
	}
	return strings.NewReplacer("DENY", deny, "MARK", mark).Replace(head + rest)
}

// field is the set of a bed's neighbors.
type field struct {
	*bed
	feeders   []*feeder
	listeners []*listener
}

// meet connects listeners and feeders and makes the feeders announce everything, one after the
// other. If nvad read the backup's routes first, it would announce the routes of both.
func meet(b *bed, feeders ...*feeder) *field {
	b.Helper()
	f := &field{bed: b, feeders: feeders, listeners: []*listener{
		newListener(65020, netip.MustParseAddr("10.0.0.5")), newListener(ourASN, netip.MustParseAddr("10.0.0.6")),
	}}
	for _, l := range f.listeners {
		l.session = b.session(l.asn, l.address, l.hear)
	}
	for i, fd := range feeders {
		fd.session = b.session(fd.asn, fd.address, nil)
		if err := fd.announce(); err != nil {
			b.Fatal(err)
		}
		b.Eventually(patience, func() error {
			n := 0
			for _, p := range b.neighbors() {
				n += len(p.EndOfRIB)
			}
			if n != i+1 {
				return fmt.Errorf("%d of %d tables read", n, i+1)
			}
			return nil
		})
	}
	return f
}

// await waits until both listeners hear a policy.
func (f *field) await(policy int) {
	f.Helper()
	for _, l := range f.listeners {
		lab.Eventually(f.T, patience, func() error { return l.follows(policy) })
	}
}

// hush waits until no more UPDATEs come.
func (f *field) hush() {
	f.Helper()
	for _, l := range f.listeners {
		lab.Eventually(f.T, patience, func() error {
			if q := l.session.Quiet(); q < time.Second {
				return fmt.Errorf("%s still gets UPDATEs", l.address)
			}
			return nil
		})
	}
}

// TestReloads reloads the file while routes flap, and checks every UPDATE.
func TestReloads(t *testing.T) {
	lab.RequireRoot(t)
	lab.Build(t, "./cmd/nvactl")
	one := newFeeder(3356, netip.MustParseAddr("10.0.0.1"), false)
	two := newFeeder(2914, netip.MustParseAddr("10.0.0.2"), true)
	f := meet(newBed(t, config(1)), one, two)
	f.await(1)

	stop, ended := make(chan struct{}), make(chan error)
	begin := time.Now()
	for _, fd := range f.feeders {
		go func() { ended <- fd.flap(*rate/2, stop) }()
	}
	last := 1
	for n := 1; n <= *reloads && !f.faulty(); n++ {
		last = 1 + n%2
		f.Write("nvad.toml", config(last))
		f.reload(n%4 < 2)
		f.await(last)
	}
	elapsed := time.Since(begin)
	close(stop)
	for range f.feeders {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	f.hush()
	f.judge(elapsed)
	if !t.Failed() {
		f.compare(last)
	}
}

func (f *field) faulty() bool {
	for _, l := range f.listeners {
		l.mu.Lock()
		n := len(l.faults)
		l.mu.Unlock()
		if n > 0 {
			return true
		}
	}
	return false
}

// judge logs what was heard, and fails the test for every fault.
func (f *field) judge(elapsed time.Duration) {
	f.Helper()
	var changes [2]int
	for _, fd := range f.feeders {
		changes[0] += fd.changes[0]
		changes[1] += fd.changes[1]
	}
	f.Logf("%d reloads in %v; %d changes of announced routes, %d of denied ones", *reloads, elapsed.Round(time.Millisecond), changes[0], changes[1])
	if got := float64(changes[0]+changes[1]) / elapsed.Seconds(); got < 0.9*float64(*rate) {
		f.Errorf("%.0f changes a second", got)
	}
	for _, l := range f.listeners {
		f.Logf("%s heard %d changes", l.address, l.total)
		for _, fault := range l.faults {
			f.Error(fault)
		}
		if n := l.most(steady); n > *reloads+1 {
			f.Errorf("%s was sent one steady prefix %d times in %d reloads", l.address, n, *reloads)
		}
	}
	for _, n := range f.neighbors() {
		if n.State != "Established" || n.Flaps != 0 {
			f.Errorf("session lost: %+v", n)
		}
	}
}

// compare starts a new nvad with the last file and the last routes. The result must equal the
// result of all the reloads.
func (f *field) compare(policy int) {
	f.Helper()
	fresh := meet(newBed(f.T, config(policy)), f.feeders...)
	fresh.await(policy)
	fresh.hush()
	for i, l := range f.listeners {
		equal(f.T, l.address.String(), l.session.Table(), fresh.listeners[i].session.Table())
	}
	a, b := f.kernel(), fresh.kernel()
	if !slices.Equal(a, b) {
		f.Errorf("the kernel has %d routes, after a fresh start %d, or different ones", len(a), len(b))
	}
	for _, line := range a {
		if !strings.Contains(line, " src "+sources[policy-1]) && !strings.HasPrefix(line, "10.31.") {
			f.Errorf("preferred source of policy %d is not in %q", policy, line)
			break
		}
	}
}

var objectID = regexp.MustCompile(`nhid \d+ `)

// kernel returns nvad's routes in the kernel.
func (b *bed) kernel() []string {
	b.Helper()
	routes := strings.TrimSpace(b.Sh("ip -n %s -o route show proto 186", b.NS("nvad")))
	lines := strings.Split(objectID.ReplaceAllString(routes, ""), "\n")
	slices.Sort(lines)
	return lines
}

func equal(t *testing.T, who string, got, want map[netip.Prefix]rawbgp.Heard) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d routes, %d after a fresh start", who, len(got), len(want))
	}
	for p, h := range want {
		if !maps.Equal(got[p], h) {
			t.Errorf("%s: %s is %v, after a fresh start %v", who, p, got[p], h)
			return
		}
	}
}
