package ctl

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/config"
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
	cmd.AddCommand(a.configShowCommand(), a.configCheckCommand(), a.configDiffCommand(), a.configHistoryCommand(),
		a.configRestoreCommand(), a.configConvertCommand())
	return cmd
}

func (a *app) configShowCommand() *cobra.Command {
	var expanded bool
	var version uint32
	running := a.run(func(ctx context.Context, c *client, _ []string) error {
		r, err := c.read.GetConfig(ctx, &nvadv1.GetConfigRequest{Expanded: expanded, Version: version})
		if err != nil {
			return err
		}
		return a.printConfig(r)
	})
	file := a.offline(func(args []string) error {
		cfg, err := loadConfig(args[0])
		if err != nil {
			return err
		}
		if expanded {
			cfg = cfg.Expanded()
		}
		return a.printConfig(&nvadv1.Config{Toml: string(config.Print(cfg, true))})
	})
	cmd := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show the running configuration",
		Long: `Show the running configuration, an earlier version of it, or that of a file
without a daemon, in its normalised form, which is itself a configuration file,
with secrets masked. Expanded, it says what its presets stand for.`,
		Example: `  nvactl config show
  nvactl config show /etc/nvad/nvad.toml
  nvactl config show --expanded
  nvactl config show --version 3`,
		Args: between(0, 1),
		PreRunE: func(_ *cobra.Command, args []string) error {
			if version != 0 && len(args) > 0 {
				return errors.New("either --version or a file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return file(cmd, args)
			}
			return running(cmd, args)
		},
	}
	cmd.Flags().Uint32Var(&version, "version", 0, "`NUMBER` of a configuration in the history")
	cmd.Flags().BoolVar(&expanded, "expanded", false, "write out presets, and what nvad derives")
	return cmd
}

func (a *app) printConfig(c *nvadv1.Config) error {
	if a.json() {
		return writeJSON(a.Out, c)
	}
	_, err := io.WriteString(a.Out, printable(c.GetToml()))
	return err
}
