package reload

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/nvad/nvad/integration/rawbgp"
)

// feeder is a neighbor that announces, and whose routes flap.
type feeder struct {
	asn     uint32
	address netip.Addr
	backup  bool // its paths are longer, so that they win only when there are no others
	session *rawbgp.Session
	random  *rand.Rand
	table   map[netip.Prefix]uint32 // the version announced last
	changes [2]int                  // changes of announced routes, and of denied ones
}

// newFeeder returns a feeder with everything to announce. The backup has none of the prefixes
// that come and go, so that their withdrawals reach the listeners.
func newFeeder(asn uint32, address netip.Addr, backup bool) *feeder {
	f := &feeder{asn: asn, address: address, backup: backup, random: rand.New(rand.NewPCG(1, uint64(asn))), table: map[netip.Prefix]uint32{}}
	for _, list := range [][]class{announced, denied} {
		for _, c := range list {
			for i := range perClass {
				if !backup || c != flapping {
					f.table[c.prefix(i)] = 0
				}
			}
		}
	}
	return f
}

// announce begins with the whole table.
func (f *feeder) announce() error {
	var routes []rawbgp.Route
	sets := map[[2]uint32]*rawbgp.Attrs{}
	for p, version := range f.table {
		k := [2]uint32{uint32(classOf(p)), version}
		if sets[k] == nil {
			sets[k] = f.attrs(classOf(p), version)
		}
		routes = append(routes, rawbgp.Route{Prefix: p, Attrs: sets[k]})
	}
	return f.session.Announce(routes)
}

// touched returns the announced classes whose routes a feeder changes. The backup changes the
// paths behind the best ones, including those of the steady class.
func (f *feeder) touched() []class {
	if f.backup {
		return []class{steady, onlyOne, onlyTwo}
	}
	return []class{changing, flapping, onlyOne, onlyTwo}
}

// flap changes rate routes a second until stop is closed. Every second change is to a denied
// route.
func (f *feeder) flap(rate int, stop <-chan struct{}) error {
	begin := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
		for due := int(time.Since(begin).Seconds() * float64(rate)); f.changes[0]+f.changes[1] < due; {
			kind := (f.changes[0] + f.changes[1]) % 2
			f.changes[kind]++
			if err := f.change([][]class{f.touched(), denied}[kind]); err != nil {
				return err
			}
		}
	}
}

// change withdraws a route, announces it, or changes its attributes.
func (f *feeder) change(classes []class) error {
	c := classes[f.random.IntN(len(classes))]
	p := c.prefix(f.random.IntN(perClass))
	version, there := f.table[p]
	if there && f.mayWithdraw(c) && f.random.IntN(2) == 0 {
		delete(f.table, p)
		return f.session.Withdraw(p)
	}
	f.table[p] = version + 1
	return f.session.Routes([]rawbgp.Route{{Prefix: p, Attrs: f.attrs(c, version+1)}})
}

// mayWithdraw reports whether a feeder may withdraw routes of a class. What both policies
// announce has to stay: otherwise a withdrawal could come from either the feeder or the
// reload.
func (f *feeder) mayWithdraw(c class) bool { return c == flapping || c >= byLists }
