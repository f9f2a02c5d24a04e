package ctl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

const installed = "installed"

func (a *app) fibCommand() *cobra.Command {
	var failed bool
	cmd := &cobra.Command{
		Use:   "fib",
		Short: "Show the routes nvad wants in the kernel",
		Long: `Show every route that nvad wants in the kernel: installed, pending, failed (the
kernel refused it, nvad tries again), refused (nvad does not install it, since
it would cut off something), outranked (the prefix is connected, or the operator
has set a route for it by other means) or in conflict with a route of another
routing daemon. Those not installed say why. A route that has a backup shows
where its traffic goes should every next hop die: the kernel has that at hand.`,
		Example: `  nvactl routes fib
  nvactl routes fib --failed
  nvactl routes fib -o json | jq '.[] | select(.state != "installed")'`,
		Args: between(0, 0),
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			stream, err := c.read.ListFIB(ctx, &nvadv1.ListFIBRequest{Failed: failed})
			if a.json() {
				return a.fibJSON(receiveFIB(stream, err))
			}
			none := "No routes."
			if failed {
				none = "Every route is as it is wanted."
			}
			return a.fibTable(receiveFIB(stream, err), none)
		}),
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "only routes that are not in the kernel as wanted, or left over")
	return cmd
}

// fibRows calls yield with each route of a stream.
type fibRows func(yield func(*nvadv1.FIBRoute) error) error

func receiveFIB(stream grpc.ServerStreamingClient[nvadv1.ListFIBResponse], err error) fibRows {
	return func(yield func(*nvadv1.FIBRoute) error) error {
		return receive(stream, err, func(m *nvadv1.ListFIBResponse) error {
			for _, r := range m.GetRoutes() {
				if err := yield(r); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func (a *app) fibJSON(rows fibRows) error {
	arr := jsonArray{out: a.Out}
	if err := rows(func(r *nvadv1.FIBRoute) error { return arr.add(r) }); err != nil {
		return err
	}
	return arr.end()
}

func (a *app) fibTable(rows fibRows, none string) error {
	t := newTable(a.Out, a.Width,
		column{head: "Network", max: 19},
		column{head: "Class"},
		column{head: "State"},
		column{head: "Since", right: true},
		column{head: "Next hop", fit: wrapped})
	states := map[string]int{}
	err := rows(func(r *nvadv1.FIBRoute) error {
		states[r.GetState()]++
		note := ""
		if r.GetState() != installed {
			note = r.GetReason()
		}
		t.rowWithNote(note, r.GetPrefix(), r.GetClass(), r.GetState(), a.age(r.GetSince()), fibHops(r))
		return t.err
	})
	if err != nil {
		return err
	}
	if len(states) == 0 {
		return line(a.Out, none)
	}
	if err := t.end(); err != nil {
		return err
	}
	return line(a.Out, "\n"+fibTotals(states))
}

// fibHops is one line for each next hop, as ip route prints them.
func fibHops(r *nvadv1.FIBRoute) string {
	if r.GetKind() != "unicast" {
		return r.GetKind()
	}
	var lines []string
	for i, h := range slices.Concat(r.GetNextHops(), r.GetBackup()) {
		s := "dev " + h.GetDevice()
		if h.GetVia() != "" {
			s = "via " + h.GetVia() + " " + s
		}
		if h.GetWeight() > 1 {
			s += " weight " + decimal(h.GetWeight())
		}
		if i >= len(r.GetNextHops()) {
			s = "backup " + s
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "\n")
}

func fibTotals(states map[string]int) string {
	total := 0
	var words []string
	for _, s := range slices.Sorted(maps.Keys(states)) {
		total += states[s]
		words = append(words, fmt.Sprintf("%d %s", states[s], s))
	}
	return count(total, "route") + ": " + strings.Join(words, ", ")
}
