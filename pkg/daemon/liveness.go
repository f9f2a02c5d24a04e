package daemon

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"

	"github.com/nvad/nvad/pkg/bfd"
	"github.com/nvad/nvad/pkg/engine"
)

// liveness is BFD for the whole daemon. A path that dies is told to the forwarding
// plane first, without a detour over the engine, which may be busy with a table.
type liveness struct {
	log     *slog.Logger
	manager *bfd.Manager
	// divert tells the forwarding plane which gateways are dead, lost the engine
	// which path is down. Neither blocks.
	divert func([]netip.Addr)
	lost   func(neighbor netip.Addr, reason string)
	wake   chan struct{}

	mu     sync.Mutex
	wanted []bfd.Session
	dead   map[netip.Addr]bool
}

func newLiveness(log *slog.Logger, divert func([]netip.Addr), lost func(netip.Addr, string)) *liveness {
	return &liveness{
		log: log, manager: bfd.New(bfd.Options{Log: log}), divert: divert, lost: lost,
		wake: make(chan struct{}, 1), dead: map[netip.Addr]bool{},
	}
}

// run carries out what Watch asks for, and passes on what happens, until ctx ends.
// The neighbors are told that this is no failure (RFC 5882 3.2).
func (l *liveness) run(ctx context.Context) error {
	defer l.manager.Close()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ev := <-l.manager.Events():
			l.take(ev)
		case <-l.wake:
			l.mu.Lock()
			wanted := l.wanted
			l.mu.Unlock()
			if err := l.manager.Configure(wanted); err != nil {
				l.log.Error("bfd not configured", "error", err)
			}
		}
	}
}

// take acts on one change of a session. What a neighbor takes down on purpose says
// nothing of the path, nor does a session that never was up.
func (l *liveness) take(ev bfd.Event) {
	addr := ev.Key.Remote
	switch {
	case ev.State == bfd.Up:
		l.log.Info("bfd up", "neighbor", addr, "local", ev.Key.Local, "multihop", ev.Key.Multihop)
		l.mark(addr, false)
	case ev.Administrative:
		l.log.Info("bfd taken down by the neighbor", "neighbor", addr, "reason", ev.Reason)
		l.mark(addr, false)
	default:
		l.mark(addr, true)
		l.lost(addr, ev.Reason)
		l.log.Warn("bfd down", "neighbor", addr, "reason", ev.Reason, "delayed", ev.Extended)
	}
}

// mark notes whether a gateway is dead.
func (l *liveness) mark(addr netip.Addr, dead bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead[addr] == dead {
		return
	}
	if dead {
		l.dead[addr] = true
	} else {
		delete(l.dead, addr)
	}
	l.tell()
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
	still := make(map[netip.Addr]bool, len(list))
	for _, w := range list {
		still[w.Neighbor] = true
		sessions = append(sessions, bfd.Session{
			Key:   bfd.Key{Local: w.Local, Remote: w.Neighbor, Multihop: w.Multihop},
			MinTx: w.MinTx, MinRx: w.MinRx, Multiplier: uint8(w.Multiplier),
		})
	}
	l.mu.Lock()
	l.wanted = sessions
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
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Reached implements engine.Liveness.
func (l *liveness) Reached(neighbor netip.Addr) { l.mark(neighbor, false) }

// sessions returns the state of each session by its neighbor.
func (l *liveness) sessions() map[netip.Addr]bfd.Status {
	out := map[netip.Addr]bfd.Status{}
	for _, s := range l.manager.Snapshot().Sessions {
		out[s.Key.Remote] = s
	}
	return out
}
