package lab

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
)

// Within runs do on a thread in the network namespace of a node. Sockets opened
// there stay there. The thread is never given back: it ends with do.
func (l *Lab) Within(node string, do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		ns, err := netns.GetFromName(l.Namespace(node))
		if err != nil {
			result <- fmt.Errorf("namespace of %s: %w", node, err)
			return
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			result <- fmt.Errorf("namespace of %s: %w", node, err)
			return
		}
		result <- do()
	}()
	return <-result
}
