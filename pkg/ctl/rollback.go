package ctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/config"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) confirmCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "confirm",
		Short:   "Keep a pending change",
		Long:    "Keep a change that \"nvactl reload --confirm\" applied and would otherwise undo.",
		Example: "  nvactl confirm",
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			r, err := c.control.Confirm(ctx, &nvadv1.ConfirmRequest{})
			return a.done(r, err, "version %d stays", r.GetVersion())
		}),
	}
}

func (a *app) rollbackCommand() *cobra.Command {
	file := &fileFlag{}
	cmd := &cobra.Command{
		Use:   "rollback [VERSION]",
		Short: "Go back to an earlier configuration",
		Long: `Apply an earlier configuration: VERSION if given; otherwise the version to which
an unconfirmed change would fall back; otherwise the one before the running
version. Sessions with the same settings in both stay up.

nvactl then writes the restored configuration to the file of --config, if it
may, and keeps the previous content as FILE.old. If it may not, nvad keeps
running the restored configuration, even after a restart, until the file changes
or is reloaded.`,
		Example:           "  nvactl rollback\n  nvactl rollback 3",
		Args:              versionArg,
		ValidArgsFunction: a.completeVersions,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			req := &nvadv1.RollbackRequest{}
			if len(args) > 0 {
				req.Version = mustVersion(args[0])
			}
			r, err := c.control.Rollback(ctx, req)
			if err != nil {
				return err
			}
			a.printRollback(r)
			a.writeBack(ctx, c, file)
			return nil
		}),
	}
	file.register(cmd)
	return cmd
}

func (a *app) printRollback(r *nvadv1.RollbackResponse) {
	if a.json() {
		writeJSON(a.Out, r)
		return
	}
	a.printChanges(r.GetChanges(), "Nothing changed.")
	line(a.Out, fmt.Sprintf("Version %d runs again, as version %d.", r.GetTo(), r.GetVersion()))
}

// versionArg checks an optional number of a version.
func versionArg(cmd *cobra.Command, args []string) error {
	if err := usageArgs(cmd, args); err != nil || len(args) == 0 {
		return err
	}
	if mustVersion(args[0]) == 0 {
		return fmt.Errorf("%q is not a version (nvactl config history lists them)", args[0])
	}
	return nil
}

// mustVersion returns the number of a version, 0 if s is none.
func mustVersion(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// fileFlag is --config of the commands that write the configuration file. They usually
// run as root, and the daemon does not: the caller decides which file they write, never
// the daemon.
type fileFlag struct {
	path  string
	given func() bool
}

func (f *fileFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.path, "config", "c", defaultConfig, "`FILE` to write back")
	f.given = func() bool { return cmd.Flags().Changed("config") }
}

// check refuses the default path if nvad reads another file. It only compares the file
// that the daemon names.
func (f *fileFlag) check(named string) error {
	if f.given() || named == f.path {
		return nil
	}
	own, err := os.Lstat(f.path)
	if other, e := os.Lstat(named); err == nil && e == nil && os.SameFile(own, other) {
		return nil
	}
	return fmt.Errorf("nvad reads %q and not %s: name the file to write with --config", named, f.path)
}

func (a *app) configRestoreCommand() *cobra.Command {
	file := &fileFlag{}
	cmd := &cobra.Command{
		Use:         "restore",
		Annotations: changing,
		Short:       "Write the running configuration to the configuration file",
		Long: `Write the running configuration to the configuration file, word for word, with
its comments. Use it after a rollback, if the file still contains the change
that was rolled back. The present content of the file is kept as FILE.old; mode
and owner stay as they are.

If nvad reads another file than /etc/nvad/nvad.toml, name it with --config.
nvactl refuses symbolic links, and directories that others can write to.`,
		Example: "  sudo nvactl config restore",
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			if a.remote.address != "" {
				return errors.New("the file is on the other machine: run nvactl config restore there")
			}
			written, err := restoreFrom(ctx, c, file)
			if err != nil {
				return err
			}
			line(a.Out, restored(file.path, written))
			return nil
		}),
	}
	file.register(cmd)
	return cmd
}

func restored(path string, written bool) string {
	if !written {
		return path + " already contains the running configuration."
	}
	return fmt.Sprintf("%s contains the running configuration again; its old content is in %[1]s.old.", path)
}

// writeBack writes the file after a rollback. It is no failure if the file can't be
// written: the rollback is done, and a message tells what is left to do.
func (a *app) writeBack(ctx context.Context, c *client, file *fileFlag) {
	if a.remote.address != "" {
		line(a.Err, "The file may still contain the change that was rolled back. To write it back, run on that machine: sudo nvactl config restore")
		return
	}
	written, err := restoreFrom(ctx, c, file)
	switch {
	case err != nil:
		line(a.Err, fmt.Sprintf("%s still contains the change that was rolled back (%s). To write it back, run: sudo nvactl config restore", file.path, cause(err)))
	case !a.json():
		line(a.Out, restored(file.path, written))
	}
}

// cause returns err without the path that it names.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// restoreFrom writes the running configuration to the caller's file, and reports whether
// there was anything to do. It refuses a text that is no valid configuration.
func restoreFrom(ctx context.Context, c *client, file *fileFlag) (bool, error) {
	f, err := c.control.FetchConfig(ctx, &nvadv1.FetchConfigRequest{})
	if err != nil {
		return false, err
	}
	if err := file.check(f.GetPath()); err != nil {
		return false, err
	}
	if _, err := config.Parse("text of the daemon", f.GetText()); err != nil {
		return false, fmt.Errorf("nvad sent a text that is no valid configuration, nothing was written: %w", err)
	}
	path, err := filepath.Abs(file.path)
	if err != nil {
		return false, err
	}
	return restore(path, f.GetText())
}
