package gobgp

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// Keys of log attributes, as in every package of nvad.
const (
	keyNeighbor = "neighbor"
	keyState    = "state"
	keyReason   = "reason"
)

// timedOut is the reason if nothing answers.
const timedOut = "timed out"

// errText returns the text of err without the addresses and the system call that Go puts
// in front of it: "connection refused", "no route to host".
func errText(err error) string {
	var errno syscall.Errno
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return timedOut
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &op) && op.Timeout():
		return timedOut
	}
	return err.Error()
}

// lostBy returns the cause for an error of the socket.
func lostBy(err error) cause {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return cause{reason: "connection closed by peer", lost: true}
	case errors.Is(err, syscall.ECONNRESET):
		return cause{reason: "connection reset by peer", lost: true}
	}
	return cause{reason: "connection lost: " + errText(err), lost: true}
}

// describeSent returns why GoBGP ended a session with n.
func describeSent(n speaker.Notification) string {
	if n.Code == speaker.CodeHoldTimer {
		return "hold timer expired"
	}
	return wire.Describe(n)
}

// md5Hint is added to the reason of an attempt that got no answer if the kernel has
// counted segments with a wrong signature meanwhile. It drops them silently (RFC 2385 2),
// on both sides, so a wrong password looks like a dead neighbor.
const md5Hint = " (TCP-MD5 failures are counted: check the password)"

// netstat has the kernel's counters, for the whole network namespace.
const netstat = "/proc/thread-self/net/netstat"

// md5Failures counts segments that were dropped for their signature: absent or wrong on a
// socket with a key, present on one without.
type md5Failures struct{ keyed, keyless uint64 }

// md5Reader reads the counters at most ten times a second, however many neighbors do not
// answer.
type md5Reader struct {
	mu   sync.Mutex
	at   time.Time
	last md5Failures
}

func (r *md5Reader) read(now time.Time) md5Failures {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.at) >= firstPause {
		r.at, r.last = now, readMD5Failures()
	}
	return r.last
}

// readMD5Failures returns zeros if the kernel has no such counters.
func readMD5Failures() md5Failures {
	data, err := os.ReadFile(netstat)
	if err != nil {
		return md5Failures{}
	}
	return parseMD5Failures(string(data))
}

// parseMD5Failures reads lines in pairs: names, then values.
func parseMD5Failures(text string) (m md5Failures) {
	lines := strings.Split(text, "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for j := range min(len(names), len(values)) {
			n, _ := strconv.ParseUint(values[j], 10, 64)
			switch names[j] {
			case "TCPMD5NotFound", "TCPMD5Failure":
				m.keyed += n
			case "TCPMD5Unexpected":
				m.keyless += n
			}
		}
	}
	return m
}

// md5Suspect reports whether failures since md5Before may explain that the neighbor does
// not answer. The counters do not tell neighbors apart, so it is only a hint.
func (p *peer) md5Suspect(now md5Failures) bool {
	if p.cfg.Password != "" {
		return now.keyed > p.md5Before.keyed
	}
	return now.keyless > p.md5Before.keyless
}
