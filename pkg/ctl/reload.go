package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) reloadCommand() *cobra.Command {
	var dry bool
	var confirm time.Duration
	cmd := &cobra.Command{
		Use:     "reload",
		GroupID: groupChange,
		Short:   "Apply the configuration file",
		Long: `Read the configuration file again and apply it. Sessions that did not change are
left alone. If the file has errors they are all shown, and the running
configuration stays.

With --dry-run nothing is applied: each change is told with what it would cost.
"live" disturbs nothing; "soft refresh" runs policies again over the routes of
a neighbor; "session reset" ends a session, which comes back at once; "device
recreated" interrupts a tunnel; "restart" needs one, and a reload is refused.

With --confirm the change is undone by itself after that time, also by a daemon
that was killed or restarted meanwhile, unless "nvactl confirm" comes first.`,
		Example: `  nvactl reload --dry-run
  nvactl reload
  nvactl reload --confirm 60s`,
		Args: between(0, 0),
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only tell what would change")
	cmd.Flags().DurationVar(&confirm, "confirm", 0, "undo the change after this `TIME` unless confirmed: 60s, 5m")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "confirm")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("confirm") && (confirm < leastConfirm || confirm > mostConfirm) {
			return fmt.Errorf("--confirm: want %s to %s, got %s", leastConfirm, mostConfirm, confirm)
		}
		return nil
	}
	cmd.RunE = a.run(func(ctx context.Context, c *client, _ []string) error {
		if dry {
			return a.previewReload(ctx, c)
		}
		return a.reload(ctx, c, confirm)
	})
	return cmd
}

// Bounds of --confirm.
const (
	leastConfirm = time.Second
	mostConfirm  = 24 * time.Hour
)

func (a *app) reload(ctx context.Context, c *client, confirm time.Duration) error {
	r, err := c.control.Reload(ctx, &nvadv1.ReloadRequest{ConfirmSeconds: uint32(confirm / time.Second)})
	if err != nil {
		return faultsOf(err)
	}
	if a.json() {
		return writeJSON(a.Out, r)
	}
	if err := a.printChanges(r.GetChanges(), "Nothing changed."); err != nil || r.GetDeadline() == nil {
		return err
	}
	return line(a.Out, fmt.Sprintf("Version %d runs again in %s unless confirmed: nvactl confirm",
		r.GetFallback(), a.until(r.GetDeadline())))
}

// until is the time from now to a moment to come, in whole seconds.
func (a *app) until(t *timestamppb.Timestamp) time.Duration {
	return max(t.AsTime().Sub(a.Now()).Round(time.Second), 0)
}

func (a *app) previewReload(ctx context.Context, c *client) error {
	r, err := c.read.PreviewReload(ctx, &nvadv1.PreviewReloadRequest{})
	if err != nil {
		return faultsOf(err)
	}
	if a.json() {
		err = writeJSON(a.Out, r)
	} else {
		err = a.printChanges(r.GetChanges(), "Nothing would change.")
	}
	if err == nil && r.GetRefused() != "" {
		err = errors.New(r.GetRefused())
	}
	return err
}

// faultsOf sets the errors of a file apart from those of the call.
func faultsOf(err error) error {
	if status.Code(err) == codes.InvalidArgument {
		return faults{errors.New(status.Convert(err).Message())}
	}
	return err
}

// printChanges prints a table of changes, or none if there are none.
func (a *app) printChanges(changes []*nvadv1.Change, none string) error {
	if len(changes) == 0 {
		return line(a.Out, none)
	}
	t := newTable(a.Out, a.Width, column{head: "Impact"}, column{head: "Change", fit: wrapped})
	for _, c := range changes {
		t.row(c.GetImpact(), c.GetWhat())
	}
	return t.end()
}
