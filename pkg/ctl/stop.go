package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/connectivity"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// ending is how long the daemon may take to end. Removing a million routes
// takes a few seconds.
const ending = 60 * time.Second

func (a *app) stopCommand() *cobra.Command {
	var flush bool
	var message string
	cmd := &cobra.Command{
		Use:     "stop",
		GroupID: groupChange,
		Short:   "End the daemon",
		Long: `End the daemon, all its sessions with it. Its routes and devices stay in the
kernel, so that traffic goes on, unless --flush removes them and puts sysctls
back as they were. Where the daemon has ended already, "nvad flush" does that.`,
		Example: `  nvactl stop
  nvactl stop --flush --message "moved to vm-hub01"`,
		Args: between(0, 0),
	}
	end := a.run(func(ctx context.Context, c *client, _ []string) error {
		r, err := c.control.Shutdown(ctx, &nvadv1.ShutdownRequest{Flush: flush, Message: message})
		if err == nil {
			err = awaitEnd(ctx, c)
		}
		return a.done(r, err, "nvad has ended")
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := end(cmd, args)
		if flush && errors.Is(err, errNotRunning) {
			return failure{fmt.Errorf("%w: what it left in the kernel is removed by \"sudo nvad flush\"", errNotRunning)}
		}
		return err
	}
	cmd.Flags().BoolVar(&flush, "flush", false, "remove what is nvad's from the kernel, reset sysctls")
	cmd.Flags().StringVar(&message, "message", "", "`TEXT` that the neighbors are told (RFC 9003)")
	return cmd
}

// awaitEnd waits for the daemon to close the connection, which it does last.
func awaitEnd(ctx context.Context, c *client) error {
	ctx, cancel := context.WithTimeout(ctx, ending)
	defer cancel()
	for c.GetState() == connectivity.Ready {
		if !c.WaitForStateChange(ctx, connectivity.Ready) {
			return fmt.Errorf("nvad is still ending after %s", ending)
		}
	}
	return nil
}
