package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"time"

	"github.com/vishvananda/netns"
)

// Within runs do on a thread in the network namespace of a node.
func (l *Lab) Within(node string, do func() error) error {
	return WithinNamespace(l.Namespace(node), do)
}

// WithinNamespace runs do on a thread in the named network namespace. Sockets
// opened there stay there. The thread goes back to where it was: if it ended, the
// processes that it has started for others would be sent their Pdeathsig.
func WithinNamespace(name string, do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := netns.Get()
		if err != nil {
			result <- fmt.Errorf("own namespace: %w", err)
			return
		}
		defer home.Close()
		ns, err := netns.GetFromName(name)
		if err != nil {
			result <- fmt.Errorf("namespace %s: %w", name, err)
			runtime.UnlockOSThread()
			return
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			result <- fmt.Errorf("namespace %s: %w", name, err)
			return
		}
		err = do()
		if netns.Set(home) == nil {
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	return <-result
}

// DialFrom returns a function that opens TCP connections from the named namespace.
func DialFrom(name string) func(ctx context.Context, local, remote netip.AddrPort) (net.Conn, error) {
	return func(ctx context.Context, local, remote netip.AddrPort) (conn net.Conn, err error) {
		err = WithinNamespace(name, func() error {
			// Dialled by this very thread: an address in numbers is not resolved.
			d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(local), Timeout: 2 * time.Second}
			conn, err = d.DialContext(ctx, "tcp", remote.String())
			return err
		})
		return conn, err
	}
}
