package dataplane_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/kernel"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/tunnel"
)

var eth0NIC = dataplane.Wanted{NICs: []nic.NIC{{Device: "eth0", Table: 16800}}}

// Rules are restored after an event and by the scan, and removed when nothing asks for them.
func TestNIC(t *testing.T) {
	f := newFakes()
	f.run(t, nil, func(t *testing.T, d *dataplane.Dataplane) {
		d.SetWanted(eth0NIC)
		synctest.Wait()
		expect := func(want int) {
			t.Helper()
			got, _ := f.nics.Read(nil)
			if len(got.Rules) != want || len(got.Routes) != want {
				t.Errorf("%+v, want %d of each", got, want)
			}
		}
		expect(1)
		spoil := func() {
			f.nics.Change(func(f *nic.Found) { *f = nic.Found{} })
			_, _ = d.Tally(t.Context()) // makes the loop read only after the write
		}
		spoil()
		f.events <- []fib.Event{{Kind: fib.RuleEvent}}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		expect(1)
		spoil()
		time.Sleep(dataplane.DefaultScan)
		synctest.Wait()
		expect(1)
		if c := d.Counters(); c.NICRepairs != 2 {
			t.Errorf("counters %+v", c)
		}
		d.SetWanted(dataplane.Wanted{})
		synctest.Wait()
		expect(0)
	})
}

// A NIC that can't be configured, and is retried at growing intervals, delays no other NIC.
func TestNICBesideFailing(t *testing.T) {
	f := newFakes()
	f.tunnels.Plant(tunnel.Link{
		Name: "eth1", MTU: 1500, Up: true, Carrier: true, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.4/24")},
	})
	f.nics.Occupy(16801)
	f.run(t, nil, func(t *testing.T, d *dataplane.Dataplane) {
		d.SetWanted(dataplane.Wanted{NICs: []nic.NIC{{Device: "eth0", Table: 16800}, {Device: "eth1", Table: 16801}}})
		time.Sleep(3 * dataplane.DefaultScan)
		synctest.Wait()
		f.nics.Change(func(f *nic.Found) { *f = nic.Found{} })
		_, _ = d.Tally(t.Context()) // makes the loop read only after the write
		f.events <- []fib.Event{{Kind: fib.RuleEvent}}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if got, _ := f.nics.Read([]uint32{16800}); len(got.Routes) != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

// nicText returns the policy rules and the routes of the NIC's table.
func (h *host) nicText() string {
	return h.run("rule") + h.tryIP("route", "show", "table", "16800")
}

// In a real kernel: nvad restores what another program deletes and leaves that program's own
// routes alone. A link that goes and returns loses nothing, a restart changes nothing, and a
// flush leaves nothing behind.
func TestNICInKernel(t *testing.T) {
	h := newHost(t)
	h.run("rule", "add", "from", "10.0.0.4", "to", "168.63.129.16", "lookup", "7", "pref", "168")
	h.run("route", "add", "192.0.2.0/24", "via", "10.0.0.9", "table", "16800")
	before := h.nicText()
	h.nics = eth0NIC.NICs
	p := h.start(func(o *dataplane.Options) { o.Scan = time.Hour })
	const rule, route = "from 10.0.0.4 to 168.63.129.16 lookup 16800 proto 201", "168.63.129.16 via 10.0.0.1 dev eth0 proto 201"
	within(t, healTime, "true", func() string {
		out := h.nicText()
		return fmt.Sprint(strings.Contains(out, rule) && strings.Contains(out, route))
	})
	good := h.nicText()
	for i, spoil := range [][]string{
		{"rule", "del", "pref", "168", "protocol", "201"},
		{"route", "flush", "table", "16800", "proto", "201"},
		{"route", "replace", "168.63.129.16", "via", "10.0.0.8", "table", "16800", "proto", "201"},
	} {
		h.run(spoil...)
		start := time.Now()
		within(t, healTime, good, h.nicText)
		t.Logf("ip %s: repaired after %v", strings.Join(spoil, " "), time.Since(start).Round(time.Millisecond))
		within(t, healTime, fmt.Sprint(i+1), func() string { return fmt.Sprint(p.Counters().NICRepairs) })
	}
	h.run("link", "set", "eth0", "down")
	within(t, healTime, "waiting", func() string { return nicState(t, p) })
	h.run("link", "set", "eth0", "up")
	h.run("route", "add", "192.0.2.0/24", "via", "10.0.0.9", "table", "16800") // the other program's route, which goes with the link
	within(t, healTime, good, h.nicText)
	if c := p.Counters(); c.NICRepairs != 3 {
		t.Errorf("%d repairs after the link came back", c.NICRepairs)
	}
	changes := h.ruleEvents()
	p.stop()
	p = h.start(nil)
	within(t, healTime, "ready", func() string { return nicState(t, p) })
	if got := h.nicText(); got != good {
		t.Errorf("after the restart\n%s", got)
	}
	h.run("rule", "add", "lookup", "main", "pref", "9") // the last change: once its event is counted, all earlier ones are
	within(t, healTime, "1", func() string { return fmt.Sprint(changes.Load()) })
	h.run("rule", "del", "pref", "9")
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := h.nicText(); after != before {
		t.Errorf("after the flush\n%s\nwant\n%s", after, before)
	}
}

// ruleEvents counts the changes of rules, and of nvad's routes outside table main, from the
// call onwards.
func (h *host) ruleEvents() *atomic.Int32 {
	h.t.Helper()
	k, err := kernel.Open(h.ns)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { k.Close() })
	var n atomic.Int32
	go func() {
		_ = k.Monitor.Watch(h.t.Context(), func(list []fib.Event) {
			for _, e := range list {
				if e.Kind == fib.RuleEvent {
					n.Add(1)
				}
			}
		})
	}()
	return &n
}

func nicState(t *testing.T, p *plane) string {
	t.Helper()
	list, err := p.NICs(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	return list[0].State
}
