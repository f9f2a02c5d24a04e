package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// handshakeTime bounds how long a client may take to prove who it is.
const handshakeTime = 5 * time.Second

// rootCaller is the name of root at this machine in Limits.
const rootCaller = "uid 0"

// metered are credentials that count connections for their callers, and put a meter
// into each connection.
type metered struct {
	credentials.TransportCredentials
	limits *Limits
}

// guest is the caller at the other end of a connection, with the meter of the
// connection.
type guest struct {
	credentials.AuthInfo
	meter *meter
}

// ServerHandshake implements credentials.TransportCredentials.
func (m metered) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := m.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	if c, ok := raw.(interface{ Keep() }); ok {
		c.Keep()
	}
	counted := &meter{Conn: conn, limits: m.limits, who: callerKey(info)}
	if oldest := m.limits.connect(counted); oldest != nil {
		_ = oldest.Close()
	}
	return counted, guest{info, counted}, nil
}

// Clone implements credentials.TransportCredentials.
func (m metered) Clone() credentials.TransportCredentials {
	return metered{m.TransportCredentials.Clone(), m.limits}
}

// callerKey names a caller in Limits: a user of this machine, or the certificate of a
// remote caller.
func callerKey(info credentials.AuthInfo) string {
	switch info := info.(type) {
	case caller:
		return "uid " + strconv.FormatUint(uint64(info.uid), 10)
	case credentials.TLSInfo:
		if certs := info.State.PeerCertificates; len(certs) > 0 {
			sum := sha256.Sum256(certs[0].RawSubject)
			return "certificate " + hex.EncodeToString(sum[:])
		}
	}
	return "unknown"
}

// authOf returns how the caller has proved who it is; nil if it has not.
func authOf(ctx context.Context) credentials.AuthInfo {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	if g, ok := p.AuthInfo.(guest); ok {
		return g.AuthInfo
	}
	return p.AuthInfo
}

// meterOf returns the meter of the connection that a call came over.
func meterOf(ctx context.Context) *meter {
	if p, ok := peer.FromContext(ctx); ok {
		if g, ok := p.AuthInfo.(guest); ok {
			return g.meter
		}
	}
	panic("api: a call over a connection without credentials")
}

// meter is a connection that counts the octets of answers that wait for the client to
// read. gRPC keeps them for as long as HTTP/2's flow control wants, which the client
// decides; the call may have ended long before.
type meter struct {
	net.Conn
	limits *Limits
	who    string
	unread int // guarded by limits

	frames frames // of Write, which gRPC calls from one goroutine

	mu     sync.Mutex // guards the rest
	idle   *time.Timer
	closed bool
}

// send charges the client for a message before gRPC gets it.
func (m *meter) send(n int) error {
	if err := m.limits.charge(m, n); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		m.limits.credit(m, n)
		return nil // gRPC will report it
	}
	if m.idle == nil {
		m.idle = time.AfterFunc(2*m.limits.sendTime, func() { _ = m.Close() })
	}
	return nil
}

// Write implements net.Conn. It credits what leaves. A client that lets nothing leave
// for twice sendTime is disconnected.
func (m *meter) Write(b []byte) (int, error) {
	n, err := m.Conn.Write(b)
	if data := m.frames.data(b[:n]); data > 0 {
		m.limits.credit(m, data)
		m.progress()
	}
	return n, err
}

func (m *meter) progress() {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.idle == nil || m.closed:
	case m.limits.waiting(m) == 0:
		m.idle.Stop()
		m.idle = nil
	default:
		m.idle.Reset(2 * m.limits.sendTime)
	}
}

// Close implements net.Conn.
func (m *meter) Close() error {
	m.mu.Lock()
	first := !m.closed
	m.closed = true
	if m.idle != nil {
		m.idle.Stop()
		m.idle = nil
	}
	m.mu.Unlock()
	if first {
		m.limits.credit(m, m.limits.waiting(m))
		m.limits.disconnect(m)
	}
	return m.Conn.Close()
}

// waiting returns how much a connection is charged with.
func (l *Limits) waiting(m *meter) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return m.unread
}

// frames follows the HTTP/2 frames (RFC 9113 4.1) of one direction.
type frames struct {
	header [9]byte
	have   int // octets of header
	left   int // octets of payload to come
}

// typeData is the type of a DATA frame (RFC 9113 6.1).
const typeData = 0

// data returns how many octets of b are the payload of DATA frames.
func (f *frames) data(b []byte) int {
	total := 0
	for len(b) > 0 {
		if f.left > 0 {
			n := min(f.left, len(b))
			if f.header[3] == typeData {
				total += n
			}
			f.left -= n
			b = b[n:]
			continue
		}
		n := copy(f.header[f.have:], b)
		f.have += n
		b = b[n:]
		if f.have == len(f.header) {
			f.have = 0
			f.left = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
		}
	}
	return total
}
