package listen

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits bound the connections of the listeners of a [Pool].
type Limits struct {
	Total int // connections of all clients
	Each  int // connections of one client
	Rate  int // new connections of one client per second; 0: no limit
}

// Pool keeps the connections of listeners within [Limits].
//
// A connection over the limit replaces another: the oldest of its own client or, if there are too many
// in total, the oldest of the client with the most. So a client that opens as many as it can
// does not lock out one that asks now and then, such as a load balancer's probe. A
// connection that was kept (see [Conn.Keep]) is not replaced; if all are kept, the new one is
// closed.
type Pool struct {
	limits Limits
	client func(net.Conn) string

	mu      sync.Mutex // guards the rest
	open    list.List  // of *Conn that are not kept, the oldest first
	held    map[string]int
	total   int
	window  time.Time      // when started began
	started map[string]int // connections since window, by client
}

// NewPool returns a Pool without listeners. client identifies the client of a connection; nil means by
// address, with an IPv6 /64 as one client.
func NewPool(l Limits, client func(net.Conn) string) *Pool {
	if client == nil {
		client = byAddress
	}
	return &Pool{limits: l, client: client, held: map[string]int{}, started: map[string]int{}}
}

// byAddress identifies a client by its address. Whoever has an IPv6 address usually has the whole
// /64.
func byAddress(c net.Conn) string {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return ""
	}
	a := at.Addr().Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.String()
	}
	return a.String()
}

// Most returns the maximum number of connections at any time.
func (p *Pool) Most() int { return p.limits.Total }

// Listener wraps l so that its connections count in the pool. It accepts [Conn]s.
func (p *Pool) Listener(l net.Listener) net.Listener { return &limited{l, p} }

type limited struct {
	net.Listener
	pool *Pool
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, closing := l.pool.admit(raw, time.Now())
		if closing != nil {
			reset(closing)
		}
		if c != nil {
			return c, nil
		}
	}
}

// reset closes a connection without waiting for unsent data.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// admit makes room for a connection. It returns the connection, or nil if there is no room, and the
// connection to close, if any.
func (p *Pool) admit(raw net.Conn, now time.Time) (admitted *Conn, closing net.Conn) {
	who := p.client(raw)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tooFast(who, now) {
		return nil, raw
	}
	if p.held[who] >= p.limits.Each {
		if closing = p.evict(who); closing == nil {
			return nil, raw
		}
	} else if p.total >= p.limits.Total {
		if closing = p.evict(p.heaviest()); closing == nil {
			return nil, raw
		}
	}
	c := &Conn{Conn: raw, pool: p, client: who}
	c.place = p.open.PushBack(c)
	p.held[who]++
	p.total++
	return c, closing
}

// tooFast counts a new connection of a client, and reports whether it exceeds the rate.
func (p *Pool) tooFast(who string, now time.Time) bool {
	if p.limits.Rate == 0 {
		return false
	}
	if now.Sub(p.window) >= time.Second {
		p.window = now
		clear(p.started)
	}
	p.started[who]++
	return p.started[who] > p.limits.Rate
}

// heaviest returns the client with the most connections that may be closed; of several, the one with
// the oldest connection.
func (p *Pool) heaviest() string {
	count := map[string]int{}
	most, who := 0, ""
	for e := p.open.Back(); e != nil; e = e.Prev() {
		c := e.Value.(*Conn)
		count[c.client]++
		if count[c.client] >= most {
			most, who = count[c.client], c.client
		}
	}
	return who
}

// evict takes the oldest connection of a client that is not kept out of the pool, and returns it; nil
// if there is none.
func (p *Pool) evict(who string) net.Conn {
	for e := p.open.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*Conn); c.client == who {
			p.forget(c)
			return c.Conn
		}
	}
	return nil
}

func (p *Pool) forget(c *Conn) {
	if c.gone {
		return
	}
	c.gone = true
	if c.place != nil {
		p.open.Remove(c.place)
	}
	p.total--
	if p.held[c.client]--; p.held[c.client] == 0 {
		delete(p.held, c.client)
	}
}

// Conn is a connection that counts in a pool until it is closed.
type Conn struct {
	net.Conn
	pool   *Pool
	client string
	place  *list.Element // in Pool.open; nil: kept
	gone   bool          // out of the pool
}

// NetConn returns the connection as it was accepted.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Keep protects the connection from being replaced by a new one. Call it once the client has proved
// who it is.
func (c *Conn) Keep() {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if !c.gone && c.place != nil {
		c.pool.open.Remove(c.place)
		c.place = nil
	}
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.pool.mu.Lock()
	c.pool.forget(c)
	c.pool.mu.Unlock()
	return c.Conn.Close()
}
