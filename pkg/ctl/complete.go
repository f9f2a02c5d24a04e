package ctl

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// completionTime is how long a shell may hang on a daemon that does not answer.
const completionTime = time.Second

// completeNeighbors offers the addresses of the daemon's neighbors for the
// first argument.
func (a *app) completeNeighbors(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, c *client) ([]cobra.Completion, error) {
		r, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
		var out []cobra.Completion
		for _, n := range r.GetNeighbors() {
			out = append(out, cobra.CompletionWithDesc(n.GetAddress(), printable(n.GetDescription())))
		}
		return out, err
	})
}

// completeTunnels offers the names of the daemon's tunnels for the first
// argument.
func (a *app) completeTunnels(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, c *client) ([]cobra.Completion, error) {
		r, err := c.read.ListTunnels(ctx, &nvadv1.ListTunnelsRequest{})
		var out []cobra.Completion
		for _, t := range r.GetTunnels() {
			out = append(out, t.GetName())
		}
		return out, err
	})
}

// complete asks the daemon; without one there is nothing to offer.
func (a *app) complete(cmd *cobra.Command, args []string, ask func(context.Context, *client) ([]cobra.Completion, error)) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	c, err := a.connect(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.Close()
	out, err := ask(ctx, c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
