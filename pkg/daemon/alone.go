package daemon

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockName is an abstract unix socket: it belongs to one network namespace, and
// goes with the process that made it.
const lockName = "@nvad"

// alone takes the lock that keeps a second nvad out of this network namespace,
// where both would write the same routes and devices.
func alone() (io.Closer, error) {
	l, err := net.Listen("unix", lockName)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("another nvad%s runs in this network namespace and would fight over its routes: stop it first",
			lockHolder())
	}
	if err != nil {
		return nil, fmt.Errorf("lock of the network namespace: %w", err)
	}
	return l, nil
}

// lockHolder is " (pid N)" of the process that has the lock, empty if that is
// not known.
func lockHolder() string {
	conn, err := net.Dial("unix", lockName)
	if err != nil {
		return ""
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return ""
	}
	var holder *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		holder, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); cerr != nil || err != nil || holder.Pid == 0 {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", holder.Pid)
}
