package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/connectivity"
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
