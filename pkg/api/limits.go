package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// class is a kind of call with limits of its own.
type class uint8

const (
	question class = iota // one message as the answer; also commands
	dump                  // a table, events or a profile
	watcher               // a stream without an end
	earlier               // a dump that reads all routes of an earlier time
	classes
)

// classOf maps streams to their classes; every other method is a question.
var classOf = map[string]class{
	nvadv1.Nvad_ListRoutes_FullMethodName:                            dump,
	nvadv1.Nvad_ListFIB_FullMethodName:                               dump,
	nvadv1.Nvad_ListEvents_FullMethodName:                            dump,
	nvadv1.NvadControl_GetProfile_FullMethodName:                     dump,
	nvadv1.Nvad_Watch_FullMethodName:                                 watcher,
	grpc_health_v1.Health_Watch_FullMethodName:                       watcher,
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      watcher,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": watcher,
}

// quota is how much of something one caller, and all callers together, may have at
// once.
type quota struct {
	each, all int
	what      string // in words, for the error
}

// quotas bound the calls in progress. A call that reads a table holds a page of it, see
// unreadEach; one that watches holds what the client has not read (package watch). One that
// reads the past holds some 30 MB (package journal), which count to nvad's memory: with
// sixteen of them, nvad might close sessions.
var quotas = [classes]quota{
	question: {16, 64, "requests"},
	dump:     {4, 16, "tables, events and profiles being read"},
	watcher:  {8, 32, "watches"},
	earlier:  {2, 4, "states of the past being read"},
}

// Bounds of answers that clients have not read yet, in octets.
const (
	unreadConn = 4 << 20  // on one connection
	unreadEach = 8 << 20  // of one caller
	unreadAll  = 32 << 20 // of all callers
)

// connectionsEach is how many connections one caller may have. One more replaces the
// caller's oldest, so that a client that leaks connections can still ask.
const connectionsEach = 32

// patience is how long a call that waits for its turn does so.
const patience = 2 * time.Second

// waits reports whether a call of the class waits for another one to end. Others may take as
// long as the client likes.
func (c class) waits() bool { return c == question || c == earlier }

// Limits bound what callers may use of the daemon. Servers that share one count the
// calls of a caller together, whichever server it asks. Root has a share of its own
// beyond that of all other callers.
type Limits struct {
	sendTime time.Duration // how long a client may take to read a message

	mu      sync.Mutex // guards the rest
	callers map[string]*usage
	total   usage
	freed   chan struct{} // closed when a call ends for which others may wait
}

// usage counts the resources that one caller uses, or all callers.
type usage struct {
	calls       [classes]int
	connections []*meter // of one caller, the oldest first
	unread      int      // octets
}

func (u *usage) none() bool {
	return u.calls == [classes]int{} && len(u.connections) == 0 && u.unread == 0
}

// NewLimits returns Limits with nothing in use.
func NewLimits() *Limits {
	return &Limits{sendTime: sendTime, callers: map[string]*usage{}, freed: make(chan struct{})}
}

// of returns the usage of a caller, for reading or changing.
func (l *Limits) of(who string) *usage {
	u := l.callers[who]
	if u == nil {
		u = &usage{}
		l.callers[who] = u
	}
	return u
}

// tidy forgets a caller that uses nothing. The lock is held.
func (l *Limits) tidy(who string) {
	if u := l.callers[who]; u != nil && u.none() {
		delete(l.callers, who)
	}
}

// begin counts a call, or returns the error that says why it is not allowed at the
// moment.
func (l *Limits) begin(ctx context.Context, who string, c class) (end func(), err error) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		l.mu.Lock()
		err, freed := l.over(who, c), l.freed
		if err == nil {
			l.of(who).calls[c]++
			l.total.calls[c]++
			l.mu.Unlock()
			return func() { l.end(who, c) }, nil
		}
		l.tidy(who)
		l.mu.Unlock()
		if !c.waits() {
			return nil, err
		}
		select {
		case <-freed:
		case <-deadline.C:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *Limits) end(who string, c class) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(who).calls[c]--
	l.total.calls[c]--
	l.tidy(who)
	if c.waits() {
		close(l.freed)
		l.freed = make(chan struct{})
	}
}

// over says why a caller may not make one more call of a class. The lock is held.
func (l *Limits) over(who string, c class) error {
	q := quotas[c]
	all := q.all
	if who == rootCaller {
		all += q.each
	}
	switch {
	case l.of(who).calls[c] >= q.each:
		return status.Errorf(codes.ResourceExhausted,
			"too many %s: you have %d at nvad already, the most that one caller may have; end one first", q.what, q.each)
	case l.total.calls[c] >= all:
		return status.Errorf(codes.ResourceExhausted,
			"too many %s: nvad answers %d of all callers already, the most it takes; try again later", q.what, q.all)
	}
	return nil
}

// connect counts a connection of a caller, and returns the connection to close in
// exchange; nil if there is room.
func (l *Limits) connect(m *meter) (oldest *meter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.of(m.who)
	if len(u.connections) >= connectionsEach {
		oldest = u.connections[0]
		u.connections = u.connections[1:]
	}
	u.connections = append(u.connections, m)
	return oldest
}

func (l *Limits) disconnect(m *meter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.of(m.who)
	u.connections = slices.DeleteFunc(slices.Clone(u.connections), func(o *meter) bool { return o == m })
	l.tidy(m.who)
}

// charge counts octets of an answer that the client has not read yet. A single answer
// may have any size; beyond that the client must read first.
func (l *Limits) charge(m *meter, n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.of(m.who)
	switch {
	case m.unread > 0 && m.unread+n > unreadConn, u.unread > 0 && u.unread+n > unreadEach:
		return status.Errorf(codes.ResourceExhausted, "the answers before this one have not been read: %d octets wait for you", u.unread)
	case l.total.unread > 0 && l.total.unread+n > unreadAll && m.who != rootCaller:
		return status.Error(codes.ResourceExhausted, "too many answers wait for clients that do not read them; try again later")
	}
	m.unread += n
	u.unread += n
	l.total.unread += n
	return nil
}

// credit subtracts octets once they were sent to the client, or the client is gone.
func (l *Limits) credit(m *meter, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = min(n, m.unread)
	m.unread -= n
	l.of(m.who).unread -= n
	l.total.unread -= n
	l.tidy(m.who)
}

// messageSize returns the size of a message on the wire, with gRPC's prefix.
func messageSize(m any) int {
	const prefix = 5
	if pm, ok := m.(proto.Message); ok {
		return proto.Size(pm) + prefix
	}
	return prefix
}

// sendTime is how long a client may take to read one message of a stream. A person who
// reads a table page by page is that fast; a client that hangs is not.
const sendTime = time.Minute

// paced is a stream whose client must keep reading.
type paced struct {
	grpc.ServerStream
	meter   *meter
	timeout time.Duration
	stuck   bool
}

// SendMsg implements grpc.ServerStream. After a timeout the client gets nothing more:
// the handler ends, and gRPC cancels the message in progress.
func (p *paced) SendMsg(m any) error {
	if p.stuck {
		return errNotRead(p.timeout)
	}
	if err := p.meter.send(messageSize(m)); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- p.ServerStream.SendMsg(m) }()
	timer := time.NewTimer(p.timeout)
	defer timer.Stop()
	select {
	case err := <-sent:
		return err
	case <-timer.C:
		p.stuck = true
		return errNotRead(p.timeout)
	}
}

func errNotRead(d time.Duration) error {
	return status.Errorf(codes.ResourceExhausted, "nvad ended its answer: nobody has read it for %v", d)
}
