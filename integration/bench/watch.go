package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/integration/lab"
)

// watchBuffer holds some quarter of a million events, which the kernel accounts
// with about a kilobyte each.
const watchBuffer = 256 << 20

// fibWatch follows table main of a namespace by the kernel's events.
type fibWatch struct {
	*tracker
	namespace string
	events    *os.File
	in        mmsg
	resyncs   int
}

func watchFIB(namespace string) (*fibWatch, error) {
	w := &fibWatch{tracker: newTracker(), namespace: namespace, in: newMmsg()}
	err := lab.WithinNamespace(namespace, func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		w.events = os.NewFile(uintptr(fd), "route events")
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, watchBuffer),
			unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.RTNLGRP_IPV4_ROUTE - 1)}))
	})
	if err != nil {
		return nil, fmt.Errorf("watch the FIB: %w", err)
	}
	go w.run()
	return w, nil
}

func (w *fibWatch) close() { w.events.Close() }

// run handles events until the socket is closed.
func (w *fibWatch) run() {
	raw, err := w.events.SyscallConn()
	if err != nil {
		return
	}
	lost := false
	for err == nil {
		var failed error
		err = raw.Read(func(fd uintptr) bool {
			n, errno := w.in.receive(int(fd), w.take)
			lost = lost || errno == unix.ENOBUFS
			if errno == unix.EAGAIN && lost {
				// Now no event in the socket is older than the table to be read.
				lost, failed = false, w.resync()
				return true
			}
			return n > 0 || errno != unix.EAGAIN
		})
		err = errors.Join(err, failed)
	}
}

// take handles the messages of one datagram.
func (w *fibWatch) take(b []byte) (done bool) {
	for len(b) >= unix.SizeofNlMsghdr {
		n := int(binary.NativeEndian.Uint32(b))
		if n < unix.SizeofNlMsghdr || n > len(b) {
			return false
		}
		switch kind := binary.NativeEndian.Uint16(b[4:]); kind {
		case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
			if number, ok := routeOf(b[unix.SizeofNlMsghdr:n]); ok {
				w.set(number, kind == unix.RTM_NEWROUTE)
			}
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			return true
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return false
}

// routeOf returns the number of the route in a route message.
func routeOf(b []byte) (int, bool) {
	if len(b) < unix.SizeofRtMsg || b[0] != unix.AF_INET || b[1] != 24 || b[4] != unix.RT_TABLE_MAIN {
		return 0, false
	}
	for b = b[unix.SizeofRtMsg:]; len(b) >= unix.SizeofRtAttr; {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			break
		}
		if binary.NativeEndian.Uint16(b[2:]) == unix.RTA_DST && n == unix.SizeofRtAttr+4 {
			return numberOf(binary.BigEndian.Uint32(b[4:]))
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return 0, false
}

// resync reads the whole table, after events were lost.
func (w *fibWatch) resync() error {
	w.resyncs++
	w.reset()
	return lab.WithinNamespace(w.namespace, func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		request := binary.NativeEndian.AppendUint32(nil, unix.SizeofNlMsghdr+unix.SizeofRtMsg)
		request = binary.NativeEndian.AppendUint16(request, unix.RTM_GETROUTE)
		request = binary.NativeEndian.AppendUint16(request, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
		request = append(request, make([]byte, 8)...)
		request = append(append(request, unix.AF_INET), make([]byte, unix.SizeofRtMsg-1)...)
		if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return err
		}
		for buf := make([]byte, 64<<10); ; {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if err != nil || w.take(buf[:n]) {
				return err
			}
		}
	})
}

// mmsg receives many datagrams with one system call: with one for each, the
// watcher would be the slowest part of the bench.
type mmsg struct {
	headers []mmsghdr
	buffers [][]byte
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   uint32
}

func newMmsg() mmsg {
	const datagrams, size = 256, 1024
	m := mmsg{headers: make([]mmsghdr, datagrams)}
	for i := range m.headers {
		b := make([]byte, size)
		m.buffers = append(m.buffers, b)
		m.headers[i].hdr.Iov = &unix.Iovec{Base: &b[0], Len: size}
		m.headers[i].hdr.Iovlen = 1
	}
	return m
}

// receive calls take for each datagram that waits, up to a bound, and returns
// how many there were.
func (m mmsg) receive(fd int, take func([]byte) bool) (int, unix.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(&m.headers[0])), uintptr(len(m.headers)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	for i := range int(n) {
		take(m.buffers[i][:m.headers[i].n])
	}
	return int(n), 0
}
