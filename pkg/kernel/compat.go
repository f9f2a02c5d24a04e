package kernel

import (
	"bytes"
	"os"
)

// compat is net.ipv4.nexthop_compat_mode. At 1, its default, `ip route` shows the
// gateway of a route that refers to an object; but then the kernel also tells
// every listener of every route of a group that is replaced, which takes longer
// the more routes there are, and holds the whole of rtnetlink up. The kernel looks
// at it only at these two moments, so it is off for just as long as a group is
// replaced.
type compat struct{ file *os.File }

// openCompat opens the setting; without it, or without leave to write it, groups
// are replaced all the same.
func openCompat(ns Namespace) compat {
	var c compat
	_ = ns.do(func() (err error) {
		c.file, err = os.OpenFile(sysctlPath("net.ipv4.nexthop_compat_mode"), os.O_RDWR, 0)
		return err
	})
	return c
}

// without calls fn with the setting off.
func (c compat) without(fn func()) {
	var b [8]byte
	if c.file == nil {
		fn()
		return
	}
	n, _ := c.file.ReadAt(b[:], 0) // at most two bytes: the error is io.EOF
	if bytes.Equal(bytes.TrimSpace(b[:n]), []byte("1")) {
		if _, err := c.file.WriteAt([]byte("0"), 0); err == nil {
			defer func() { _, _ = c.file.WriteAt([]byte("1"), 0) }() // it could be written before
		}
	}
	fn()
}

func (c compat) close() {
	if c.file != nil {
		c.file.Close()
	}
}
