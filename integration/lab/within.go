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
// opened there stay there. The thread is never given back: it ends with do.
func WithinNamespace(name string, do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		ns, err := netns.GetFromName(name)
		if err != nil {
			result <- fmt.Errorf("namespace %s: %w", name, err)
			return
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			result <- fmt.Errorf("namespace %s: %w", name, err)
			return
		}
		result <- do()
	}()
	return <-result
}
