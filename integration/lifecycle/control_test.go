package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestClearByFRR makes FRR request a refresh, and send one.
func TestClearByFRR(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
	b.configure(ordinary(open(peer1)))
	b.start()
	since := b.up(peer1).Since
	f.knows("10.20.0.0/16")
	b.routed("10.100.0.0/16")
	m := b.monitor()

	before := f.view().Messages
	f.vtysh("clear bgp " + ourAddress + " soft in")
	b.Eventually(patience, func() error {
		if now := f.view().Messages; now.UpdatesReceived <= before.UpdatesReceived {
			return fmt.Errorf("the ROUTE-REFRESH is not answered: %+v", now)
		}
		return nil
	})
	f.vtysh("clear bgp " + ourAddress + " soft out")
	b.Eventually(patience, func() error {
		if now := f.view().Messages; now.UpdatesSent <= before.UpdatesSent {
			return fmt.Errorf("FRR sent nothing: %+v", now)
		}
		return nil
	})
	m.only("none of it")
	if n := b.neighbor(peer1); !n.Since.Equal(since) || n.Accepted != 1 {
		t.Errorf("neighbor: %+v", n)
	}
}

// TestLimitRaised makes FRR announce more than nvad even keeps aside, and raises the limit.
// nvad requests the rest, and the session stays.
func TestLimitRaised(t *testing.T) {
	t.Parallel()
	const announced = 50
	b := newBed(t)
	var networks []string
	for i := range announced {
		networks = append(networks, fmt.Sprintf("10.100.%d.0/24", i))
	}
	b.frr(peer1, frrOptions{networks: networks})
	limited := func(n int) settings { return ordinary(open(peer1, fmt.Sprintf("maximum-prefix = %d", n))) }
	b.configure(limited(10))
	n := b.start()
	since := b.up(peer1).Since
	n.Logs("maximum-prefix exceeded twice over")
	b.Eventually(patience, func() error {
		if v := b.neighbor(peer1); v.Received != 20 || v.Accepted != 10 || v.Dropped < announced-20 {
			return fmt.Errorf("neighbor: %+v", v)
		}
		return nil
	})
	b.must(contains(b.tell("neighbors "+peer1), "announcements in this session, beyond", "twice maximum-prefix 10"))
	for _, network := range networks {
		if r := b.ctl("explain", network); strings.Contains(r.out, "not in the table") {
			b.must(contains(r.out, peer1+" announced more than maximum-prefix"))
		}
	}
	b.configure(limited(100))
	b.tell("reload")
	b.Eventually(patience, func() error {
		if v := b.neighbor(peer1); v.Accepted != announced {
			return fmt.Errorf("neighbor: %+v", v)
		}
		return nil
	})
	n.Logs("routes are requested by ROUTE-REFRESH")
	if v := b.neighbor(peer1); !v.Since.Equal(since) || v.Flaps != 0 {
		t.Errorf("the session was reset: %+v", v)
	}
}

// TestReset resets a session, hard and soft.
func TestReset(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
	b.configure(ordinary(open(peer1)))
	n := b.start()
	b.up(peer1)
	f.knows("10.20.0.0/16")
	b.routed("10.100.0.0/16")

	before := f.view()
	b.tell("reset " + peer1 + " --soft in")
	b.tell("reset " + peer1 + " --soft out")
	b.Eventually(patience, func() error {
		if now := f.view().Messages; now.UpdatesReceived <= before.Messages.UpdatesReceived {
			return fmt.Errorf("nothing sent again: %+v", now)
		}
		return nil
	})
	if v := f.view(); v.Established != 1 {
		t.Errorf("a soft reset reset the session: %+v", v)
	}

	for i := range 5 {
		b.tell("reset " + peer1)
		b.established(f, i+2)
	}
	n.Logs("NOTIFICATION sent: Cease/Administrative Reset")
	took := outages(b.Read(n.Log))
	t.Logf("the sessions were back after %v", took)
	if len(took) != 5 || slices.Max(took) > time.Second {
		t.Errorf("five resets took %v", took)
	}
}

// outages returns, from the log, how long each session was down that came back.
func outages(log string) (list []time.Duration) {
	var down time.Time
	for line := range strings.Lines(log) {
		stamp, event, _ := strings.Cut(line, " ")
		at, _ := time.Parse("time="+time.RFC3339Nano, stamp)
		switch {
		case strings.Contains(event, `msg="neighbor down"`):
			down = at
		case strings.Contains(event, `msg="neighbor up"`) && !down.IsZero():
			list = append(list, at.Sub(down))
		}
	}
	return list
}

// TestShutdownNeighbor shuts a neighbor down, keeps it down across a reload, and enables it
// again.
func TestShutdownNeighbor(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
	b.configure(ordinary(open(peer1)))
	b.start()
	b.up(peer1)
	b.routed("10.100.0.0/16")
	const message = "maintenance until 14:00"
	if r := b.ctl("shutdown", peer1, "--message", message); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	b.unrouted("10.100.0.0/16")
	b.Eventually(patience, func() error {
		if v := f.view(); v.ShutdownText != message || !strings.HasPrefix(v.Reason, "Cease/Administrative Shutdown") {
			return fmt.Errorf("FRR: %+v", v)
		}
		return nil
	})
	b.must(contains(b.tell("neighbors"), "Idle (Admin)"))
	b.tell("reload")
	b.must(contains(b.tell("neighbors"), "Idle (Admin)"))
	b.tell("enable " + peer1)
	b.up(peer1)
	b.routed("10.100.0.0/16")
	for command, want := range map[string]string{
		"reset 10.0.0.9":    "nvactl: neighbor 10.0.0.9 is not configured\n",
		"shutdown 10.0.0.9": "nvactl: neighbor 10.0.0.9 is not configured\n",
	} {
		if r := b.ctl(strings.Fields(command)...); r.code != 1 || r.err != want {
			t.Errorf("%s: %+v", command, r)
		}
	}
}
