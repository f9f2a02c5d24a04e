package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
)

// FIB reads and writes table main and the next-hop objects of a namespace. It implements
// fib.Kernel for one goroutine.
type FIB struct {
	s      *socket
	compat *os.File // net.ipv4.nexthop_compat_mode; nil: it can't be written
}

// OpenFIB opens the FIB of a namespace.
func OpenFIB(ns Namespace) (*FIB, error) {
	s, err := dial(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	f := &FIB{s: s}
	_ = ns.do(func() (err error) { // without the setting, groups are replaced all the same
		f.compat, err = os.OpenFile(sysctlPath("net.ipv4.nexthop_compat_mode"), os.O_RDWR, 0)
		return err
	})
	return f, nil
}

// Close closes the sockets. The kernel's state stays.
func (f *FIB) Close() error {
	if f.compat != nil {
		f.compat.Close()
	}
	return f.s.close()
}

// Do implements fib.Kernel.
func (f *FIB) Do(ops []fib.Op) (errs []error) {
	if slices.ContainsFunc(ops, putsGroup) {
		defer f.compatOff()()
	}
	errs = f.s.batch(len(ops), func(b []byte, i int, seq uint32) []byte {
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

func putsGroup(op fib.Op) bool { return op.Kind == fib.PutObject && len(op.Object.Members) > 0 }

func deletes(k fib.OpKind) bool { return k == fib.DeleteRoute || k == fib.DeleteObject }

// compatOff switches net.ipv4.nexthop_compat_mode off and returns what restores it.
//
// With the setting at 1, its default, `ip route` shows the gateway of a route that refers
// to an object. But when a group is replaced, the kernel then notifies every listener of
// every route of the group: that takes longer the more routes there are, and blocks all of
// rtnetlink meanwhile. The kernel reads the setting at these two moments only, so
// nvad switches it off for as long as it replaces groups.
func (f *FIB) compatOff() (restore func()) {
	nothing := func() {}
	if f.compat == nil {
		return nothing
	}
	var b [8]byte
	n, _ := f.compat.ReadAt(b[:], 0) // at most two bytes: the error is io.EOF
	if !bytes.Equal(bytes.TrimSpace(b[:n]), []byte("1")) {
		return nothing
	}
	if _, err := f.compat.WriteAt([]byte("0"), 0); err != nil {
		return nothing
	}
	return func() { _, _ = f.compat.WriteAt([]byte("1"), 0) } // the first write succeeded, so does this one
}

// hasBuckets reports whether the kernel has resilient groups (Linux 5.13). One without
// them rejects such a group as malformed, which says nothing; but it rejects messages
// about buckets as unknown. No object has the number 0.
func (f *FIB) hasBuckets() bool {
	body := attr32(make([]byte, sizeofNhMsg), unix.NHA_ID, 0)
	err := f.s.dump(rtmGetNextHopBucket, body, func(message) {}, func() {})
	return !errors.Is(err, errors.ErrUnsupported)
}

// Routes implements fib.Kernel.
func (f *FIB) Routes(yield func(fib.KernelRoute)) error {
	for _, fam := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := f.routes(fam, yield); err != nil {
			return fmt.Errorf("read routes: %w", err)
		}
	}
	return nil
}

// routes reads the routes of one family in table main. If a dump is torn and repeated,
// yield sees routes twice.
func (f *FIB) routes(fam byte, yield func(fib.KernelRoute)) error {
	var last []fib.NextHop
	body := attr32(rtmsg(fam, 0, 0, 0, 0, 0), unix.RTA_TABLE, unix.RT_TABLE_MAIN)
	err := f.s.dump(unix.RTM_GETROUTE, body, func(m message) {
		r, table, ok := decodeRoute(m.body)
		if !ok || table != unix.RT_TABLE_MAIN || m.kind != unix.RTM_NEWROUTE {
			return
		}
		if slices.Equal(r.Hops, last) {
			r.Hops = last // most routes share few hops: this frees the copy
		}
		last = r.Hops
		yield(r)
	}, func() {})
	switch {
	case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EOPNOTSUPP):
		return nil // the kernel was built without this family
	case errors.Is(err, unix.ENOENT):
		return nil // a table exists once it has a route
	}
	return err
}

// Objects implements fib.Kernel.
func (f *FIB) Objects() ([]fib.Object, error) {
	var list []fib.Object
	err := f.s.dump(unix.RTM_GETNEXTHOP, make([]byte, sizeofNhMsg), func(m message) {
		if o, ok := decodeObject(m.body); ok && m.kind == unix.RTM_NEWNEXTHOP {
			list = append(list, o)
		}
	}, func() { list = nil })
	if err != nil {
		return nil, fmt.Errorf("read next-hop objects: %w", err)
	}
	return list, nil
}
