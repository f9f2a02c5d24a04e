package kernel

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace that sockets are opened in. The zero value is
// the one that the process runs in.
type Namespace struct{ fd int }

// NamespaceFD returns the namespace that an open file of /proc/PID/ns/net or of
// /run/netns refers to. The file stays the caller's and must remain open.
func NamespaceFD(fd int) Namespace { return Namespace{fd} }

// do calls fn on a thread that is in the namespace.
func (n Namespace) do(fn func() error) error {
	if n.fd == 0 {
		return fn()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Setns(n.fd, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace: %w", err)
			return
		}
		done <- fn()
	}()
	return <-done
}

// ID identifies the namespace while it exists: the inode of its file.
func (n Namespace) ID() (uint64, error) {
	var st unix.Stat_t
	err := n.do(func() error { return unix.Stat("/proc/thread-self/ns/net", &st) })
	if err != nil {
		return 0, fmt.Errorf("network namespace: %w", err)
	}
	return st.Ino, nil
}
