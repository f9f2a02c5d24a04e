package daemon

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"

	"github.com/nvad/nvad/pkg/watch"
)

// nva holds the state of an NVA that the events of a day lead to, in the words of inWords.
type nva struct {
	rnd   *rand.Rand
	in    *route.Interner
	is    map[string]string // by kind and name
	table map[netip.Prefix]watch.Best
}

func (n *nva) set(kind, name, words string) {
	if n.is[kind+name] = words; words == "" {
		delete(n.is, kind+name)
	}
}

// words returns what the NVA is like.
func (n *nva) words() []string { return slices.Sorted(maps.Values(n.is)) }

// happens returns the next event, and changes the NVA.
func (n *nva) happens() watch.Change {
	i := n.rnd.IntN(200)
	addr := netip.AddrFrom4([4]byte{10, 0, 210, byte(i % 10)})
	name := fmt.Sprint("vxlan", i%7)
	switch n.rnd.IntN(40) {
	case 0:
		to := []speaker.State{speaker.EstablishedState, speaker.Idle}[n.rnd.IntN(2)]
		n.set("neighbor", addr.String(), addr.String()+" "+to.String())
		return watch.Neighbor{Address: addr, To: to}
	case 1:
		state := []string{"up", "down"}[n.rnd.IntN(2)]
		n.set("tunnel", name, name+" "+state)
		return watch.Tunnel{Name: name, New: state}
	case 2:
		return watch.Tunnel{Name: name, New: "repaired"}
	case 3:
		began := n.rnd.IntN(2) == 0
		n.set("problem", name, map[bool]string{true: "tunnel " + name}[began])
		return watch.Problem{Began: began, Key: "tunnel " + name}
	case 4:
		what := []string{"drain", "undrain"}[n.rnd.IntN(2)]
		n.set("drain", "", map[string]string{"drain": "drain"}[what])
		return watch.Operation{What: what}
	case 5:
		return watch.Repair{Object: "route", Count: 1, Reason: "gone"}
	}
	p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 100, byte(i), 0}), 24)
	if i%3 == 0 {
		way := []string{"", "via 10.0.0.1 dev eth0", "via 10.0.0.2 dev eth0"}[n.rnd.IntN(3)]
		n.set("fib", p.String(), map[bool]string{true: p.String() + " " + way}[way != ""])
		return watch.Forwarding{Prefix: p, Class: "bgp", New: way, State: map[bool]string{true: "installed", false: "removed"}[way != ""]}
	}
	was, now := n.table[p], watch.Best{}
	if n.rnd.IntN(3) > 0 {
		path := []uint32{65515, uint32(n.rnd.IntN(1000))}
		now = watch.Best{Neighbor: addr, Attrs: n.in.Intern(route.Attrs{NextHop: addr, ASPath: route.NewASPath(path...)})}
	}
	n.table[p] = now
	n.set("route", p.String(), map[bool]string{true: fmt.Sprintf("%s from %s path %s", p, addr, asPath(now))}[now.Attrs != nil])
	return watch.Route{Prefix: p, Old: was, New: now}
}

func asPath(b watch.Best) string {
	if b.Attrs == nil {
		return ""
	}
	return b.Attrs.ASPath.String()
}

// The state that the journal rebuilds at a thousand random instants of a day is what the NVA
// was like then, although its oldest events make room for new ones all the time.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChronicled(t, stateDir(t), 1)
		c.start()
		defer c.stop()
		n := &nva{rnd: rand.New(rand.NewPCG(1, 2)), in: route.NewInterner(), is: map[string]string{}, table: map[netip.Prefix]watch.Best{}}
		was := map[time.Time][]string{}
		var instants []time.Time
		for len(instants) < 1000 {
			for range n.rnd.IntN(30) {
				c.publish(n.happens())
			}
			time.Sleep(time.Duration(n.rnd.IntN(int(time.Minute))))
			instants = append(instants, time.Now())
			was[time.Now()] = n.words()
			time.Sleep(time.Millisecond)
		}
		pause()
		same := 0
		for i, at := range instants {
			got, err := c.at(watch.Everything, at)
			if errors.Is(err, journal.ErrNotKept) && i < len(instants)/2 {
				continue
			}
			if slices.Sort(got); err != nil || !slices.Equal(got, was[at]) {
				t.Fatalf("instant %d: %v\n%q, want\n%q", i, err, got, was[at])
			}
			same++
		}
		t.Logf("the state of %d of %d instants is kept", same, len(instants))
		if lost := c.sample().Lost; same < len(instants)/2 || same == len(instants) || lost > 0 {
			t.Errorf("%d of %d instants are known, %d events lost", same, len(instants), lost)
		}
	})
}
