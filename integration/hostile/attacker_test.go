package hostile

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

// attacker is a configured neighbor that attacks nvad. It writes messages octet by octet and
// discards what nvad sends.
type attacker struct {
	bed     *bed
	address netip.Addr
	asn     uint32
}

// peer returns the attacker as a speaker that behaves well until the session is established.
func (a *attacker) peer(restart time.Duration) rawbgp.Peer {
	return rawbgp.Peer{
		Local: a.address, Remote: netip.MustParseAddr(dutAddress), ASN: a.asn,
		Dial: lab.DialFrom(a.bed.NS(theirs)), Restart: restart, Plain: restart == 0, Extended: true,
	}
}

// session is an attacker's established session.
type session struct {
	conn  net.Conn
	ended chan struct{} // closed when nvad has ended the session
}

// establish opens a session and reads from it for as long as it lasts.
func (a *attacker) establish(ctx context.Context, restart time.Duration) (*session, error) {
	conn, err := a.peer(restart).Open(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := a.peer(restart).Handshake(conn); err != nil {
		return nil, err
	}
	return newSession(conn), nil
}

// await dials until nvad accepts the session.
func (a *attacker) await(ctx context.Context, restart time.Duration) (*session, error) {
	c, err := a.peer(restart).Establish(ctx)
	if err != nil {
		return nil, err
	}
	return newSession(c.Conn), nil
}

func newSession(conn net.Conn) *session {
	s := &session{conn: conn, ended: make(chan struct{})}
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		close(s.ended)
	}()
	return s
}

// send writes a message. It returns false if nvad has ended the session.
func (s *session) send(m []byte) bool {
	_ = s.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
	_, err := s.conn.Write(m)
	return err == nil
}

func (s *session) close() { s.conn.Close(); <-s.ended }

// basics returns the ORIGIN, AS_PATH and NEXT_HOP of an ordinary route.
func (a *attacker) basics() []byte {
	path := binary.BigEndian.AppendUint32([]byte{2, 1}, a.asn)
	return a.basicsWith(path, a.address)
}

func (a *attacker) basicsWith(path []byte, nextHop netip.Addr) []byte {
	b := rawbgp.Attr(rawbgp.WellKnown, rawbgp.AttrOrigin, []byte{0})
	b = append(b, rawbgp.Attr(rawbgp.WellKnown, rawbgp.AttrASPath, path)...)
	return append(b, rawbgp.Attr(rawbgp.WellKnown, rawbgp.AttrNextHop, nextHop.AsSlice())...)
}

// update announces /24 prefixes with the given attributes.
func update(attrs []byte, prefixes ...uint32) []byte {
	return rawbgp.UpdateMessage(nil, attrs, nlri(prefixes))
}

// withdrawal withdraws /24 prefixes.
func withdrawal(prefixes ...uint32) []byte { return rawbgp.UpdateMessage(nlri(prefixes), nil, nil) }

func nlri(prefixes []uint32) (b []byte) {
	for _, p := range prefixes {
		b = append(b, 24, byte(p>>16), byte(p>>8), byte(p))
	}
	return b
}

// pace calls do rate times a second, until it has been called count times, it returns false,
// or ctx ends.
func pace(ctx context.Context, count, rate int, do func(i int) bool) {
	begin := time.Now()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < count; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := int(time.Since(begin).Seconds() * float64(rate)); i < count && i < due; i++ {
			if ctx.Err() != nil || !do(i) {
				return
			}
		}
	}
}
