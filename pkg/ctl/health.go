package ctl

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// fitness is the answer of the command health as JSON.
type fitness struct {
	Healthy bool     `json:"healthy"`
	Reasons []string `json:"reasons"` // why not
}

func (a *app) healthCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Check whether this NVA should carry traffic",
		Long: `Check whether this NVA should carry traffic, by the conditions of [health] in
nvad.toml: the same answer as a load balancer gets from GET /healthz. If it
should not, print each reason. The exit code is then 1, as it is if nvad does
not answer. Containers and scripts can use this as their health check.`,
		Example: `  nvactl health
  nvactl health -o json | jq -r '.reasons[]'`,
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			s, err := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
			if err != nil {
				return err
			}
			return a.printFitness(fitness{len(s.GetUnhealthy()) == 0, append([]string{}, s.GetUnhealthy()...)})
		}),
	}
}

func (a *app) printFitness(f fitness) error {
	switch {
	case a.json():
		writeValue(a.Out, f)
	case f.Healthy:
		line(a.Out, "This NVA should carry traffic.")
	}
	if f.Healthy {
		return nil
	}
	if !a.json() {
		for _, reason := range f.Reasons {
			line(a.Out, printable(reason))
		}
	}
	return errors.New("this NVA should not carry traffic")
}
