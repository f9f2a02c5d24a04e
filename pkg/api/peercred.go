package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/credentials"
)

// caller is the process at the other end of a unix socket, as it was when it
// connected.
type caller struct {
	credentials.CommonAuthInfo
	uid    uint32
	groups []uint32 // primary and supplementary
}

// AuthType implements credentials.AuthInfo.
func (caller) AuthType() string { return "unix" }

// in reports whether the caller is a member of the group with this id.
func (c caller) in(gid uint32) bool { return slices.Contains(c.groups, gid) }

// callerOf returns who made the call, and false if that is not known.
func callerOf(ctx context.Context) (caller, bool) {
	c, ok := authOf(ctx).(caller)
	return c, ok
}

// unixCredentials asks the kernel who connected. Nothing goes over the wire, so
// a client needs no credentials of its own.
type unixCredentials struct{}

var errNotUnix = errors.New("not a unix socket: the caller is unknown")

// ServerHandshake implements credentials.TransportCredentials.
func (unixCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, err := whoConnected(conn)
	if err != nil {
		return nil, nil, err
	}
	return conn, c, nil
}

func whoConnected(conn net.Conn) (c caller, err error) {
	if counted, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = counted.NetConn()
	}
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return c, errNotUnix
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return c, err
	}
	if controlErr := raw.Control(func(fd uintptr) { c, err = readCaller(int(fd)) }); controlErr != nil {
		return c, controlErr
	}
	return c, err
}

// UserOf names the user at the other end of a unix socket, for a pool of
// connections; what is not one counts as one user.
func UserOf(conn net.Conn) string {
	c, err := whoConnected(conn)
	if err != nil {
		return "unknown"
	}
	return callerKey(c)
}

// ClientHandshake implements credentials.TransportCredentials.
func (unixCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("credentials of a server")
}

// Info implements credentials.TransportCredentials.
func (unixCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "unix"}
}

// Clone implements credentials.TransportCredentials.
func (u unixCredentials) Clone() credentials.TransportCredentials { return u }

// OverrideServerName implements credentials.TransportCredentials.
func (unixCredentials) OverrideServerName(string) error { return nil }

// readCaller reads SO_PEERCRED, which knows the primary group only, and
// SO_PEERGROUPS.
func readCaller(fd int) (caller, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return caller{}, fmt.Errorf("SO_PEERCRED: %w", err)
	}
	groups, err := peerGroups(fd)
	if err != nil {
		return caller{}, fmt.Errorf("SO_PEERGROUPS: %w", err)
	}
	return caller{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		uid:            cred.Uid,
		groups:         append(groups, cred.Gid),
	}, nil
}

// peerGroups returns the supplementary groups. The kernel answers ERANGE, and
// how many bytes it takes, if the buffer is too small.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 64)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch errno {
		case 0:
			return groups[:size/4], nil
		case unix.ERANGE:
			groups = make([]uint32, size/4)
		default:
			return nil, errno
		}
	}
}
