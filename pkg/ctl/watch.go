package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

var watchKinds = map[string]nvadv1.WatchKind{
	"neighbors": nvadv1.WatchKind_WATCH_KIND_NEIGHBORS,
	"routes":    nvadv1.WatchKind_WATCH_KIND_ROUTES,
	"fib":       nvadv1.WatchKind_WATCH_KIND_FIB,
	"tunnels":   nvadv1.WatchKind_WATCH_KIND_TUNNELS,
}

func (a *app) watchCommand() *cobra.Command {
	req := &nvadv1.WatchRequest{}
	cmd := &cobra.Command{
		Use:   "watch [neighbors|routes|fib|tunnels]...",
		Short: "Show changes as they happen",
		Long: `Show each change in a line, until Ctrl-C or the end of nvad: sessions, best
paths and the step that decided, routes in the kernel, tunnels.

With -o json each line is an object. nvad does not wait for slow readers: it
drops changes that a reader is too slow for, and the command says how many.`,
		Example: `  nvactl watch
  nvactl watch neighbors tunnels
  nvactl watch routes fib --prefix 10.100.0.0/16
  nvactl watch --neighbor 10.0.210.4 -o json | jq -c 'select(.route)'`,
		ValidArgs: []string{"neighbors", "routes", "fib", "tunnels"},
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			for _, arg := range args {
				req.Kinds = append(req.Kinds, watchKinds[arg])
			}
			return a.watch(ctx, c, req)
		}),
	}
	cmd.Flags().StringVar(&req.Neighbor, "neighbor", "", "only the session with `ADDRESS`, and paths from it")
	cmd.Flags().StringVar(&req.Prefix, "prefix", "", "only routes of `PREFIX` and within it")
	return cmd
}

// watch prints changes until Ctrl-C or the end of nvad, neither of which is an error.
func (a *app) watch(ctx context.Context, c *client, req *nvadv1.WatchRequest) error {
	stream, err := c.read.Watch(ctx, req)
	err = receive(stream, err, func(r *nvadv1.WatchResponse) error {
		if r.GetLost() > 0 {
			fmt.Fprintf(a.Err, "nvactl: %d changes are lost, read too slowly\n", r.GetLost())
		}
		for _, ev := range r.GetEvents() {
			a.printEvent(ev)
		}
		return a.flush()
	})
	switch {
	case ctx.Err() != nil, status.Code(err) == codes.Canceled:
		return nil
	case err == nil:
		fmt.Fprintln(a.Err, "nvactl: nvad has ended")
	case status.Code(err) == codes.Unavailable:
		return errors.New("the connection to nvad was lost")
	}
	return err
}

// flush writes out the buffer, so that a change appears at once.
func (a *app) flush() error {
	if b, ok := a.Out.(interface{ Flush() error }); ok {
		return b.Flush()
	}
	return nil
}

func (a *app) printEvent(ev *nvadv1.WatchEvent) {
	text := a.eventLine(ev)
	if a.json() {
		text = string(appendJSON(nil, ev.ProtoReflect()))
	}
	line(a.Out, text)
}

// eventLine returns a change in one line.
func (a *app) eventLine(ev *nvadv1.WatchEvent) string {
	kind, text := "", ""
	switch {
	case ev.GetNeighbor() != nil:
		kind, text = "neighbor", neighborLine(ev.GetNeighbor())
	case ev.GetRoute() != nil:
		kind, text = "route", routeLine(ev.GetRoute())
	case ev.GetFib() != nil:
		kind, text = "fib", fibLine(ev.GetFib())
	case ev.GetTunnel() != nil:
		kind, text = "tunnel", tunnelLine(ev.GetTunnel())
	}
	return fmt.Sprintf("%s %-8s %s", ev.GetTime().AsTime().In(a.Now().Location()).Format("15:04:05.000"), kind, strings.ReplaceAll(text, "\n", " "))
}

func neighborLine(c *nvadv1.NeighborChange) string {
	states := arrow(c.GetOldState(), c.GetNewState())
	if c.GetNewState() == established {
		states = established
	}
	return joined(": ", fmt.Sprintf("%s (%s) %s", c.GetAddress(), asName(c.GetRemoteAsn()), states), c.GetReason()) +
		when(c.GetRoutesKept(), "; its routes stay for now")
}

func routeLine(c *nvadv1.RouteChange) string {
	old, now := from(c.GetOld()), from(c.GetNew())
	switch {
	case c.GetNew() == nil:
		return fmt.Sprintf("%s unreachable, was %s: %s", c.GetPrefix(), old, c.GetReason())
	case c.GetOld() == nil:
		return c.GetPrefix() + " best " + now + prefixed(", AS path ", c.GetNew().GetAsPath())
	}
	return fmt.Sprintf("%s best %s: %s", c.GetPrefix(), arrow(old, now), c.GetReason())
}

// from returns the source of a best path.
func from(b *nvadv1.BestPath) string {
	return cmp.Or(b.GetNeighbor(), b.GetSource(), "none")
}

func fibLine(c *nvadv1.FIBChange) string {
	what, way := c.GetPrefix(), arrow(c.GetOld(), c.GetNew())
	switch {
	case c.GetGroup() != 0:
		what = fmt.Sprintf("group %d (%s)", c.GetGroup(), count(c.GetRoutes(), "route"))
	case c.GetState() == "removed":
		way = c.GetOld()
	case slices.Contains([]string{"failed", "refused", "outranked"}, c.GetState()):
		way = c.GetNew()
	}
	return joined(": ", fmt.Sprintf("%s %s %s", what, c.GetState(), way), c.GetReason())
}

func tunnelLine(c *nvadv1.TunnelChange) string {
	return joined(": ", c.GetName()+" "+arrow(c.GetOldState(), c.GetNewState()), c.GetReason())
}

// arrow returns "old -> new", or only new if nothing else was there before.
func arrow(old, now string) string {
	if old == "" || old == now {
		return now
	}
	return old + " -> " + now
}
