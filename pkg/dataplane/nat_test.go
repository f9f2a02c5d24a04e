package dataplane_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
)

func clampOnly() dataplane.Wanted {
	return dataplane.Wanted{NAT: nat.Rules{Clamps: []nat.Clamp{{Device: "vxlan0"}}}}
}

// The table is restored after an event and by the scan, retried after a failure, and removed
// when nothing asks for it.
func TestNAT(t *testing.T) {
	f := newFakes()
	f.run(t, nil, func(t *testing.T, d *dataplane.Dataplane) {
		f.nat.FailNext("Replace", errors.New("busy"))
		d.SetWanted(clampOnly())
		time.Sleep(time.Second)
		synctest.Wait()
		good := f.nat.String()
		if !strings.Contains(good, `oifname "vxlan0"`) {
			t.Errorf("table is\n%s", good)
		}
		spoil := func() {
			f.nat.Change(func(*nat.Found) *nat.Found { return nil })
			_, _ = d.Tally(t.Context()) // makes the loop read only after the write
		}
		spoil()
		f.events <- []fib.Event{{Kind: fib.NATEvent}}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if got := f.nat.String(); got != good {
			t.Errorf("after the event\n%s", got)
		}
		spoil()
		time.Sleep(dataplane.DefaultScan)
		synctest.Wait()
		if got := f.nat.String(); got != good {
			t.Errorf("after the scan\n%s", got)
		}
		if c := d.Counters(); c.NATRepairs != 2 {
			t.Errorf("counters %+v", c)
		}
		d.SetWanted(dataplane.Wanted{})
		synctest.Wait()
		if got := f.nat.String(); got != "" {
			t.Errorf("unwanted\n%s", got)
		}
	})
}

// Flush removes the table and does not restore it.
func TestNATFlush(t *testing.T) {
	f := newFakes()
	f.run(t, nil, func(t *testing.T, d *dataplane.Dataplane) {
		d.SetWanted(clampOnly())
		synctest.Wait()
		if err := d.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := f.nat.String(); got != "" {
			t.Errorf("after flush\n%s", got)
		}
	})
}

// nft runs nft(8) in the namespace. It may fail.
func (h *host) nft(args string) string {
	h.t.Helper()
	cmd := append([]string{"netns", "exec", h.name, "nft"}, strings.Fields(args)...)
	out, err := exec.Command("ip", cmd...).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// natHost is a host that wants a table, beside one of another program.
func natHost(t *testing.T) *host {
	h := newHost(t)
	h.nft("add table ip filter")
	h.nat = nat.Rules{
		Masquerades: []nat.Masquerade{{Out: "eth0", Source: netip.MustParsePrefix("10.0.0.0/8")}},
		Clamps:      []nat.Clamp{{Device: "vxlan0"}},
	}
	return h
}

// noScan turns the scan off, so that only events lead to a repair.
func noScan(o *dataplane.Options) { o.Scan = time.Hour }

// What another program does to nvad's table is undone within a second. The other program's own
// table stays. Once there are no rules, nvad's table is removed.
func TestNATHeals(t *testing.T) {
	h := natHost(t)
	p := h.start(noScan)
	table := func() string { return h.nft("-s list table inet nvad") }
	good := table()
	if !strings.Contains(good, "masquerade comment") {
		t.Fatalf("table is\n%s", good)
	}
	for i, cmd := range []string{"delete table inet nvad", "flush table inet nvad", "flush ruleset"} {
		h.nft(cmd)
		start := time.Now()
		within(t, healTime, good, table)
		t.Logf("%s: healed in %v", cmd, time.Since(start).Round(time.Millisecond))
		within(t, healTime, fmt.Sprint(i+1), func() string { return fmt.Sprint(p.Counters().NATRepairs) })
	}
	h.nft("add table ip filter")
	p.SetWanted(wanted())
	within(t, healTime, "table ip filter {\n}\n", func() string { return h.nft("-s list ruleset") })
}

// A restart leaves every rule and its handle as they are.
func TestNATRestart(t *testing.T) {
	h := natHost(t)
	h.start(nil).stop()
	before := h.nft("-s -a list ruleset")
	p := h.start(nil)
	if got := h.nft("-s -a list ruleset"); got != before || !strings.Contains(got, "masquerade comment") {
		t.Errorf("after the restart\n%s\nbefore\n%s", got, before)
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if got := h.nft("-s list ruleset"); got != "table ip filter {\n}\n" {
		t.Errorf("after flush\n%s", got)
	}
}
