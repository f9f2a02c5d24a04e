package ctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

var watchKinds = map[string]nvadv1.WatchKind{
	"neighbors":  nvadv1.WatchKind_WATCH_KIND_NEIGHBORS,
	"routes":     nvadv1.WatchKind_WATCH_KIND_ROUTES,
	"fib":        nvadv1.WatchKind_WATCH_KIND_FIB,
	"tunnels":    nvadv1.WatchKind_WATCH_KIND_TUNNELS,
	"next-hops":  nvadv1.WatchKind_WATCH_KIND_NEXT_HOPS,
	"repairs":    nvadv1.WatchKind_WATCH_KIND_REPAIRS,
	"operations": nvadv1.WatchKind_WATCH_KIND_OPERATIONS,
	"problems":   nvadv1.WatchKind_WATCH_KIND_PROBLEMS,
	"daemon":     nvadv1.WatchKind_WATCH_KIND_DAEMON,
}

// kindNames are the names of watchKinds, in the order of the help.
var kindNames = []string{"neighbors", "routes", "fib", "tunnels", "next-hops", "repairs", "operations", "problems", "daemon"}

func (a *app) watchCommand() *cobra.Command {
	req := &nvadv1.WatchRequest{}
	cmd := &cobra.Command{
		Use:   "watch [KIND]...",
		Short: "Show changes as they happen",
		Long: `Show each change in a line, until Ctrl-C or the end of nvad. Without KIND, show
changes of all kinds:

  neighbors   sessions that come up, go down or fail to come up, and why
  routes      best paths, and the step of the decision
  fib         routes in the kernel
  tunnels     states of tunnels, and what nvad repaired of them
  next-hops   next hops that die and come back, and what noticed that
  repairs     what nvad put back after another program had changed it
  operations  what somebody asked nvad to do: who, what, and what came of it
  problems    problems and warnings of "nvactl status" that come and go
  daemon      nvad starts, is in sync, stops

With -o json each line is an object. nvad does not wait for slow readers: it
drops changes that a reader is too slow for, and the command says how many.`,
		Example: `  nvactl watch
  nvactl watch neighbors tunnels
  nvactl watch routes fib --prefix 10.100.0.0/16
  nvactl watch --neighbor 10.0.210.4 -o json | jq -c 'select(.route)'`,
		ValidArgs: kindNames,
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
	return a.follow(ctx, c, req, func(events []*nvadv1.WatchEvent) error {
		for _, ev := range events {
			a.printEvent(ev)
		}
		return nil
	})
}

// follow calls yield with the changes that happen, and first without any once nvad reports
// them, until Ctrl-C or the end of nvad, neither of which is an error.
func (a *app) follow(ctx context.Context, c *client, req *nvadv1.WatchRequest, yield func([]*nvadv1.WatchEvent) error) error {
	stream, err := c.read.Watch(ctx, req)
	err = receive(stream, err, func(r *nvadv1.WatchResponse) error {
		if r.GetLost() > 0 {
			fmt.Fprintf(a.Err, "nvactl: %d changes are lost, read too slowly\n", r.GetLost())
		}
		if err := yield(r.GetEvents()); err != nil {
			return err
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
