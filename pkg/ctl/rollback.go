package ctl

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) confirmCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "confirm",
		GroupID: groupChange,
		Short:   "Keep a pending change",
		Long:    "Keep a change that \"nvactl reload --confirm\" applied and would otherwise undo.",
		Example: "  nvactl confirm",
		Args:    between(0, 0),
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			r, err := c.control.Confirm(ctx, &nvadv1.ConfirmRequest{})
			return a.done(r, err, "version %d stays", r.GetVersion())
		}),
	}
}

func (a *app) rollbackCommand() *cobra.Command {
	file := &fileFlag{}
	cmd := &cobra.Command{
		Use:     "rollback [VERSION]",
		GroupID: groupChange,
		Short:   "Go back to an earlier configuration",
		Long: `Apply an earlier configuration: the version given, else the one that a change
which waits for confirmation would fall back to, else the one before the one
that runs. Sessions that are the same in both are left alone.

The configuration file, that of --config, is then written back if nvactl may
write it; what it held before is kept beside it as FILE.old. If it may not, what
runs stays in force, also over a restart, until the file changes or is reloaded.`,
		Example:           "  nvactl rollback\n  nvactl rollback 3",
		Args:              versionArg,
		ValidArgsFunction: a.completeVersions,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			req := &nvadv1.RollbackRequest{}
			if len(args) > 0 {
				req.Version = mustVersion(args[0])
			}
			r, err := c.control.Rollback(ctx, req)
			if err != nil {
				return err
			}
			if err := a.printRollback(r); err != nil {
				return err
			}
			return a.writeBack(ctx, c, file)
		}),
	}
	file.register(cmd)
	return cmd
}

func (a *app) printRollback(r *nvadv1.RollbackResponse) error {
	if a.json() {
		return writeJSON(a.Out, r)
	}
	if err := a.printChanges(r.GetChanges(), "Nothing changed."); err != nil {
		return err
	}
	return line(a.Out, fmt.Sprintf("Version %d runs again, as version %d.", r.GetTo(), r.GetVersion()))
}

// versionArg checks an optional number of a version.
func versionArg(cmd *cobra.Command, args []string) error {
	if err := between(0, 1)(cmd, args); err != nil || len(args) == 0 {
		return err
	}
	if mustVersion(args[0]) == 0 {
		return fmt.Errorf("%q is not a version (nvactl config history lists them)", args[0])
	}
	return nil
}

// mustVersion is the number of a version, 0 for what is none.
func mustVersion(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
