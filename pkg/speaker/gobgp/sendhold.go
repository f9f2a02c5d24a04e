package gobgp

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// sendHoldTime is how long a neighbor may take nothing of what is sent to it, by
// the negotiated hold time (RFC 9687 3 wants it longer than that).
func sendHoldTime(hold time.Duration) time.Duration { return 2 * hold }

// progress watches whether the neighbor takes what is sent to it. A write that
// does not end is a sign of that only once the socket's buffer is full, and
// KEEPALIVEs alone would not fill it in a day.
type progress struct {
	acked uint64
	since time.Time // when the neighbor was last seen to take something, or had all
}

// stopped is how long it has taken nothing, as far as is known.
func (p *progress) stopped(conn net.Conn, now time.Time) time.Duration {
	info := tcpInfo(conn)
	if info == nil || info.Unacked == 0 && info.Notsent_bytes == 0 || info.Bytes_acked != p.acked {
		p.since = now
	}
	if info != nil {
		p.acked = info.Bytes_acked
	}
	return now.Sub(p.since)
}

// endStuck ends a session whose neighbor does not read. What it has not read is
// worth nothing to it any more, so the kernel need not keep that.
func (t *tap) endStuck() {
	if tcp, ok := unwrap(t.conn).(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	t.end(cause{reason: "send hold timer expired: the neighbor does not read", lost: true}, nil)
}

// unanswered reports whether something has been under way for as long as since
// without an acknowledgment. A neighbor that is there but does not read answers.
func unanswered(conn net.Conn, since time.Duration) bool {
	info := tcpInfo(conn)
	silence := since * 9 / 10 // the kernel counts in ticks of up to 10 ms
	return info != nil && info.Unacked > 0 && time.Duration(info.Last_ack_recv)*time.Millisecond >= silence
}

// tcpInfo is nil for what is no TCP socket, or is closed.
func tcpInfo(conn net.Conn) (info *unix.TCPInfo) {
	tcp, ok := unwrap(conn).(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	_ = onSocket(raw, func(fd int) error {
		info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err
	})
	return info
}

func withoutKeepAlive(conn net.Conn) {
	if tcp, ok := unwrap(conn).(*net.TCPConn); ok {
		_ = tcp.SetKeepAlive(false)
	}
}
