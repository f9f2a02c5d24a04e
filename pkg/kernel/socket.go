package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Sizes of batches and buffers in messages and bytes. The answers to a batch, each about a
// kilobyte with the kernel's bookkeeping, must fit into the receive buffer.
const (
	batchMessages = 128
	batchBytes    = 32 << 10
	readBytes     = 256 << 10
	requestBuffer = 1 << 20
)

// socket is a netlink socket for requests. It belongs to one goroutine.
type socket struct {
	fd   int
	port uint32
	seq  uint32
	in   []byte
	out  []byte
}

// dial opens a socket in a namespace: unix.NETLINK_ROUTE or NETLINK_NETFILTER.
func dial(ns Namespace, protocol int) (*socket, error) {
	s := &socket{in: make([]byte, readBytes)}
	err := ns.do(func() (err error) {
		s.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	if err := s.prepare(); err != nil {
		unix.Close(s.fd)
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	return s, nil
}

func (s *socket) prepare() error {
	if err := unix.Bind(s.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	addr, err := unix.Getsockname(s.fd)
	if err != nil {
		return err
	}
	s.port = addr.(*unix.SockaddrNetlink).Pid
	for _, opt := range []int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK, unix.NETLINK_GET_STRICT_CHK} {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, opt, 1); err != nil {
			return err
		}
	}
	return receiveBuffer(s.fd, requestBuffer)
}

// receiveBuffer enlarges a socket's buffer, beyond the system's limit if that is
// allowed.
func receiveBuffer(fd, bytes int) error {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes) == nil {
		return nil
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bytes)
}

func (s *socket) close() error { return unix.Close(s.fd) }

// batch sends n messages, each written by encode, and returns the answer to each. encode
// gets the buffer, the index and the sequence number, and must ask for an acknowledgement.
// Of the messages that leave together batch takes that wish out of all but the last: the
// kernel answers in order, and reports an error without being asked, so that one
// acknowledgement tells about all of them.
func (s *socket) batch(n int, encode func(b []byte, i int, seq uint32) []byte) []error {
	errs := make([]error, n)
	for done := 0; done < n; {
		s.out = s.out[:0]
		first, end, start := s.seq+1, done, 0
		for end < n && end-done < batchMessages && len(s.out) < batchBytes {
			if end > done {
				unasked(s.out[start:])
			}
			s.seq++
			start = len(s.out)
			s.out = encode(s.out, end, s.seq)
			end++
		}
		if err := s.exchange(first, errs[done:end]); err != nil {
			for i := done; i < n; i++ {
				errs[i] = err
			}
			return errs
		}
		done = end
	}
	return errs
}

// unasked takes the wish for an acknowledgement out of a message.
func unasked(m []byte) {
	const flags = 6 // offset of nlmsg_flags
	order.PutUint16(m[flags:], order.Uint16(m[flags:])&^unix.NLM_F_ACK)
}

// exchange sends the messages in out and files the answers. first is the sequence
// number of the first message; errs has a place for each.
func (s *socket) exchange(first uint32, errs []error) error {
	if err := s.send(); err != nil {
		return err
	}
	for answered := false; !answered; {
		b, err := s.receive()
		if err != nil {
			return err
		}
		messages(b, func(m message) {
			i := m.seq - first
			if m.kind == unix.NLMSG_ERROR && i < uint32(len(errs)) {
				errs[i] = m.answer()
				answered = answered || i == uint32(len(errs))-1
			}
		})
	}
	return nil
}

// do sends one request, its fixed header and attributes given, and returns the answer.
func (s *socket) do(kind, flags uint16, body []byte) error {
	return s.batch(1, func(b []byte, _ int, seq uint32) []byte {
		b, start := header(b, kind, flags|unix.NLM_F_ACK, seq)
		b = append(b, body...)
		finish(b, start)
		return b
	})[0]
}

// dump sends one request for many objects and calls fn for each answer. If the kernel
// says that a change tore the dump, it is done once more: fn then sees objects twice, so
// dump calls torn first.
func (s *socket) dump(kind uint16, body []byte, fn func(message), torn func()) error {
	return s.query(kind, unix.NLM_F_DUMP, body, fn, torn)
}

// attempts bounds how often a dump is read if changes keep tearing it.
const attempts = 8

var errTorn = errors.New("table changes faster than it can be read")

// query is dump for a request that may also be about a single object.
func (s *socket) query(kind, flags uint16, body []byte, fn func(message), torn func()) error {
	for range attempts {
		s.seq++
		var start int
		s.out, start = header(s.out[:0], kind, flags, s.seq)
		s.out = append(s.out, body...)
		finish(s.out, start)
		if err := s.send(); err != nil {
			return err
		}
		whole, err := s.drain(s.seq, fn)
		if err != nil || whole {
			return err
		}
		torn()
	}
	return errTorn
}

// drain reads the answers to a dump. It reports whether they are one consistent view.
func (s *socket) drain(seq uint32, fn func(message)) (whole bool, err error) {
	whole = true
	for done := false; !done; {
		b, rerr := s.receive()
		if rerr != nil {
			return false, rerr
		}
		messages(b, func(m message) {
			if m.seq != seq {
				return
			}
			whole = whole && m.flags&unix.NLM_F_DUMP_INTR == 0
			if m.kind == unix.NLMSG_DONE || m.kind == unix.NLMSG_ERROR {
				done, err = true, m.answer()
				return
			}
			fn(m)
		})
	}
	return whole, err
}

func (s *socket) send() error {
	err := unix.Sendto(s.fd, s.out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err != nil {
		return fmt.Errorf("send to kernel: %w", err)
	}
	return nil
}

func (s *socket) receive() ([]byte, error) {
	for {
		n, _, err := unix.Recvfrom(s.fd, s.in, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("receive from kernel: %w", err)
		}
		return s.in[:n], nil
	}
}
