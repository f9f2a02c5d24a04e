package failover

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

// nva is an emulated NVA: a BGP speaker in a namespace that forwards to the
// destination.
type nva struct {
	*bed
	name    string
	device  string // towards the device under test
	address netip.Addr
	remote  netip.Addr // of the device under test
	asn     uint32
	routes  []rawbgp.Route
	plain   bool          // no graceful restart
	keep    time.Duration // asks the neighbor to keep its routes for this long

	mu      sync.Mutex
	session *rawbgp.Session
}

func (v *nva) peer() rawbgp.Peer {
	return rawbgp.Peer{
		Local: v.address, Remote: v.remote, ASN: v.asn,
		Plain: v.plain, Restart: v.keep, Dial: lab.DialFrom(v.NS(v.name)),
	}
}

// connect opens a new session, in place of the old one if there is one, and announces the
// routes. If the neighbor ends the session meanwhile, connect tries again.
func (v *nva) connect() {
	v.Helper()
	v.reset()
	ctx, cancel := context.WithTimeout(v.Context(), 2*patience+time.Duration(len(v.routes))*perRoute)
	defer cancel()
	for {
		s, err := v.peer().Connect(ctx)
		if err != nil {
			v.Fatal(err)
		}
		if err = v.use(s); err == nil {
			return
		}
		v.Logf("%s: session ended under the announcement: %v", v.name, cmp.Or(s.Err(), err))
	}
}

// stay reopens the session if the neighbor has ended it, and reports whether it had: a daemon
// that is starting may close a session that it has just opened.
func (v *nva) stay() (ended bool) {
	v.Helper()
	v.mu.Lock()
	s := v.session
	v.mu.Unlock()
	if s == nil || s.Err() == nil {
		return false
	}
	v.Logf("%s: session ended: %v", v.name, s.Err())
	v.connect()
	return true
}

// use announces the routes on a new session. A speaker without graceful restart may send
// End-of-RIB too, and this one does.
func (v *nva) use(s *rawbgp.Session) error {
	v.mu.Lock()
	v.session = s
	v.mu.Unlock()
	return s.Announce(v.routes)
}

// take removes the session from v and returns it, if there is one. The caller has to end it.
func (v *nva) take() *rawbgp.Session {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.session
	v.session = nil
	return s
}

// reset ends the session without a NOTIFICATION.
func (v *nva) reset() {
	if s := v.take(); s != nil {
		s.Reset()
	}
}

// cease ends the session with a NOTIFICATION.
func (v *nva) cease() {
	v.Helper()
	if s := v.take(); s != nil {
		if err := s.Cease(); err != nil {
			v.Errorf("cease: %v", err)
		}
	}
}

// serve listens for the neighbor and accepts every session that it opens, until the test ends.
func (v *nva) serve() {
	v.Helper()
	var l net.Listener
	err := lab.WithinNamespace(v.NS(v.name), func() (err error) {
		l, err = net.Listen("tcp4", netip.AddrPortFrom(v.address, 179).String())
		return err
	})
	if err != nil {
		v.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if s, err := v.peer().Begin(conn); err == nil {
				v.reset()
				_ = v.use(s) // if it fails, the neighbor connects again
			}
		}
	})
	v.Cleanup(func() { l.Close(); done.Wait(); v.reset() })
}

// answerBFD starts a BFD speaker other than the ones under test.
func (v *nva) answerBFD(interval time.Duration) {
	v.Helper()
	lab.RequireCommands(v.T, "bird")
	config := v.Write("bfd-"+v.name+".conf", fmt.Sprintf(`router id %s;
protocol device {}
protocol bfd {
	interface "*" { min rx interval %[2]d ms; min tx interval %[2]d ms; multiplier 3; };
	neighbor %[3]s dev %[4]q local %[1]s;
}
`, v.address, interval.Milliseconds(), v.remote, v.device))
	v.Spawn(v.name, "bfd-"+v.name, "bird", "-f", "-c", config,
		"-s", filepath.Join(v.Dir, "bfd-"+v.name+".ctl"), "-P", filepath.Join(v.Dir, "bfd-"+v.name+".pid"))
}
