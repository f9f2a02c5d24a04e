package ctl

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		GroupID: groupShow,
		Short:   "Show, check, compare and convert configurations",
		Args:    rootArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		SuggestionsMinimumDistance: suggestionDistance,
	}
	cmd.AddCommand(a.configCheckCommand(), a.configDiffCommand(), a.configConvertCommand(), &cobra.Command{
		Use:   "show",
		Short: "Show the running configuration",
		Long: `Show the running configuration in its normalised form, which is itself a
configuration file, with secrets masked.`,
		Example: "  nvactl config show | diff - /etc/nvad/nvad.toml",
		Args:    between(0, 0),
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			r, err := c.read.GetConfig(ctx, &nvadv1.GetConfigRequest{})
			if err != nil {
				return err
			}
			if a.json() {
				return writeJSON(a.Out, r)
			}
			_, err = io.WriteString(a.Out, r.GetToml())
			return err
		}),
	})
	return cmd
}
