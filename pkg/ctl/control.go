package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) resetCommand() *cobra.Command {
	var soft, group string
	var all bool
	cmd := &cobra.Command{
		Use:     "reset ADDRESS | --group NAME | --all",
		GroupID: groupChange,
		Short:   "Reset the session with a neighbor",
		Long: `Close the session with a neighbor and open it again. With --soft the session
stays: "in" runs the import policy again over what the neighbor sent, "out"
sends it everything again. With --group it is done to every neighbor of a
peer-group, with --all to every neighbor, one after the other.`,
		Example: `  nvactl reset 10.0.210.4
  nvactl reset --group route-server --soft out
  nvactl reset 10.0.210.4 --soft in`,
		Args:              between(0, 1),
		ValidArgsFunction: a.completeNeighbors,
	}
	cmd.Flags().StringVar(&group, "group", "", "every neighbor of the peer-group `NAME`")
	cmd.Flags().BoolVar(&all, "all", false, "every neighbor")
	cmd.Flags().StringVar(&soft, "soft", "", "keep the session, refresh one `DIRECTION`: in or out")
	_ = cmd.RegisterFlagCompletionFunc("soft", cobra.FixedCompletions([]string{"in", "out"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if given := len(args) + boolToInt(group != "") + boolToInt(all); given != 1 {
			return between(1, 0)(cmd, args)
		}
		if _, ok := resets[soft]; !ok {
			return fmt.Errorf("invalid argument %q for \"--soft\" flag: want in or out", soft)
		}
		return nil
	}
	cmd.RunE = a.run(func(ctx context.Context, c *client, args []string) error {
		if len(args) == 1 {
			err := a.reset(ctx, c, args[0], soft)
			if err != nil || !a.json() {
				return err
			}
			return writeJSON(a.Out, &nvadv1.ResetNeighborResponse{})
		}
		r, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
		if err != nil {
			return err
		}
		return a.resetThose(ctx, c, r.GetNeighbors(), group, soft)
	})
	return cmd
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// resetThose resets the neighbors of list that are in group; empty: all. One that
// can't be reset keeps none of the others from it.
func (a *app) resetThose(ctx context.Context, c *client, list []*nvadv1.Neighbor, group, soft string) error {
	var failed []error
	found := false
	for _, n := range list {
		if group != "" && n.GetPeerGroup() != group {
			continue
		}
		found = true
		if err := a.reset(ctx, c, n.GetAddress(), soft); err != nil {
			failed = append(failed, explain(err))
		}
	}
	switch {
	case !found && group != "":
		return fmt.Errorf("peer-group %s has no neighbors", group)
	case !found:
		return errors.New("no neighbors are configured")
	case len(failed) == 0 && a.json():
		return writeJSON(a.Out, &nvadv1.ResetNeighborResponse{})
	}
	return errors.Join(failed...)
}

// reset resets one neighbor and says so; in JSON its caller does.
func (a *app) reset(ctx context.Context, c *client, address, soft string) error {
	kind := resets[soft]
	_, err := c.control.ResetNeighbor(ctx, &nvadv1.ResetNeighborRequest{Address: address, Kind: kind.kind})
	if err != nil || a.json() {
		return err
	}
	return line(a.Out, fmt.Sprintf("%s: %s", address, kind.done))
}

// resets are the kinds of reset by the value of --soft.
var resets = map[string]struct {
	kind nvadv1.ResetKind
	done string
}{
	"":    {nvadv1.ResetKind_RESET_KIND_HARD, "session reset"},
	"in":  {nvadv1.ResetKind_RESET_KIND_SOFT_IN, "import policy applied again"},
	"out": {nvadv1.ResetKind_RESET_KIND_SOFT_OUT, "routes sent again"},
}

func (a *app) shutdownCommand() *cobra.Command {
	var message string
	cmd := &cobra.Command{
		Use:     "shutdown ADDRESS",
		GroupID: groupChange,
		Short:   "Shut down a neighbor",
		Long: `Hold a neighbor down until "nvactl enable" or the next start of the daemon.
"nvactl stop" ends the daemon itself.`,
		Example:           `  nvactl shutdown 10.0.210.4 --message "maintenance until 14:00"`,
		Args:              between(1, 1),
		ValidArgsFunction: a.completeNeighbors,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			r, err := c.control.ShutdownNeighbor(ctx, &nvadv1.ShutdownNeighborRequest{Address: args[0], Message: message})
			return a.done(r, err, "%s: shut down", args[0])
		}),
	}
	cmd.Flags().StringVar(&message, "message", "", "`TEXT` that the neighbor is told (RFC 9003)")
	return cmd
}

func (a *app) enableCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "enable ADDRESS",
		GroupID:           groupChange,
		Short:             "Re-enable a neighbor",
		Long:              "Re-enable a neighbor that was shut down by \"nvactl shutdown\" or by the\nconfiguration.",
		Example:           "  nvactl enable 10.0.210.4",
		Args:              between(1, 1),
		ValidArgsFunction: a.completeNeighbors,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			r, err := c.control.EnableNeighbor(ctx, &nvadv1.EnableNeighborRequest{Address: args[0]})
			return a.done(r, err, "%s: enabled", args[0])
		}),
	}
}

var logLevels = []cobra.Completion{"debug", "info", "warn", "error"}

func levelArg(cmd *cobra.Command, args []string) error {
	if err := between(1, 1)(cmd, args); err != nil {
		return err
	}
	if !slices.Contains(logLevels, args[0]) {
		return fmt.Errorf("%q is not a log level, want debug, info, warn or error", args[0])
	}
	return nil
}

func (a *app) logLevelCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "log-level LEVEL",
		GroupID:   groupChange,
		Short:     "Change how much the daemon logs",
		Long:      "Change how much the daemon logs: debug, info, warn or error. The next start or\nreload takes the level of the configuration again.",
		Example:   "  nvactl log-level debug",
		Args:      levelArg,
		ValidArgs: logLevels,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			r, err := c.control.SetLogLevel(ctx, &nvadv1.SetLogLevelRequest{Level: args[0]})
			return a.done(r, err, "log level is %s", args[0])
		}),
	}
}

// done confirms a command.
func (a *app) done(r proto.Message, err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	if a.json() {
		return writeJSON(a.Out, r)
	}
	return line(a.Out, fmt.Sprintf(format, args...))
}
