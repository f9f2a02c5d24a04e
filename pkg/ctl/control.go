package ctl

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) resetCommand() *cobra.Command {
	var soft string
	cmd := &cobra.Command{
		Use:     "reset ADDRESS",
		GroupID: groupChange,
		Short:   "Reset the session with a neighbor",
		Long: `Close the session with a neighbor and open it again. With --soft the session
stays: "in" runs the import policy again over what the neighbor sent, "out"
sends it everything again.`,
		Example: `  nvactl reset 10.0.210.4
  nvactl reset 10.0.210.4 --soft in`,
		Args:              between(1, 1),
		ValidArgsFunction: a.completeNeighbors,
	}
	cmd.Flags().StringVar(&soft, "soft", "", "keep the session, refresh one `DIRECTION`: in or out")
	_ = cmd.RegisterFlagCompletionFunc("soft", cobra.FixedCompletions([]string{"in", "out"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if _, ok := resets[soft]; !ok {
			return fmt.Errorf("invalid argument %q for \"--soft\" flag: want in or out", soft)
		}
		return nil
	}
	cmd.RunE = a.run(func(ctx context.Context, c *client, args []string) error {
		kind := resets[soft]
		r, err := c.control.ResetNeighbor(ctx, &nvadv1.ResetNeighborRequest{Address: args[0], Kind: kind.kind})
		return a.done(r, err, "%s: %s", args[0], kind.done)
	})
	return cmd
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
