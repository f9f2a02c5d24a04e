package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/nvad/nvad/pkg/support"
)

// whoseKernel is the exhibit that says whose kernel tech-support shows. Routes and
// links are those of the network namespace that nvactl runs in: asked through a socket
// that leads elsewhere, they are not the daemon's, and look as if it did nothing.
func (a *app) whoseKernel() support.Exhibit {
	return support.Exhibit{Name: "kernel/namespace.txt", Collect: func(ctx context.Context, w io.Writer) error {
		own, err := os.Readlink("/proc/self/ns/net")
		if err != nil {
			return err
		}
		if err := line(w, "kernel/ is of the network namespace "+own+", in which nvactl ran"); err != nil {
			return err
		}
		return a.sameNamespace(ctx)
	}}
}

// sameNamespace fails if the daemon runs in another network namespace, or if that
// can't be seen. Without a daemon there is nothing to compare with.
func (a *app) sameNamespace(ctx context.Context) error {
	conn, err := dialSocket(ctx, a.path())
	if err != nil {
		return nil
	}
	server, err := serverOf(conn)
	if err = errors.Join(err, conn.Close()); err != nil {
		return err
	}
	// The link ns/net says it too, but of another user's process to root alone.
	own, err := os.Stat("/proc/self/net/dev")
	if err != nil {
		return err
	}
	its, err := os.Stat(fmt.Sprintf("/proc/%d/net/dev", server.Pid))
	if err != nil {
		return fmt.Errorf("whether nvad (pid %d) runs in this network namespace is not known: %w", server.Pid, err)
	}
	if !os.SameFile(own, its) {
		return fmt.Errorf("the files in kernel/ are not nvad's: it (pid %d) runs in another network namespace; to have its own, sudo nsenter -n -t %[1]d nvactl --socket %s tech-support",
			server.Pid, a.path())
	}
	return nil
}
