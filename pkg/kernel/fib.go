package kernel

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
)

// FIB is table main and the next-hop objects of a namespace. It implements
// fib.Kernel for one goroutine.
type FIB struct {
	s      *socket
	compat compat
}

// OpenFIB opens the FIB of a namespace.
func OpenFIB(ns Namespace) (*FIB, error) {
	s, err := dial(ns)
	if err != nil {
		return nil, err
	}
	return &FIB{s: s, compat: openCompat(ns)}, nil
}

// Close closes the socket; the kernel's state stays.
func (f *FIB) Close() error {
	f.compat.close()
	return f.s.close()
}

// Do implements fib.Kernel.
func (f *FIB) Do(ops []fib.Op) (errs []error) {
	if !slices.ContainsFunc(ops, putsGroup) {
		return f.do(ops)
	}
	f.compat.without(func() { errs = f.do(ops) })
	return errs
}

func putsGroup(op fib.Op) bool { return op.Kind == fib.PutObject && len(op.Object.Members) > 0 }

func (f *FIB) do(ops []fib.Op) []error {
	errs := f.s.batch(len(ops), func(b []byte, i int, seq uint32) []byte {
		if k := ops[i].Kind; k == fib.PutObject || k == fib.DeleteObject {
			return encodeObject(b, ops[i], seq)
		}
		return encodeRoute(b, ops[i], seq)
	})
	for i, err := range errs {
		if deletes(ops[i].Kind) && (errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT)) {
			errs[i] = nil
		}
		if errors.Is(err, unix.EINVAL) && ops[i].Kind == fib.PutObject && ops[i].Object.Buckets > 0 && !f.hasBuckets() {
			errs[i] = fmt.Errorf("resilient group: %w", errors.ErrUnsupported)
		}
	}
	return errs
}

// hasBuckets reports whether the kernel has resilient groups (Linux 5.13). One
// that has not refuses them as malformed, but the messages about buckets as
// unknown. The kernel has no object 0.
func (f *FIB) hasBuckets() bool {
	err := f.s.dump(func(b []byte, seq uint32) []byte {
		b, start := header(b, rtmGetNextHopBucket, unix.NLM_F_DUMP, seq)
		b = append(b, make([]byte, sizeofNhMsg)...)
		b = attr32(b, unix.NHA_ID, 0)
		finish(b, start)
		return b
	}, func(message) {}, func() {})
	return !errors.Is(err, errors.ErrUnsupported)
}

func deletes(k fib.OpKind) bool { return k == fib.DeleteRoute || k == fib.DeleteObject }

// Routes implements fib.Kernel.
func (f *FIB) Routes(yield func(fib.KernelRoute)) error {
	for _, fam := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := f.routes(fam, yield); err != nil {
			return fmt.Errorf("read routes: %w", err)
		}
	}
	return nil
}

// routes reads the routes of one family. When a dump is torn and done again,
// yield sees routes twice.
func (f *FIB) routes(fam byte, yield func(fib.KernelRoute)) error {
	var last []fib.NextHop
	encode := func(b []byte, seq uint32) []byte {
		b, start := header(b, unix.RTM_GETROUTE, unix.NLM_F_DUMP, seq)
		b = append(b, fam, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		b = attr32(b, unix.RTA_TABLE, unix.RT_TABLE_MAIN)
		finish(b, start)
		return b
	}
	err := f.s.dump(encode, func(m message) {
		r, ok := decodeRoute(m.body)
		if !ok || m.kind != unix.RTM_NEWROUTE {
			return
		}
		if slices.Equal(r.Hops, last) {
			r.Hops = last // most routes share few hops
		}
		last = r.Hops
		yield(r)
	}, func() {})
	if absent(err) || errors.Is(err, unix.ENOENT) {
		return nil // the table comes into being with its first route
	}
	return err
}

// absent reports whether an error says that the kernel was built without an
// address family.
func absent(err error) bool {
	return errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP)
}

// Objects implements fib.Kernel.
func (f *FIB) Objects() ([]fib.Object, error) {
	var list []fib.Object
	encode := func(b []byte, seq uint32) []byte {
		b, start := header(b, unix.RTM_GETNEXTHOP, unix.NLM_F_DUMP, seq)
		b = append(b, make([]byte, sizeofNhMsg)...)
		finish(b, start)
		return b
	}
	err := f.s.dump(encode, func(m message) {
		if o, ok := decodeObject(m.body); ok && m.kind == unix.RTM_NEWNEXTHOP {
			list = append(list, o)
		}
	}, func() { list = nil })
	if err != nil {
		return nil, fmt.Errorf("read next-hop objects: %w", err)
	}
	return list, nil
}
