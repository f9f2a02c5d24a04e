package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/connectivity"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) resetCommand() *cobra.Command {
	var group string
	var all bool
	soft := choice{allowed: []string{"in", "out"}}
	cmd := &cobra.Command{
		Use:   "reset ADDRESS | --group NAME | --all",
		Short: "Reset the session with a neighbor",
		Long: `Close the session with a neighbor and open it again. With --soft the session
stays up: "in" evaluates the import policy again on the routes of the neighbor,
"out" sends all routes to it again. --group resets every neighbor of a
peer-group, --all every neighbor, one after the other.`,
		Example: `  nvactl reset 10.0.210.4
  nvactl reset --group route-server --soft out
  nvactl reset 10.0.210.4 --soft in`,
		ValidArgsFunction: a.completeNeighbors,
	}
	cmd.Flags().StringVar(&group, "group", "", "every neighbor of the peer-group `NAME`")
	cmd.Flags().BoolVar(&all, "all", false, "every neighbor")
	cmd.Flags().Var(&soft, "soft", "keep the session, refresh one `DIRECTION`: in or out")
	completeFixed(cmd, "soft", soft.allowed...)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 || (len(args) == 1) == (group != "" || all) || group != "" && all {
			return wrongNumber(cmd)
		}
		return nil
	}
	cmd.RunE = a.run(func(ctx context.Context, c *client, args []string) error {
		if len(args) == 1 {
			return a.resetThose(ctx, c, []*nvadv1.Neighbor{{Address: args[0]}}, "", soft.value)
		}
		r, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
		if err != nil {
			return err
		}
		return a.resetThose(ctx, c, r.GetNeighbors(), group, soft.value)
	})
	return cmd
}

// resetThose resets the neighbors of list that are in group, all if group is empty. If
// one can't be reset, it goes on with the others.
func (a *app) resetThose(ctx context.Context, c *client, list []*nvadv1.Neighbor, group, soft string) error {
	var failed []error
	found := false
	for _, n := range list {
		if group != "" && n.GetPeerGroup() != group {
			continue
		}
		found = true
		kind := resets[soft]
		_, err := c.control.ResetNeighbor(ctx, &nvadv1.ResetNeighborRequest{Address: n.GetAddress(), Kind: kind.kind})
		switch {
		case err != nil:
			failed = append(failed, plainError(err))
		case !a.json():
			line(a.Out, fmt.Sprintf("%s: %s", n.GetAddress(), kind.done))
		}
	}
	switch {
	case !found && group != "":
		return fmt.Errorf("peer-group %s has no neighbors", group)
	case !found:
		return errors.New("no neighbors are configured")
	case len(failed) == 0 && a.json():
		writeJSON(a.Out, &nvadv1.ResetNeighborResponse{})
	}
	return errors.Join(failed...)
}

// resets are the kinds of reset, by the value of --soft.
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
		Use:   "shutdown ADDRESS",
		Short: "Shut down a neighbor",
		Long: `Close the session with a neighbor and keep it down until "nvactl enable" or the
next start of the daemon. To end the daemon itself, use "nvactl stop".`,
		Example:           `  nvactl shutdown 10.0.210.4 --message "maintenance until 14:00"`,
		ValidArgsFunction: a.completeNeighbors,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			r, err := c.control.ShutdownNeighbor(ctx, &nvadv1.ShutdownNeighborRequest{Address: args[0], Message: message})
			return a.done(r, err, "%s: shut down", args[0])
		}),
	}
	cmd.Flags().StringVar(&message, "message", "", "`TEXT` to send to the neighbor (RFC 9003)")
	return cmd
}

func (a *app) enableCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "enable ADDRESS",
		Short:             "Re-enable a neighbor",
		Long:              "Re-enable a neighbor that was shut down by \"nvactl shutdown\" or by the\nconfiguration.",
		Example:           "  nvactl enable 10.0.210.4",
		ValidArgsFunction: a.completeNeighbors,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			r, err := c.control.EnableNeighbor(ctx, &nvadv1.EnableNeighborRequest{Address: args[0]})
			return a.done(r, err, "%s: enabled", args[0])
		}),
	}
}

func (a *app) logLevelCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "log-level LEVEL",
		Short:     "Change how much the daemon logs",
		Long:      "Change how much the daemon logs: debug, info, warn or error. The next start or\nreload restores the level of the configuration.",
		Example:   "  nvactl log-level debug",
		ValidArgs: []cobra.Completion{"debug", "info", "warn", "error"},
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			r, err := c.control.SetLogLevel(ctx, &nvadv1.SetLogLevelRequest{Level: args[0]})
			return a.done(r, err, "log level is %s", args[0])
		}),
	}
}

func (a *app) drainCommand() *cobra.Command {
	d := &drain{}
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Take traffic off this NVA, before maintenance",
		Long: `Take traffic off this NVA. Its health endpoint answers 503, so that a load
balancer sends it no new connections, and nvad announces its routes again with
attributes that make every other path better. It withdraws nothing, and packets
that still arrive are forwarded as before.

A drain goes on after a reload, and ends when the daemon ends. --wait returns
when traffic should have moved: drain.hold seconds after the start of the drain,
as set in the configuration. --off ends the drain.

Azure probes no next hop of an ECMP user-defined route. --azure-udr removes this
NVA from such a route, and with --off adds it again. ROUTE is its resource ID or
RESOURCEGROUP/TABLE/ROUTE. This needs an identity with the permissions in
configs/azure/role-operator.json. If Azure refuses, the drain happens all the
same, and the exit code is 1. nvactl never removes the last next hop. A drain by
a scheduled event changes no route of Azure.`,
		Example: `  nvactl drain --wait --reason "new kernel" && reboot
  nvactl drain --wait --azure-udr rg-spokes/rt-spoke/to-onprem
  nvactl drain --off`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if d.routes, d.address, err = d.hops.parse(); err != nil {
				return err
			}
			if a.remote.address != "" && incomplete(d.routes, d.address) {
				return errors.New("--address: which machine of Azure is that? give its address with --azure-hop, and the resource ID of each route")
			}
			return a.run(func(ctx context.Context, c *client, _ []string) error { return a.drain(ctx, c, d) })(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&d.off, "off", false, "carry traffic again")
	cmd.Flags().BoolVar(&d.wait, "wait", false, "return when traffic should have moved")
	cmd.Flags().StringVar(&d.reason, "reason", "", "`TEXT` for the log and \"nvactl status\"")
	d.hops.register(cmd)
	cmd.MarkFlagsMutuallyExclusive("off", "wait")
	cmd.MarkFlagsMutuallyExclusive("off", "reason")
	return cmd
}

// drain says what the flags of "nvactl drain" ask for.
type drain struct {
	off, wait bool
	reason    string
	hops      hops
	routes    []hopRoute
	address   netip.Addr
}

// drain begins or ends a drain. nvad comes first: it says who may do so. What Azure
// refuses is an error at the end.
func (a *app) drain(ctx context.Context, c *client, d *drain) error {
	r, err := c.control.Drain(ctx, &nvadv1.DrainRequest{Off: d.off, Reason: d.reason})
	if err != nil {
		return err
	}
	if !d.off {
		if err := a.warnOfDrain(ctx, c); err != nil {
			return err
		}
	}
	remaining := left(r)
	moving, refused := a.setHops(ctx, d)
	if moving { // from now on
		remaining = max(remaining, hopSettles)
	}
	switch {
	case d.off:
		err = a.done(r, nil, "this NVA carries traffic again")
	case !d.wait:
		err = a.done(r, nil, "draining, traffic will have moved in %s", remaining)
	default:
		if err = awaitDrained(ctx, c, remaining); err == nil {
			err = a.done(r, nil, "drained")
		}
	}
	return errors.Join(refused, err)
}

// warnOfDrain warns on stderr if no other NVA is known to take the traffic.
func (a *app) warnOfDrain(ctx context.Context, c *client) error {
	s, err := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
	for _, p := range s.GetProblems() {
		if p.GetKind() == "drain" {
			a.warn(p.GetText())
		}
	}
	return err
}

func left(r *nvadv1.DrainResponse) time.Duration {
	return time.Duration(r.GetRemainingSeconds()) * time.Second
}

// awaitDrained waits for d, and fails if somebody has ended the drain meanwhile.
func awaitDrained(ctx context.Context, c *client, d time.Duration) error {
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return ctx.Err()
	}
	s, err := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
	if err != nil {
		return fmt.Errorf("can't tell whether this NVA is still draining: %w", err)
	}
	if s.GetDrainingSince() == nil {
		return errors.New("somebody ended the drain before traffic had moved")
	}
	return nil
}

// ending bounds the time for the daemon to end. Removing a million routes takes a few
// seconds.
const ending = 60 * time.Second

func (a *app) stopCommand() *cobra.Command {
	var flush bool
	var message string
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "End the daemon",
		Long: `End the daemon and all its sessions. Its routes and devices stay in the kernel,
so that traffic goes on. --flush removes them and restores the sysctls; if the
daemon has ended already, use "nvad flush" instead.`,
		Example: `  nvactl stop
  nvactl stop --flush --message "moved to vm-hub01"`,
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
			return failure{fmt.Errorf("%w: to remove its routes and devices, run \"sudo nvad flush\"", errNotRunning)}
		}
		return err
	}
	cmd.Flags().BoolVar(&flush, "flush", false, "remove routes and devices, restore sysctls")
	cmd.Flags().StringVar(&message, "message", "", "`TEXT` to send to the neighbors (RFC 9003)")
	return cmd
}

// awaitEnd waits for the daemon to close the connection, which it does last.
func awaitEnd(ctx context.Context, c *client) error {
	ctx, cancel := context.WithTimeout(ctx, ending)
	defer cancel()
	for c.GetState() == connectivity.Ready {
		if !c.WaitForStateChange(ctx, connectivity.Ready) {
			return fmt.Errorf("nvad is still running %s after it was told to end (journalctl -u nvad says why)", ending)
		}
	}
	return nil
}
