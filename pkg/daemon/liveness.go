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
	"github.com/nvad/nvad/pkg/watch"
)

// liveness runs BFD for the daemon. When a path dies, it tells the forwarding plane
// directly, without the engine, which may be busy with a table.
type liveness struct {
	log     *slog.Logger
	manager *bfd.Manager
	// divert passes the dead gateways to forwarding plane and engine. lost tells the
	// engine which path is down. Neither blocks.
	divert func([]netip.Addr)
	lost   func(neighbor netip.Addr, reason string)
	// silent returns the gateways behind peers of WireGuard that count as dead, with the
	// reasons; nil: none ever do.
	silent  func() map[netip.Addr]string
	changes *watch.Hub // where deaths and returns are published; nil: nowhere
	wake    chan struct{}

	mu      sync.Mutex
	wanted  []bfd.Session
	farEnds map[netip.Addr]bool
	held    bool                  // nothing is watched at present
	dead    map[netip.Addr]string // gateway to reason, by BFD
	hushed  map[netip.Addr]string // the same, by WireGuard
}

// answerTime is how long the far end of a tunnel may take to answer after a start of
// either nvad. BFD begins with one packet a second (RFC 5880 6.8.3), and needs three. A
// planned restart, which is announced by AdminDown, may take as long.
const answerTime = 5 * time.Second

func newLiveness(log *slog.Logger, divert func([]netip.Addr), lost func(netip.Addr, string)) *liveness {
	return &liveness{
		log: log, manager: bfd.New(log), divert: divert, lost: lost,
		wake: make(chan struct{}, 1), dead: map[netip.Addr]string{},
	}
}

// run configures the sessions that Watch asks for and handles their events, until ctx
// ends. Then it tells the neighbors that this is no failure (RFC 5882 3.2).
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
			l.askTunnels()
		case <-l.wake:
			if err := l.manager.Configure(l.now()); err != nil {
				l.log.Error("bfd not configured", "reason", err)
			}
		}
	}
}

// now returns the sessions to watch at present.
func (l *liveness) now() []bfd.Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held {
		return nil
	}
	return l.wanted
}

// hold(true) ends all watching, without a failure at either end, until hold(false).
func (l *liveness) hold(on bool) {
	l.mu.Lock()
	l.held = on
	l.mu.Unlock()
	l.rouse()
}

// rouse makes run configure the sessions again.
func (l *liveness) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take handles one change of a session. A session that the neighbor takes down on
// purpose says nothing about the path, nor does one that was never up.
func (l *liveness) take(ev bfd.Event) {
	addr := ev.Key.Remote
	switch {
	case ev.State == bfd.Up:
		l.log.Info("bfd up", "neighbor", addr, "local", ev.Key.Local, "multihop", ev.Key.Multihop)
		l.Reached(addr)
	case ev.Administrative:
		l.log.Info("bfd taken down by the neighbor", "neighbor", addr, "reason", ev.Reason)
		l.Reached(addr)
	case l.died(addr, ev.Reason):
		l.lost(addr, ev.Reason)
		l.log.Warn("bfd down", "neighbor", addr, "reason", ev.Reason, "delayed", ev.Extended)
	}
}

// askFarEnds checks the far ends whose session is not up, which send no event: one that
// has not answered in time is dead, and one that says AdminDown is alive.
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
			l.Reached(addr)
		case why == "" && now.Sub(s.Since) > answerTime && l.died(addr, "no answer"):
			l.log.Warn("bfd session does not come up", "remote", addr, "local", s.Key.Local, "reason", s.Error)
		}
	}
}

// askTunnels checks which gateways are behind peers of WireGuard that count as dead.
func (l *liveness) askTunnels() {
	if l.silent == nil {
		return
	}
	hushed := l.silent()
	l.mu.Lock()
	defer l.mu.Unlock()
	for addr, why := range hushed {
		if _, was := l.hushed[addr]; !was {
			l.log.Warn("wireguard peer silent", "remote", addr, "reason", why)
			l.publishNextHop(addr, false, "wireguard", why)
		}
	}
	for addr := range l.hushed {
		if _, is := hushed[addr]; !is {
			l.publishNextHop(addr, true, "wireguard", "")
		}
	}
	if !maps.Equal(hushed, l.hushed) {
		l.hushed = hushed
		l.publish()
	}
}

// died marks a gateway as dead, and reports whether it is watched at all: an event may
// arrive after its watch ended.
func (l *liveness) died(addr netip.Addr, why string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.ContainsFunc(l.wanted, func(s bfd.Session) bool { return s.Key.Remote == addr }) {
		return false
	}
	_, was := l.dead[addr]
	l.dead[addr] = why
	if !was {
		l.publish()
		l.publishNextHop(addr, false, "bfd", why)
	}
	return true
}

// Reached implements engine.Liveness: it marks a gateway as alive.
func (l *liveness) Reached(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, was := l.dead[addr]; was {
		delete(l.dead, addr)
		l.publish()
		l.publishNextHop(addr, true, "bfd", "")
	}
}

func (l *liveness) publishNextHop(addr netip.Addr, alive bool, by, reason string) {
	l.changes.Publish(watch.Event{At: time.Now(), Change: watch.NextHop{Address: addr, Alive: alive, By: by, Reason: reason}})
}

// deaths returns the dead gateways with the reasons.
func (l *liveness) deaths() map[netip.Addr]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all()
}

// all returns the dead gateways, whoever found them so.
func (l *liveness) all() map[netip.Addr]string {
	out := maps.Clone(l.hushed)
	if out == nil {
		out = make(map[netip.Addr]string, len(l.dead))
	}
	maps.Copy(out, l.dead)
	return out
}

// publish hands over the dead gateways. Its caller holds the lock, so that the sets
// arrive in order.
func (l *liveness) publish() {
	l.divert(slices.Collect(maps.Keys(l.all())))
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
			l.publishNextHop(a, true, "bfd", "not watched any more")
		}
	}
	if len(l.dead) != before {
		l.publish()
	}
	l.mu.Unlock()
	l.rouse()
}

// authKeys returns the keys that are in use.
func authKeys(keys config.BFDKeys) (out []bfd.AuthKey) {
	for _, k := range keys {
		if k.Secret != "" {
			out = append(out, bfd.AuthKey(k))
		}
	}
	return out
}

// sessions returns the state of each session by its neighbor.
func (l *liveness) sessions() map[netip.Addr]bfd.Status {
	out := map[netip.Addr]bfd.Status{}
	for _, s := range l.manager.Snapshot().Sessions {
		out[s.Key.Remote] = s
	}
	return out
}
