package dataplane_test

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/fib/fibtest"
	"github.com/nvad/nvad/pkg/nat/nattest"
	"github.com/nvad/nvad/pkg/nic/nictest"
	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/tunnel/tunneltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakes is a kernel in memory. Its link eth0 has index 1.
type fakes struct {
	fib     *fibtest.Kernel
	tunnels *tunneltest.Kernel
	nat     *nattest.Kernel
	nics    *nictest.Kernel
	sysctls sysctls
	events  chan []fib.Event
	mu      sync.Mutex // guards facts
	facts   []fib.Facts
}

type sysctls map[string]string

func (s sysctls) Get(name string) (string, error) {
	if v, ok := s[name]; ok {
		return v, nil
	}
	return "", errors.New("no such setting")
}

func (s sysctls) Set(name, value string) error { s[name] = value; return nil }

func (f *fakes) Watch(ctx context.Context, fn func([]fib.Event)) error {
	for {
		select {
		case list := <-f.events:
			fn(list)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func newFakes() *fakes {
	f := &fakes{
		fib: fibtest.New(), nat: &nattest.Kernel{}, nics: &nictest.Kernel{}, tunnels: &tunneltest.Kernel{Low: 32768, High: 60999},
		sysctls: sysctls{"net.ipv4.ip_forward": "0"},
	}
	f.tunnels.Plant(tunnel.Link{
		Name: "eth0", MTU: 1500, Up: true, Carrier: true, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.4/24")},
	})
	return f
}

// connect adds the connected route of the tunnel, as the real kernel does when the tunnel gets
// its address. The route goes with the device, which this kernel knows nothing about.
func (f *fakes) connect() {
	f.fib.Plant(fib.KernelRoute{Prefix: netip.MustParsePrefix("169.254.0.0/24"), Protocol: 2, Hops: []fib.NextHop{{Link: 2}}})
}

func (f *fakes) tell(x fib.Facts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.facts = append(f.facts, x)
}

// told returns the facts that the data plane has published so far.
func (f *fakes) told() []fib.Facts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.facts)
}

// run starts a data plane on the fakes in a synctest bubble, calls fn and then stops it.
func (f *fakes) run(t *testing.T, change func(*dataplane.Options), fn func(t *testing.T, d *dataplane.Dataplane)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f.events = make(chan []fib.Event) // made inside the bubble
		opt := dataplane.Options{
			FIB: f.fib, Tunnels: f.tunnels, NAT: f.nat, NICs: f.nics, Sysctls: f.sysctls, Events: f,
			OnFacts: f.tell,
		}
		if change != nil {
			change(&opt)
		}
		d, err := dataplane.New(opt)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		fn(t, d)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := d.Tally(t.Context()); err == nil {
			t.Error("still answers after it has ended")
		}
	})
}

func fakeRoute(prefix, via string) fib.Change {
	p := netip.MustParsePrefix(prefix)
	return fib.Change{Prefix: p, Route: &fib.Route{
		Metric: 20, Hops: []fib.NextHop{{Via: netip.MustParseAddr(via), Link: 1}},
	}}
}

// The data plane touches nothing before it knows what is wanted, and then works in order.
func TestStart(t *testing.T) {
	f := newFakes()
	f.connect()
	f.run(t, nil, func(t *testing.T, d *dataplane.Dataplane) {
		d.UpdateRoutes([]fib.Change{fakeRoute("10.1.0.0/16", "10.0.0.1")})
		synctest.Wait()
		select {
		case <-d.Ready():
			t.Error("ready before it got a configuration")
		default:
		}
		if len(f.fib.Log)+len(f.tunnels.Log) > 0 {
			t.Errorf("did %v %v", f.fib.Log, f.tunnels.Log)
		}
		d.SetWanted(wanted())
		<-d.Ready()
		synctest.Wait()
		if got := f.fib.String(); got != "10.1.0.0/16 metric 20 proto 186 via 10.0.0.1 dev #1\n169.254.0.0/24 metric 0 proto 2 dev #2\n2 objects\n" {
			t.Errorf("table is\n%s", got)
		}
		if got := f.tunnels.String(); !strings.Contains(got, "vxlan0 mtu 1450 up true") {
			t.Errorf("links are\n%s", got)
		}
		if f.sysctls["net.ipv4.ip_forward"] != "1" {
			t.Error("forwarding is off")
		}
		if facts := f.told(); len(facts) == 0 || len(facts[len(facts)-1].Links) != 2 {
			t.Errorf("facts %+v", facts)
		}
	})
}

// If several changes wait for the same prefix, the last one counts.
func TestLatestWins(t *testing.T) {
	f := newFakes()
	f.run(t, nil, func(t *testing.T, d *dataplane.Dataplane) {
		d.UpdateRoutes([]fib.Change{fakeRoute("10.1.0.0/16", "10.0.0.1"), fakeRoute("10.2.0.0/16", "10.0.0.1")})
		d.UpdateRoutes([]fib.Change{fakeRoute("10.1.0.0/16", "10.0.0.2"), {Prefix: netip.MustParsePrefix("10.2.0.0/16")}})
		d.SetWanted(dataplane.Wanted{})
		synctest.Wait()
		want := "put hop via 10.0.0.2 dev #1, put group 186000001, add 10.1.0.0/16 metric 20"
		if got := strings.Join(f.fib.Log, ", "); got != want {
			t.Errorf("did %s\nwant %s", got, want)
		}
	})
}

func TestNothingIsDeletedBeforeInSync(t *testing.T) {
	f := newFakes()
	f.fib.Plant(fib.KernelRoute{Prefix: netip.MustParsePrefix("10.9.0.0/16"), Metric: 20, Protocol: 186,
		Hops: []fib.NextHop{{Via: netip.MustParseAddr("10.0.0.1"), Link: 1}}})
	before := f.fib.String()
	f.run(t, func(o *dataplane.Options) { o.Adopt = true }, func(t *testing.T, d *dataplane.Dataplane) {
		d.SetWanted(dataplane.Wanted{})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := f.fib.String(); got != before {
			t.Errorf("table is\n%s", got)
		}
		d.InSync()
		synctest.Wait()
		if got := f.fib.String(); got != "0 objects\n" {
			t.Errorf("in sync, table is\n%s", got)
		}
	})
}

// Damage that causes no event is found within the scan interval. If events are lost, a full
// comparison follows at once.
func TestScanAndLoss(t *testing.T) {
	f := newFakes()
	f.connect()
	f.run(t, nil, func(t *testing.T, d *dataplane.Dataplane) {
		d.SetWanted(wanted())
		d.UpdateRoutes([]fib.Change{fakeRoute("10.1.0.0/16", "10.0.0.1")})
		synctest.Wait()
		good := f.fib.String() + f.tunnels.String()
		spoil := func() {
			f.fib.Uproot(netip.MustParsePrefix("10.1.0.0/16"), 20)
			f.tunnels.Uproot("vxlan0")
			f.sysctls["net.ipv4.ip_forward"] = "0"
		}
		spoil()
		_, _ = d.Tally(t.Context()) // makes the loop read only after spoil has written
		time.Sleep(dataplane.DefaultScan + time.Second)
		synctest.Wait()
		if got := f.fib.String() + f.tunnels.String(); got != good || f.sysctls["net.ipv4.ip_forward"] != "1" {
			t.Errorf("after the scan\n%s", got)
		}
		spoil()
		f.events <- []fib.Event{{Kind: fib.LostEvent}}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if got := f.fib.String() + f.tunnels.String(); got != good || f.sysctls["net.ipv4.ip_forward"] != "1" {
			t.Errorf("after the loss\n%s", got)
		}
		if c := d.Counters(); c.LostEvents != 1 || c.Repairs != 2 || c.TunnelRepairs != 2 {
			t.Errorf("counters %+v", c)
		}
	})
}

// A kernel operation that fails is retried at growing intervals and blocks nothing else.
func TestFailuresAreRetried(t *testing.T) {
	f := newFakes()
	f.run(t, nil, func(t *testing.T, d *dataplane.Dataplane) {
		f.tunnels.FailNext("Links", errors.New("interrupted"))
		f.fib.FailNext("Routes", errors.New("interrupted"))
		f.fib.FailNext("add 10.1.0.0/16 metric 20", errors.New("no buffer space"))
		d.SetWanted(wanted())
		d.UpdateRoutes([]fib.Change{fakeRoute("10.1.0.0/16", "10.0.0.1"), fakeRoute("10.2.0.0/16", "10.0.0.1")})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		entries, err := entriesOf(t, d)
		if err != nil || len(entries) != 2 || entries[0].State != fib.Installed || entries[1].State != fib.Installed {
			t.Errorf("entries %+v, %v", entries, err)
		}
		tunnels, err := d.Tunnels(t.Context())
		if err != nil || len(tunnels) != 1 || tunnels[0].State != "up" {
			t.Errorf("tunnels %+v, %v", tunnels, err)
		}
	})
}

func TestFlushStopsWanting(t *testing.T) {
	f := newFakes()
	f.connect()
	f.run(t, nil, func(t *testing.T, d *dataplane.Dataplane) {
		links := f.tunnels.String()
		d.SetWanted(wanted())
		d.UpdateRoutes([]fib.Change{fakeRoute("10.1.0.0/16", "10.0.0.1")})
		synctest.Wait()
		if err := d.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.UpdateRoutes([]fib.Change{fakeRoute("10.2.0.0/16", "10.0.0.1")})
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := f.fib.String() + f.tunnels.String(); got != "169.254.0.0/24 metric 0 proto 2 dev #2\n0 objects\n"+links {
			t.Errorf("after flush\n%s", got)
		}
	})
}

// TestStateFileLinks: if the socket is in /tmp, anybody can plant a link where the state file
// goes. nvad must not write through it.
func TestStateFileLinks(t *testing.T) {
	f := newFakes()
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "routes.state"), filepath.Join(dir, "victim")
	if err := errors.Join(os.WriteFile(victim, []byte("precious"), 0o600), os.Symlink(victim, path), os.Symlink(victim, path+".new")); err != nil {
		t.Fatal(err)
	}
	f.run(t, func(o *dataplane.Options) { o.StateFile, o.Namespace = path, "boot 1" }, func(t *testing.T, d *dataplane.Dataplane) {
		d.SetWanted(dataplane.Wanted{})
		d.UpdateRoutes([]fib.Change{fakeRoute("10.1.0.0/16", "10.0.0.1")})
		d.InSync()
		synctest.Wait()
	})
	if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
		t.Errorf("victim: %q, %v", text, err)
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		t.Errorf("state file: %v, %v", info, err)
	}
}

// Without next-hop objects, nvad uses the state file to tell its own routes from leftovers.
func TestStateFile(t *testing.T) {
	f := newFakes()
	path := filepath.Join(t.TempDir(), "fib")
	leftover := fib.KernelRoute{Prefix: netip.MustParsePrefix("10.9.0.0/16"), Metric: 20, Protocol: 186,
		Hops: []fib.NextHop{{Via: netip.MustParseAddr("10.0.0.1"), Link: 1}}}
	f.fib.Plant(leftover)
	plain := func(ns string) func(*dataplane.Options) {
		return func(o *dataplane.Options) { o.Plain, o.StateFile, o.Namespace = true, path, ns }
	}
	states := func(t *testing.T, d *dataplane.Dataplane) map[string]string {
		t.Helper()
		m := make(map[string]string)
		entries, err := entriesOf(t, d)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			m[e.Prefix.String()] = e.State.String()
		}
		return m
	}
	want := func(t *testing.T, got, want map[string]string) {
		t.Helper()
		if !maps.Equal(got, want) {
			t.Errorf("states %v, want %v", got, want)
		}
	}
	f.run(t, plain("boot 1"), func(t *testing.T, d *dataplane.Dataplane) {
		d.SetWanted(dataplane.Wanted{})
		d.UpdateRoutes([]fib.Change{fakeRoute("10.1.0.0/16", "10.0.0.1")})
		d.InSync()
		synctest.Wait()
		want(t, states(t, d), map[string]string{"10.1.0.0/16": "installed", "10.9.0.0/16": "leftover"})
	})
	f.run(t, plain("boot 1"), func(t *testing.T, d *dataplane.Dataplane) {
		d.SetWanted(dataplane.Wanted{})
		synctest.Wait()
		want(t, states(t, d), map[string]string{"10.1.0.0/16": "stale", "10.9.0.0/16": "leftover"})
	})
	f.run(t, plain("boot 2"), func(t *testing.T, d *dataplane.Dataplane) {
		d.SetWanted(dataplane.Wanted{})
		synctest.Wait()
		want(t, states(t, d), map[string]string{"10.1.0.0/16": "leftover", "10.9.0.0/16": "leftover"})
		if err := d.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("state file after flush: %v", err)
		}
	})
}

// entriesOf returns all routes of d.
func entriesOf(t *testing.T, d *dataplane.Dataplane) (list []fib.Status, err error) {
	t.Helper()
	err = d.Routes(t.Context(), func(e fib.Status) error {
		list = append(list, e)
		return nil
	})
	return list, err
}
