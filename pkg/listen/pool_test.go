package listen

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// pipe is a connection from an address.
type pipe struct {
	net.Conn
	from   net.Addr
	closed bool
}

func (p *pipe) RemoteAddr() net.Addr { return p.from }
func (p *pipe) Close() error         { p.closed = true; return nil }

func from(address string) *pipe {
	return &pipe{from: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))}
}

// join admits a connection and closes what has to give way.
func join(p *Pool, raw *pipe, now time.Time) *Conn {
	c, closing := p.admit(raw, now)
	if closing != nil {
		_ = closing.Close()
	}
	return c
}

// TestOneClientDoesNotKeepOutAnother: someone holds all there is, from a few
// addresses; whoever comes once gets in each time.
func TestOneClientDoesNotKeepOutAnother(t *testing.T) {
	now := time.Now()
	p := NewPool(Limits{Total: 20, Each: 8}, nil)
	var greedy []*pipe
	for i := range 100 {
		c := from(fmt.Sprintf("192.0.2.%d:%d", i%5, 1000+i))
		greedy = append(greedy, c)
		join(p, c, now)
	}
	if p.total != 20 {
		t.Errorf("%d connections are held, want 20", p.total)
	}
	for i := range 50 {
		probe := from(fmt.Sprintf("168.63.129.16:%d", 2000+i))
		c := join(p, probe, now)
		if c == nil || probe.closed {
			t.Fatalf("probe %d was turned away", i)
		}
		_ = c.Close()
		c = join(p, from(fmt.Sprintf("192.0.2.9:%d", i+1)), now) // the greedy one comes back
		if c == nil {
			t.Fatal("nobody gave way")
		}
	}
	open := 0
	for _, g := range greedy {
		if !g.closed {
			open++
		}
	}
	if p.total > 20 || open > 20 {
		t.Errorf("%d counted, %d open, want at most 20", p.total, open)
	}
}

func TestEach(t *testing.T) {
	now := time.Now()
	p := NewPool(Limits{Total: 100, Each: 2}, nil)
	a, b, c := from("[2001:db8::1]:1"), from("[2001:db8::ffff]:1"), from("[2001:db8::2]:1")
	join(p, a, now)
	join(p, b, now)
	join(p, c, now)
	if !a.closed || b.closed || c.closed || p.held["2001:db8::/64"] != 2 {
		t.Errorf("want the oldest of the /64 closed: %v %v %v, %v", a.closed, b.closed, c.closed, p.held)
	}
}

// TestKept: connections that were kept do not give way, and count until they end.
func TestKept(t *testing.T) {
	now := time.Now()
	p := NewPool(Limits{Total: 2, Each: 2}, nil)
	one := join(p, from("192.0.2.1:1"), now)
	one.Keep()
	one.Keep()
	other := from("192.0.2.2:1")
	join(p, other, now)
	third := join(p, from("192.0.2.3:1"), now)
	if !other.closed || third == nil {
		t.Error("want the one that was not kept to give way")
	}
	third.Keep()
	late := from("192.0.2.4:1")
	if c := join(p, late, now); c != nil || !late.closed {
		t.Error("want no place where all are kept")
	}
	_ = one.Close()
	_ = one.Close()
	if c := join(p, from("192.0.2.4:2"), now); c == nil || p.total != 2 {
		t.Errorf("a place that is free again: %v, %d held", c, p.total)
	}
}

func TestRate(t *testing.T) {
	now := time.Now()
	p := NewPool(Limits{Total: 100, Each: 100, Rate: 3}, nil)
	for i, want := range []bool{true, true, true, false, false} {
		if c := join(p, from(fmt.Sprintf("192.0.2.1:%d", i+1)), now); (c != nil) != want {
			t.Errorf("connection %d: admitted %v", i, c != nil)
		}
	}
	if join(p, from("192.0.2.2:1"), now) == nil {
		t.Error("another client has to wait")
	}
	if join(p, from("192.0.2.1:9"), now.Add(time.Second)) == nil {
		t.Error("not admitted a second later")
	}
}

// TestEvictedIsTold: what gives way on a real listener is closed at the other end.
func TestEvictedIsTold(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := NewPool(Limits{Total: 1, Each: 1}, nil)
	limited := p.Listener(l)
	go func() {
		for {
			if _, err := limited.Accept(); err != nil {
				return
			}
		}
	}()
	defer l.Close()
	dial := func() net.Conn {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	first := dial()
	dial()
	_ = first.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(first); err == nil || err.(net.Error).Timeout() {
		t.Errorf("the first was not reset: %v", err)
	}
}
