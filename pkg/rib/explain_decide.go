package rib

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/nvad/nvad/pkg/route"
)

// Comparison is how a path lost against the best one.
type Comparison struct {
	Step     Step       // that decided
	Best     netip.Addr // neighbor of the best path; invalid: local
	Beaten   netip.Addr // neighbor of the path that beat it at StepMED, if not Best
	RunnerUp bool       // it lost last of all
	Rows     []Compared // steps up to the deciding one
}

// Compared is one step with the values of both paths.
type Compared struct {
	Step        Step
	Best, Other string
}

// contest is the decision process written down.
type contest struct {
	keys   []key // by path
	lost   []Step
	beat   []int // the path that beat it
	runner int   // -1: none
}

// contest decides about d once more and writes down when each path lost.
func (r *RIB) contest(d *dest) *contest {
	c := &contest{keys: make([]key, len(d.paths)), lost: make([]Step, len(d.paths)), beat: make([]int, len(d.paths)), runner: -1}
	var left []int
	for i := range d.paths {
		if d.paths[i].valid() {
			c.keys[i] = r.key(&d.paths[i])
			left = append(left, i)
		}
	}
	before, last := slices.Clone(left), []int(nil)
	narrow(left, c.keys, func(s Step, now []int) {
		gone := slices.DeleteFunc(slices.Clone(before), func(i int) bool { return slices.Contains(now, i) })
		for _, i := range gone {
			c.lost[i], c.beat[i] = s, c.winner(i, now, s)
		}
		if len(gone) > 0 {
			last = gone
		}
		before = slices.Clone(now)
	})
	if second := narrow(last, c.keys, func(Step, []int) {}); len(second) > 0 {
		c.runner = second[0]
	}
	return c
}

// winner is the path of now that beat path i in step s: MED is compared within
// a neighboring AS only, every other step with all.
func (c *contest) winner(i int, now []int, s Step) int {
	for _, j := range now {
		if s != StepMED || c.keys[j].neighborAS == c.keys[i].neighborAS {
			return j
		}
	}
	return now[0]
}

// comparison tells how path i lost; nil if it is the best or not valid.
func (r *RIB) comparison(d *dest, c *contest, i int) *Comparison {
	if d.best < 0 || i == int(d.best) || c.lost[i] == StepOnly {
		return nil
	}
	best := int(d.best)
	out := &Comparison{Step: c.lost[i], Best: r.peers[d.paths[best].peer].Address, RunnerUp: i == c.runner}
	if c.lost[i] == StepMED && c.keys[best].neighborAS != c.keys[i].neighborAS {
		out.Beaten = r.peers[d.paths[c.beat[i]].peer].Address
		best = c.beat[i]
	}
	for s := StepWeight; s <= c.lost[i]; s++ {
		out.Rows = append(out.Rows, Compared{s, c.keys[best].text(s), c.keys[i].text(s)})
	}
	return out
}

// text is what step s compares, in words.
func (k *key) text(s Step) string {
	v := k.by[min(s, StepAddress-1)]
	switch s {
	case StepWeight, StepLocalPref:
		return strconv.FormatUint(^v, 10)
	case StepLocal:
		return [...]string{"local", "learned"}[v]
	case StepOrigin:
		return route.Origin(v).String()
	case StepMED:
		return fmt.Sprintf("%d (AS %d)", k.med, k.neighborAS)
	case StepExternal:
		return [...]string{"eBGP", "iBGP"}[v]
	case StepRouterID:
		return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}).String()
	case StepAddress:
		return k.peer.String()
	}
	return strconv.FormatUint(v, 10)
}
