package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/config"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

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
