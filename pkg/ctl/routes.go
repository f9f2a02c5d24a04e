package ctl

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) routesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "routes [PREFIX]",
		Aliases: []string{"route"},
		GroupID: groupShow,
		Short:   "Show routes",
		Long: `Show every accepted path of every neighbor, the best of each prefix marked; or
all paths of one prefix in detail. The subcommands show what one neighbor sent
or was sent, and what is in the kernel.`,
		Example: `  nvactl routes
  nvactl routes 10.110.0.0/16
  nvactl routes received 10.0.210.4
  nvactl routes rejected 10.0.210.4
  nvactl routes fib
  nvactl routes lookup 10.110.0.4`,
		Args: a.prefixArg,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			if len(args) == 1 {
				return a.showPrefix(ctx, c, args[0])
			}
			return a.listRoutes(ctx, c, &nvadv1.ListRoutesRequest{}, a.pathTable(true), "No routes.")
		}),

		SuggestionsMinimumDistance: suggestionDistance,
	}
	cmd.AddCommand(a.tableCommands()...)
	cmd.AddCommand(a.fibCommand(), a.lookupCommand())
	return cmd
}

// prefixArg takes a misspelled subcommand for what it is.
func (a *app) prefixArg(cmd *cobra.Command, args []string) error {
	if err := between(0, 1)(cmd, args); err != nil {
		return err
	}
	if len(args) == 0 {
		return nil
	}
	if p, err := netip.ParsePrefix(args[0]); err == nil {
		args[0] = p.Masked().String() // as explain takes it
		return nil
	}
	if _, err := netip.ParseAddr(args[0]); err == nil || strings.Contains(args[0], "/") {
		return fmt.Errorf("%q is not a prefix (want one like 10.110.0.0/16)", args[0])
	}
	return rootArgs(cmd, args)
}

func (a *app) tableCommands() []*cobra.Command {
	table := func(kind nvadv1.RouteKind, word, short, long, none string) *cobra.Command {
		return &cobra.Command{
			Use:               word + " ADDRESS",
			Short:             short,
			Long:              long,
			Example:           "  nvactl routes " + word + " 10.0.210.4\n  nvactl routes " + word + " 10.0.210.4 -o json | jq length",
			Args:              between(1, 1),
			ValidArgsFunction: a.completeNeighbors,
			RunE: a.run(func(ctx context.Context, c *client, args []string) error {
				t := a.pathTable(false)
				if kind == nvadv1.RouteKind_ROUTE_KIND_REJECTED {
					t.notes = true
				}
				q := &nvadv1.ListRoutesRequest{Kind: kind, Neighbor: args[0]}
				return a.listRoutes(ctx, c, q, t, fmt.Sprintf(none, args[0]))
			}),
		}
	}
	return []*cobra.Command{
		table(nvadv1.RouteKind_ROUTE_KIND_RECEIVED, "received", "Show what a neighbor sent, before policy",
			"Show every route a neighbor sent, as it was received, before the import policy.",
			"Nothing received from %s."),
		table(nvadv1.RouteKind_ROUTE_KIND_ACCEPTED, "accepted", "Show what the import policy let in",
			"Show the routes of a neighbor that its import policy let in, as the policy\nchanged them.",
			"Nothing accepted from %s."),
		table(nvadv1.RouteKind_ROUTE_KIND_REJECTED, "rejected", "Show what the import policy kept out, and why",
			"Show the routes of a neighbor that its import policy kept out, as they were\nreceived, each with the rule that decided.",
			"Nothing rejected from %s."),
		table(nvadv1.RouteKind_ROUTE_KIND_ADVERTISED, "advertised", "Show what a neighbor was sent",
			"Show every route that was sent to a neighbor, as it was sent, after the export\npolicy; marked by an h, also what maximum-prefix-out holds back from it.",
			"Nothing advertised to %s."),
	}
}

// listRoutes prints a table of routes as it arrives.
func (a *app) listRoutes(ctx context.Context, c *client, q *nvadv1.ListRoutesRequest, t *pathTable, none string) error {
	stream, err := c.read.ListRoutes(ctx, q)
	if a.json() {
		arr := jsonArray{out: a.Out}
		err = receive(stream, err, func(m *nvadv1.ListRoutesResponse) error {
			for _, p := range m.GetPaths() {
				if err := arr.add(p); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return arr.end()
	}
	err = receive(stream, err, func(m *nvadv1.ListRoutesResponse) error {
		for _, p := range m.GetPaths() {
			t.add(p)
		}
		return t.err
	})
	if err != nil {
		return err
	}
	if t.paths == 0 {
		return line(a.Out, none)
	}
	return t.finish()
}
