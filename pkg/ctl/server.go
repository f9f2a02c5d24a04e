package ctl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// daemonUser is the user that the service runs as.
const daemonUser = "nvad"

// dialSocket connects to the daemon's socket and makes sure of who listens there. A
// socket at the right path need not be nvad's: NVAD_SOCKET or --socket may name one
// in a directory where somebody else was first, and what answers there is believed.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, dialError(path, err)
	}
	server, err := serverOf(conn)
	if err == nil && !mayServe(server.Uid) {
		err = fmt.Errorf("%s is not nvad's: %s listens there, and not root, %s or you; nothing was sent", path, nameOf(server.Uid), daemonUser)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// serverOf is the process and the user who made the listening end of a connection,
// as the kernel has kept it.
func serverOf(conn net.Conn) (*unix.Ucred, error) {
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.New("not a unix socket: nobody knows who listens")
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	if credErr != nil {
		return nil, fmt.Errorf("who listens on the socket: %w", credErr)
	}
	return cred, nil
}

// mayServe reports whether nvad may run as that user: root, the user of the service,
// or the caller, who may do anyway what such a daemon could make nvactl do.
func mayServe(uid uint32) bool {
	if uid == 0 || int(uid) == os.Geteuid() {
		return true
	}
	u, err := user.Lookup(daemonUser)
	return err == nil && u.Uid == strconv.FormatUint(uint64(uid), 10)
}

// nameOf is a user in words.
func nameOf(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "user " + id
}
