package kernel

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/tunnel"
)

// Traffic returns what has passed the named links. One that is not there is left
// out. It opens a socket of its own, so that nobody is waited for.
func Traffic(ns Namespace, names []string) (map[string]tunnel.Stats, error) {
	out := make(map[string]tunnel.Stats, len(names))
	err := ns.do(func() error {
		handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return fmt.Errorf("rtnetlink handle: %w", err)
		}
		defer handle.Close()
		for _, name := range names {
			if l, err := handle.LinkByName(name); err == nil {
				out[name] = linkOf(l).Stats
			}
		}
		return nil
	})
	return out, err
}
