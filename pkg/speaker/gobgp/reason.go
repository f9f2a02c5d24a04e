package gobgp

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// timedOut is the reason where nothing answers.
const timedOut = "timed out"

// errText is err without the addresses and the system call that Go puts in
// front of it: "connection refused", "no route to host".
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

// lostBy is the cause for an error of the socket.
func lostBy(err error) cause {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return cause{reason: "connection closed by peer", lost: true}
	case errors.Is(err, syscall.ECONNRESET):
		return cause{reason: "connection reset by peer", lost: true}
	}
	return cause{reason: "connection lost: " + errText(err), lost: true}
}

// describeSent is the reason of a session that GoBGP ends with n.
func describeSent(n speaker.Notification) string {
	if n.Code == speaker.CodeHoldTimer {
		return "hold timer expired"
	}
	return wire.Describe(n)
}
