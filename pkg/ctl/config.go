package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

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

func (a *app) configDiffCommand() *cobra.Command {
	var from, to uint32
	cmd := &cobra.Command{
		Use:   "diff [FILE]",
		Short: "Show what differs between configurations",
		Long: `Compare the running configuration with a file, by default the one that nvad was
started with, and say of each difference what applying it costs. --from takes an
earlier version in place of the running one, --to one in place of the file.
Passwords are hidden in what the daemon tells, so that a changed one does not
show; "nvactl reload --dry-run" knows.`,
		Example: `  nvactl config diff
  nvactl config diff new.toml
  nvactl config diff --from 3
  nvactl config diff --from 3 --to 5`,
		Args: between(0, 1),
	}
	cmd.Flags().Uint32Var(&from, "from", 0, "compare from this `VERSION`, not from what runs")
	cmd.Flags().Uint32Var(&to, "to", 0, "compare with this `VERSION`, not with a file")
	cmd.PreRunE = func(_ *cobra.Command, args []string) error {
		if to != 0 && len(args) > 0 {
			return fmt.Errorf("either --to or a file")
		}
		return nil
	}
	cmd.RunE = a.run(func(ctx context.Context, c *client, args []string) error {
		old, err := versionOf(ctx, c, from)
		if err != nil {
			return err
		}
		var next *config.Config
		if to != 0 {
			next, err = versionOf(ctx, c, to)
		} else {
			next, err = a.candidate(ctx, c, args)
		}
		if err != nil {
			return err
		}
		return a.printDiff(config.Diff(old, next))
	})
	return cmd
}

// candidate is the file of args, or else the one that the daemon runs with: by
// default the two are compared that a reload would. Of another machine only its
// own nvad can read the file.
func (a *app) candidate(ctx context.Context, c *client, args []string) (*config.Config, error) {
	if len(args) > 0 {
		return redacted(args[0])
	}
	if a.remote.address != "" {
		return nil, errors.New("name a file of this machine to compare with: the daemon's own is on the other (nvactl reload --dry-run reads that)")
	}
	s, err := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
	if err != nil {
		return nil, err
	}
	return redacted(cmp.Or(s.GetConfig().GetFile(), defaultConfig))
}

// versionOf is a configuration that the daemon keeps, without passwords; version
// 0 is the one that runs.
func versionOf(ctx context.Context, c *client, version uint32) (*config.Config, error) {
	r, err := c.read.GetConfig(ctx, &nvadv1.GetConfigRequest{Version: version})
	if err != nil {
		return nil, err
	}
	cfg, err := config.Parse("configuration of the daemon", []byte(r.GetToml()))
	if err != nil {
		return nil, fmt.Errorf("nvad is of another version, its configuration is not understood:\n%w", err)
	}
	return cfg, nil
}

// redacted is the configuration of a file without its passwords: the other side
// of a comparison hides them too, or all of them would differ.
func redacted(file string) (*config.Config, error) {
	cfg, err := loadConfig(file)
	if err != nil {
		return nil, err
	}
	return config.Parse(file, config.Print(cfg, true))
}

func (a *app) printDiff(changes []config.Change) error {
	var list []*nvadv1.Change
	for _, d := range config.ByImpact(changes) {
		list = append(list, &nvadv1.Change{What: d.Object + ": " + d.What, Impact: d.Impact.String()})
	}
	if a.json() {
		return writeArray(a.Out, list)
	}
	return a.printChanges(list, "No difference.")
}

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
