package bfd

import (
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// wire joins the ports of several managers. It remembers what was sent.
type wire struct {
	mu    sync.Mutex
	ports map[netip.Addr]*wirePort
	sent  []sending
	// drop loses packets from an address.
	drop map[netip.Addr]bool
	// stall makes each send from an address take this long: a starved process.
	stall map[netip.Addr]time.Duration
	// missing addresses do not exist.
	missing map[netip.Addr]bool
	// hopLimit of delivered packets.
	hopLimit int
}

type sending struct {
	at     time.Time
	from   netip.Addr
	packet packet
}

func newWire() *wire {
	return &wire{
		ports: map[netip.Addr]*wirePort{}, drop: map[netip.Addr]bool{},
		stall: map[netip.Addr]time.Duration{}, missing: map[netip.Addr]bool{}, hopLimit: maxHopLimit,
	}
}

// do changes the wire under its lock.
func (w *wire) do(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// log is what an address has sent since a time.
func (w *wire) log(from netip.Addr, since time.Time) []sending {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []sending
	for _, s := range w.sent {
		if s.from == from && !s.at.Before(since) {
			list = append(list, s)
		}
	}
	return list
}

// port is the end of the wire with an address.
func (w *wire) port(a netip.Addr) *wirePort {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &wirePort{wire: w, readable: make(chan struct{}, 1)}
	w.ports[a] = p
	return p
}

type wirePort struct {
	wire     *wire
	readable chan struct{}
	inbox    []datagram
}

func (p *wirePort) open(k Key, _ string) (link, error) {
	p.wire.mu.Lock()
	defer p.wire.mu.Unlock()
	if p.wire.missing[k.Local] {
		return nil, errors.New("cannot assign requested address")
	}
	return &wireLink{wire: p.wire, key: k}, nil
}

func (p *wirePort) ready() <-chan struct{} { return p.readable }

func (p *wirePort) receive(deliver func(datagram)) {
	p.wire.mu.Lock()
	inbox := p.inbox
	p.inbox = nil
	p.wire.mu.Unlock()
	for _, d := range inbox {
		deliver(d)
	}
}

func (p *wirePort) shield([]rule) {}

func (p *wirePort) close() {}

type wireLink struct {
	wire *wire
	key  Key
}

func (l *wireLink) send(b []byte) error {
	w := l.wire
	w.mu.Lock()
	stall := w.stall[l.key.Local]
	w.mu.Unlock()
	time.Sleep(stall)
	w.mu.Lock()
	defer w.mu.Unlock()
	p, err := decode(b)
	if err != nil {
		return err
	}
	w.sent = append(w.sent, sending{time.Now(), l.key.Local, p})
	to := w.ports[l.key.Remote]
	if to == nil || w.drop[l.key.Local] {
		return nil
	}
	to.inbox = append(to.inbox, datagram{
		payload: append([]byte(nil), b...), local: l.key.Remote, remote: l.key.Local,
		hopLimit: w.hopLimit, multihop: l.key.Multihop,
	})
	select {
	case to.readable <- struct{}{}:
	default:
	}
	return nil
}

func (l *wireLink) device() int { return 0 }
func (l *wireLink) close()      {}

// wireEnd starts a manager at an address.
func wireEnd(t *testing.T, w *wire, a netip.Addr) *Manager {
	t.Helper()
	m := start(slog.New(slog.DiscardHandler), w.port(a))
	t.Cleanup(m.Close)
	return m
}

// configure is Configure with sessions that must be right.
func configure(t *testing.T, m *Manager, sessions ...Session) {
	t.Helper()
	if err := m.Configure(sessions); err != nil {
		t.Fatal(err)
	}
}

// between is a session between two addresses, the same interval both ways.
func between(local, remote netip.Addr, interval time.Duration) Session {
	return Session{Key: Key{Local: local, Remote: remote}, MinTx: interval, MinRx: interval}
}

// next is the next event; waiting longer than limit fails the test.
func next(t *testing.T, m *Manager, limit time.Duration) Event {
	t.Helper()
	select {
	case e := <-m.Events():
		return e
	case <-time.After(limit):
		t.Fatalf("no event within %v: %+v", limit, m.Snapshot())
		return Event{}
	}
}

// quiet fails if there is an event within d.
func quiet(t *testing.T, m *Manager, d time.Duration) {
	t.Helper()
	select {
	case e := <-m.Events():
		t.Fatalf("unexpected %+v", e)
	case <-time.After(d):
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
