package daemon

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
)

// liveness is BFD for the whole daemon. A path that dies is told to the forwarding
// plane first, without a detour over the engine, which may be busy with a table.
type liveness struct {
	log     *slog.Logger
	manager *bfd.Manager
	// divert tells forwarding plane and engine which gateways are dead, lost the
	// engine which path is down. Neither blocks.
	divert func([]netip.Addr)
	lost   func(neighbor netip.Addr, reason string)
	wake   chan struct{}

	mu      sync.Mutex
	wanted  []bfd.Session
	farEnds map[netip.Addr]bool
	held    bool                  // nothing is watched for now
	dead    map[netip.Addr]string // why
}

// answerTime is how long the far end of a tunnel may take to answer, on a start of
// this nvad or its own: BFD begins with a packet a second (RFC 5880 6.8.3), and
// needs three. It is what a restart on purpose, which tells AdminDown, may take.
const answerTime = 5 * time.Second

func newLiveness(log *slog.Logger, divert func([]netip.Addr), lost func(netip.Addr, string)) *liveness {
	return &liveness{
		log: log, manager: bfd.New(bfd.Options{Log: log}), divert: divert, lost: lost,
		wake: make(chan struct{}, 1), dead: map[netip.Addr]string{},
	}
}

// run carries out what Watch asks for, and passes on what happens, until ctx ends.
// The neighbors are told that this is no failure (RFC 5882 3.2).
func (l *liveness) run(ctx context.Context) error {
	defer l.manager.Close()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ev := <-l.manager.Events():
			l.take(ev)
		case <-ticker.C:
			l.askFarEnds(time.Now())
		case <-l.wake:
			if err := l.manager.Configure(l.now()); err != nil {
				l.log.Error("bfd not configured", "reason", err)
			}
		}
	}
}

// now is what to watch at this moment.
func (l *liveness) now() []bfd.Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held {
		return nil
	}
	return l.wanted
}

// hold ends all watching, without a failure at either end, until it is called with
// false.
func (l *liveness) hold(on bool) {
	l.mu.Lock()
	l.held = on
	l.mu.Unlock()
	l.rouse()
}

// rouse has run look at what to watch.
func (l *liveness) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take acts on one change of a session. What a neighbor takes down on purpose says
// nothing of the path, nor does a session that never was up.
func (l *liveness) take(ev bfd.Event) {
	addr := ev.Key.Remote
	switch {
	case ev.State == bfd.Up:
		l.log.Info("bfd up", "neighbor", addr, "local", ev.Key.Local, "multihop", ev.Key.Multihop)
		l.alive(addr)
	case ev.Administrative:
		l.log.Info("bfd taken down by the neighbor", "neighbor", addr, "reason", ev.Reason)
		l.alive(addr)
	case l.died(addr, ev.Reason):
		l.lost(addr, ev.Reason)
		l.log.Warn("bfd down", "neighbor", addr, "reason", ev.Reason, "delayed", ev.Extended)
	}
}

// askFarEnds looks at those whose session is not up, of which no event tells: one
// that has not answered in time is dead, one that says AdminDown is there.
func (l *liveness) askFarEnds(now time.Time) {
	l.mu.Lock()
	none := len(l.farEnds) == 0
	l.mu.Unlock()
	if none {
		return
	}
	for addr, s := range l.sessions() {
		l.mu.Lock()
		farEnd, why := l.farEnds[addr], l.dead[addr]
		l.mu.Unlock()
		switch {
		case !farEnd || s.State == bfd.Up:
		case s.RemoteState == bfd.AdminDown:
			l.alive(addr)
		case why == "" && now.Sub(s.Since) > answerTime && l.died(addr, "no answer"):
			l.log.Warn("bfd does not come up", "remote", addr, "local", s.Key.Local, "reason", s.Error)
		}
	}
}

// died notes that a gateway is dead, and reports whether it is watched at all: the
// event of one that no longer is may be on its way still.
func (l *liveness) died(addr netip.Addr, why string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.ContainsFunc(l.wanted, func(s bfd.Session) bool { return s.Key.Remote == addr }) {
		return false
	}
	_, was := l.dead[addr]
	l.dead[addr] = why
	if !was {
		l.tell()
	}
	return true
}

// alive notes that a gateway is not dead.
func (l *liveness) alive(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, was := l.dead[addr]; was {
		delete(l.dead, addr)
		l.tell()
	}
}

// deaths says of each dead gateway why it is.
func (l *liveness) deaths() map[netip.Addr]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.dead)
}

// tell hands over the dead gateways. The lock is held, so that sets arrive in the
// order in which they came to be.
func (l *liveness) tell() {
	list := make([]netip.Addr, 0, len(l.dead))
	for a := range l.dead {
		list = append(list, a)
	}
	l.divert(list)
}

// Watch implements engine.Liveness.
func (l *liveness) Watch(list []engine.Watched) {
	sessions := make([]bfd.Session, 0, len(list))
	still, farEnds := make(map[netip.Addr]bool, len(list)), map[netip.Addr]bool{}
	for _, w := range list {
		still[w.Neighbor] = true
		if w.FarEnd {
			farEnds[w.Neighbor] = true
		}
		sessions = append(sessions, bfd.Session{
			Key:    bfd.Key{Local: w.Local, Remote: w.Neighbor, Multihop: w.Multihop},
			Device: w.Device, MinTx: w.MinTx, MinRx: w.MinRx, Multiplier: uint8(w.Multiplier),
			MinTTL: uint8(w.MinTTL), Keys: authKeys(w.Keys),
		})
	}
	l.mu.Lock()
	l.wanted, l.farEnds = sessions, farEnds
	before := len(l.dead)
	for a := range l.dead {
		if !still[a] {
			delete(l.dead, a)
		}
	}
	if len(l.dead) != before {
		l.tell()
	}
	l.mu.Unlock()
	l.rouse()
}

// authKeys are the keys that are in use.
func authKeys(keys config.BFDKeys) (out []bfd.AuthKey) {
	for _, k := range keys {
		if k.Secret != "" {
			out = append(out, bfd.AuthKey(k))
		}
	}
	return out
}

// Reached implements engine.Liveness.
func (l *liveness) Reached(neighbor netip.Addr) { l.alive(neighbor) }

// sessions returns the state of each session by its neighbor.
func (l *liveness) sessions() map[netip.Addr]bfd.Status {
	out := map[netip.Addr]bfd.Status{}
	for _, s := range l.manager.Snapshot().Sessions {
		out[s.Key.Remote] = s
	}
	return out
}
