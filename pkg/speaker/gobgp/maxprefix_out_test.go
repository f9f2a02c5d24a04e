package gobgp

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// counting is a neighbor that counts as Route Server documents it: known plus incoming
// routes, where all UPDATEs without a pause between them count as one.
type counting struct {
	known             map[netip.Prefix]*route.Attrs
	settled, incoming int
	last              time.Time
	most              int
}

func (c *counting) take(changes []speaker.Change, now time.Time) {
	if len(changes) == 0 {
		return
	}
	if now.Sub(c.last) > settleTime/2 {
		c.settled, c.incoming = len(c.known), 0
	}
	c.last = now
	for _, ch := range changes {
		if ch.Attrs == nil {
			delete(c.known, ch.Prefix)
		}
	}
	c.settled = min(c.settled, len(c.known))
	for _, ch := range changes {
		if ch.Attrs != nil {
			c.known[ch.Prefix] = ch.Attrs
			c.incoming++
		}
	}
	c.most = max(c.most, c.settled+c.incoming)
}

func prefixAt(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24)
}

// drive sends until nothing waits and returns how long that took.
func (c *counting) drive(a *account, limit int, now *time.Time) time.Duration {
	start := *now
	for {
		out, wait := a.release(nil, limit, *now)
		c.take(out, *now)
		if wait == 0 {
			return now.Sub(start)
		}
		*now = now.Add(wait)
	}
}

func TestAccountSendsAllAgain(t *testing.T) {
	const limit = 4000
	for n, want := range map[int]time.Duration{
		2000: 0, 2001: settleTime, 3000: 2 * settleTime, 3999: 17 * settleTime, 4000: 17 * settleTime,
	} {
		a, now := newAccount(), time.Unix(0, 0)
		c := &counting{known: map[netip.Prefix]*route.Attrs{}}
		for round := range 3 {
			attrs := &route.Attrs{}
			for i := range n {
				a.add(speaker.Change{Prefix: prefixAt(i), Attrs: attrs})
			}
			took := c.drive(a, limit, &now)
			if round > 0 && took > want || round == 0 && took > 0 {
				t.Errorf("%d routes, time %d: took %v, want at most %v", n, round, took, want)
			}
			for i := range n {
				if c.known[prefixAt(i)] != attrs {
					t.Fatalf("%d routes, time %d: %s is not what it should be", n, round, prefixAt(i))
				}
			}
			now = now.Add(time.Minute)
		}
		t.Logf("%d routes sent again: the neighbor counted %d at most", n, c.most)
		if c.most > limit {
			t.Errorf("%d routes: the neighbor counted %d", n, c.most)
		}
	}
}

// Whatever is sent and when, the limit holds, and the latest change of each prefix arrives.
func TestAccountAtRandom(t *testing.T) {
	const limit = 20
	rnd := rand.New(rand.NewPCG(3, 4))
	a, now := newAccount(), time.Unix(0, 0)
	c := &counting{known: map[netip.Prefix]*route.Attrs{}}
	want := map[netip.Prefix]*route.Attrs{}
	for step := range 5000 {
		p := prefixAt(rnd.IntN(2 * limit))
		switch {
		case rnd.IntN(3) == 0:
			delete(want, p)
			a.add(speaker.Change{Prefix: p})
		case len(want) < limit || want[p] != nil:
			want[p] = &route.Attrs{}
			a.add(speaker.Change{Prefix: p, Attrs: want[p]})
		}
		now = now.Add(time.Duration(rnd.Int64N(int64(settleTime))))
		out, _ := a.release(nil, limit, now)
		c.take(out, now)
		if step%100 == 0 {
			c.drive(a, limit, &now)
			for p, attrs := range want {
				if c.known[p] != attrs {
					t.Fatalf("step %d: %s was not sent", step, p)
				}
			}
			if len(c.known) != len(want) {
				t.Fatalf("step %d: %d routes are known, want %d", step, len(c.known), len(want))
			}
		}
	}
	if c.most > limit {
		t.Errorf("the neighbor counted %d", c.most)
	}
}

// While nothing may be sent, memory depends on the waiting routes, not on how often they
// change.
func TestAccountForgetsWhatFlaps(t *testing.T) {
	const limit = 10
	a, now := newAccount(), time.Unix(0, 0)
	attrs := &route.Attrs{}
	for i := range limit {
		a.add(speaker.Change{Prefix: prefixAt(i), Attrs: attrs})
	}
	a.release(nil, limit, now)
	for i := range 20_000 {
		p := prefixAt(limit + i%20)
		a.add(speaker.Change{Prefix: p, Attrs: attrs})
		if i%20 < 15 {
			a.add(speaker.Change{Prefix: p})
		}
		a.release(nil, limit, now)
	}
	if n := len(a.order); n > fewOrdered+2*len(a.waiting) || len(a.waiting) != 5 {
		t.Errorf("%d prefixes are in order for %d that wait", n, len(a.waiting))
	}
}
