package ctl

import (
	"context"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) policyHitsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hits ADDRESS",
		Short: "Show how often each rule decided",
		Long: `Show how often each rule of a neighbor's policies decided: entries of lists and
clauses of route-maps, those that never did included. Counting begins anew with
a start, and with a reload that changes the policy. A route that is evaluated
again, after a reset --soft in for example, counts again.`,
		Example: `  nvactl policy hits 10.0.210.4
  nvactl policy hits 10.0.210.4 -o json | jq '.[] | select(.hits == null)'`,
		Args:              between(1, 1),
		ValidArgsFunction: a.completeNeighbors,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			stream, err := c.read.ListPolicyHits(ctx, &nvadv1.ListPolicyHitsRequest{Address: args[0]})
			if a.json() {
				arr := jsonArray{out: a.Out}
				err = receive(stream, err, func(m *nvadv1.ListPolicyHitsResponse) error {
					for _, r := range m.GetRules() {
						if err := arr.add(r); err != nil {
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
			t := newTable(a.Out, a.Width, column{head: "Way"}, column{head: "Hits", right: true}, column{head: "Rule", fit: wrapped})
			err = receive(stream, err, func(m *nvadv1.ListPolicyHitsResponse) error {
				for _, r := range m.GetRules() {
					t.row(r.GetDirection(), decimal(r.GetHits()), r.GetRule())
				}
				return t.err
			})
			if err != nil {
				return err
			}
			return t.end()
		}),
	}
}
