package bmp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// Times of a connection.
const (
	writeTime    = time.Minute // for bufferOctets, or the station counts as dead
	farewellTime = time.Second // for what is being written at the end, and the Termination
)

// bufferOctets is how much is written at a time.
const bufferOctets = 64 << 10

// connection is a connection to a station, from its Initiation to its end.
type connection struct {
	*station
	conn   net.Conn
	feed   *Feed
	buffer *bufio.Writer
	enc    *encoder
	ended  chan struct{} // closed when serve returns

	mu    sync.Mutex // guards until
	until time.Time  // no write may last longer; zero: each has writeTime
}

func newConnection(s *station, conn net.Conn) *connection {
	c := &connection{station: s, conn: conn, feed: newFeed(s.opt.Room), ended: make(chan struct{})}
	c.feed.most = s.opt.most
	c.buffer = bufio.NewWriterSize(c, bufferOctets)
	c.enc = newEncoder(s.Policy, c.buffer)
	s.mu.Lock()
	s.feed = c.feed
	s.mu.Unlock()
	return c
}

// serve sends the items of the Feed until ctx, the Feed or the connection ends, and returns why.
func (c *connection) serve(ctx context.Context) error {
	lost := make(chan error, 1)
	go func() { lost <- discard(c.conn, c.ended) }()
	go c.watch(ctx)
	defer func() {
		close(c.ended)
		c.feed.End("")
		c.conn.Close()
		<-lost
		c.station.mu.Lock()
		c.station.feed = nil
		c.station.mu.Unlock()
	}()
	c.enc.send(func(b []byte) []byte { return appendInitiation(b, c.opt.Name, c.opt.Description) })
	c.opt.Begin(c.feed)
	ticks, stop := ticker(c.Station.Statistics)
	defer stop()
	for {
		if err := c.drain(ctx); err != nil {
			c.reset()
			return c.why(err)
		}
		select {
		case <-c.feed.news:
		case <-ticks:
			c.enc.statistics(c.opt.Statistics(ctx))
		case <-c.feed.done:
			c.terminate(outOfResources)
			return c.why(nil)
		case <-ctx.Done():
			c.terminate(administrative)
			return errStopped
		case err := <-lost:
			lost <- err
			return err
		}
	}
}

// drain sends what waits.
func (c *connection) drain(ctx context.Context) error {
	for ctx.Err() == nil {
		it, ok := c.feed.take()
		if !ok {
			break
		}
		if c.enc.item(&it); c.enc.err != nil {
			return c.enc.err
		}
	}
	c.change(func(st *Status) { st.Messages += c.enc.count })
	c.enc.count = 0
	return c.buffer.Flush()
}

// why returns why the connection is over: err, unless the Feed ended first.
func (c *connection) why(err error) error {
	select {
	case <-c.feed.done:
		if reason := c.feed.endedBy(); reason != "" {
			c.change(func(st *Status) { st.Overflows++ })
			return errors.New(reason)
		}
	default:
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("it has read nothing for %s", writeTime)
	}
	return plain(err)
}

// terminate sends a Termination, if the station reads.
func (c *connection) terminate(reason uint16) {
	c.hurry()
	c.enc.send(func(b []byte) []byte { return appendTermination(b, reason) })
	if c.buffer.Flush() != nil {
		c.reset()
	}
}

// reset has the kernel drop what the station has not read when the connection is closed. It
// would keep that for minutes otherwise.
func (c *connection) reset() {
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// watch frees a write that waits for the station when the connection is to end.
func (c *connection) watch(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-c.feed.done:
	case <-c.ended:
		return
	}
	c.hurry()
}

// hurry leaves all further writes together farewellTime.
func (c *connection) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.IsZero() {
		c.until = time.Now().Add(farewellTime)
		_ = c.conn.SetWriteDeadline(c.until)
	}
}

// Write writes to the station within writeTime.
func (c *connection) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.until.IsZero() {
		_ = c.conn.SetWriteDeadline(time.Now().Add(writeTime))
	}
	c.mu.Unlock()
	n, err := c.conn.Write(p)
	c.change(func(st *Status) { st.Octets += uint64(n) })
	return n, err
}

// A station sends nothing. What it sends all the same is read slowly and dropped (RFC 7854
// 3.2): reading is how nvad notices that the station closes the connection.
const (
	junkOctets = 4 << 10
	junkPause  = 10 * time.Millisecond
)

// discard reads until the connection ends, and returns why it did.
func discard(conn net.Conn, ended <-chan struct{}) error {
	buf := make([]byte, junkOctets)
	for {
		if _, err := conn.Read(buf); err != nil {
			return fmt.Errorf("closed by the station: %w", plain(err))
		}
		select {
		case <-time.After(junkPause):
		case <-ended:
			return errStopped
		}
	}
}

// ticker is a ticker that never ticks without an interval.
func ticker(interval time.Duration) (ticks <-chan time.Time, stop func()) {
	if interval == 0 {
		return nil, func() {}
	}
	t := time.NewTicker(interval)
	return t.C, t.Stop
}
