package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace in which sockets are opened. The zero value is the one
// that the process runs in.
type Namespace struct{ fd int }

// NamespaceFD returns the namespace that an open file of /proc/PID/ns/net or /run/netns
// refers to. The file stays the caller's and must remain open.
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

// ID identifies the namespace for as long as it exists: the inode of its file.
func (n Namespace) ID() (uint64, error) {
	var st unix.Stat_t
	err := n.do(func() error { return unix.Stat("/proc/thread-self/ns/net", &st) })
	if err != nil {
		return 0, fmt.Errorf("network namespace: %w", err)
	}
	return st.Ino, nil
}

// Sysctls reads and writes the settings below /proc/sys as a namespace sees them. It
// implements dataplane.Sysctls.
type Sysctls struct{ ns Namespace }

// Get returns a setting without surrounding space. The name is in sysctl(8)'s form: if
// a link's name has dots in it, slashes separate all parts.
func (s Sysctls) Get(name string) (string, error) {
	var b []byte
	err := s.ns.do(func() (err error) {
		b, err = os.ReadFile(sysctlPath(name))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("sysctl %s: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Set writes a setting.
func (s Sysctls) Set(name, value string) error {
	err := s.ns.do(func() error { return os.WriteFile(sysctlPath(name), []byte(value), 0) })
	if err != nil {
		return fmt.Errorf("sysctl %s = %s: %w", name, value, err)
	}
	return nil
}

func sysctlPath(name string) string {
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, ".", "/")
	}
	return filepath.Join("/proc/sys", filepath.Clean("/"+name))
}
