package lab

import (
	"fmt"
	"runtime"

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
