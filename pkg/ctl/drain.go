package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) drainCommand() *cobra.Command {
	var off, wait bool
	var reason string
	cmd := &cobra.Command{
		Use:     "drain",
		GroupID: groupChange,
		Short:   "Take traffic off this NVA, before maintenance",
		Long: `Take traffic off this NVA: its health endpoint answers 503, so that a load
balancer sends it nothing new, and its routes become the last choice of every
neighbor. They are replaced, not withdrawn, and packets that still come are
forwarded as before.

A drain survives a reload and ends with the daemon. With --wait the command
returns once traffic is taken to have moved, which is drain.hold of the
configuration; with --off the NVA carries traffic again.`,
		Example: `  nvactl drain --wait --reason "new kernel" && reboot
  nvactl drain --off`,
		Args: between(0, 0),
	}
	cmd.Flags().BoolVar(&off, "off", false, "carry traffic again")
	cmd.Flags().BoolVar(&wait, "wait", false, "return when traffic is taken to have moved")
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for the log and \"nvactl status\"")
	cmd.MarkFlagsMutuallyExclusive("off", "wait")
	cmd.MarkFlagsMutuallyExclusive("off", "reason")
	cmd.RunE = a.run(func(ctx context.Context, c *client, _ []string) error {
		r, err := c.control.Drain(ctx, &nvadv1.DrainRequest{Off: off, Reason: reason})
		switch {
		case err != nil:
			return err
		case off:
			return a.done(r, nil, "this NVA carries traffic again")
		case !wait:
			if err := a.done(r, nil, "draining, traffic will have moved in %s", left(r)); err != nil {
				return err
			}
			return a.warnOfDrain(ctx, c)
		}
		if err := a.warnOfDrain(ctx, c); err != nil {
			return err
		}
		if err := awaitDrained(ctx, c, left(r)); err != nil {
			return err
		}
		return a.done(r, nil, "drained")
	})
	return cmd
}

// warnOfDrain says on stderr if nobody is known who could take the traffic.
func (a *app) warnOfDrain(ctx context.Context, c *client) error {
	s, err := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
	for _, p := range s.GetProblems() {
		if p.GetKind() == "drain" {
			fmt.Fprintf(a.Err, "Warning: %s.\n", printable(p.GetText()))
		}
	}
	return err
}

func left(r *nvadv1.DrainResponse) time.Duration {
	return time.Duration(r.GetRemainingSeconds()) * time.Second
}

// awaitDrained waits for d, and checks that nobody has ended the drain since.
func awaitDrained(ctx context.Context, c *client, d time.Duration) error {
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return ctx.Err()
	}
	s, err := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
	if err != nil {
		return fmt.Errorf("it is not known whether this NVA is still draining: %w", err)
	}
	if s.GetDrainingSince() == nil {
		return errors.New("the drain was ended before traffic had moved")
	}
	return nil
}
