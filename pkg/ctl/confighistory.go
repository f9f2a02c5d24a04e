package ctl

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) configHistoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "List the last configurations",
		Long: `List the last ten configurations that came into force, the latest first: when,
by what and whom, and what became of each. "*" marks the one that runs.
"nvactl config show --version N" shows one, "nvactl config diff --from N" says
what differs since.`,
		Example: "  nvactl config history",
		Args:    between(0, 0),
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			r, err := c.read.ListConfigs(ctx, &nvadv1.ListConfigsRequest{})
			if err != nil {
				return err
			}
			if a.json() {
				return writeArray(a.Out, r.GetVersions())
			}
			return a.printHistory(r.GetVersions())
		}),
	}
}

func (a *app) printHistory(list []*nvadv1.ConfigVersion) error {
	if len(list) == 0 {
		return line(a.Out, "No configuration is kept: the log of nvad says why.")
	}
	t := newTable(a.Out, a.Width, column{}, column{head: "Version", right: true}, column{head: "Time (UTC)"},
		column{head: "By"}, column{head: "Result", fit: wrapped})
	for i := len(list) - 1; i >= 0; i-- {
		v := list[i]
		mark := ""
		if v.GetRunning() {
			mark = "*"
		}
		t.row(mark, fmt.Sprint(v.GetVersion()), v.GetTime().AsTime().UTC().Format(time.DateTime), causeOf(v), resultOf(v))
	}
	return t.end()
}

func causeOf(v *nvadv1.ConfigVersion) string {
	s := v.GetCause()
	if v.GetOrigin() != 0 {
		s += fmt.Sprintf(" to %d", v.GetOrigin())
	}
	if v.GetBy() != "" {
		s += ", " + v.GetBy()
	}
	return s
}

func resultOf(v *nvadv1.ConfigVersion) string {
	if v.GetJudge() == "" {
		return v.GetResult()
	}
	return v.GetResult() + ", " + v.GetJudge()
}

// completeVersions offers the versions that are kept.
func (a *app) completeVersions(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, c *client) ([]cobra.Completion, error) {
		r, err := c.read.ListConfigs(ctx, &nvadv1.ListConfigsRequest{})
		var out []cobra.Completion
		for _, v := range r.GetVersions() {
			out = append(out, cobra.CompletionWithDesc(fmt.Sprint(v.GetVersion()), causeOf(v)+": "+v.GetResult()))
		}
		return out, err
	})
}
