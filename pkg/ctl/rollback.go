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
		GroupID: groupChange,
		Short:   "Keep a pending change",
		Long:    "Keep a change that \"nvactl reload --confirm\" applied and would otherwise undo.",
		Example: "  nvactl confirm",
		Args:    between(0, 0),
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			r, err := c.control.Confirm(ctx, &nvadv1.ConfirmRequest{})
			return a.done(r, err, "version %d stays", r.GetVersion())
		}),
	}
}

func (a *app) rollbackCommand() *cobra.Command {
	file := &fileFlag{}
	cmd := &cobra.Command{
		Use:     "rollback [VERSION]",
		GroupID: groupChange,
		Short:   "Go back to an earlier configuration",
		Long: `Apply an earlier configuration: the version given, else the one that a change
which waits for confirmation would fall back to, else the one before the one
that runs. Sessions that are the same in both are left alone.

The configuration file, that of --config, is then written back if nvactl may
write it; what it held before is kept beside it as FILE.old. If it may not, what
runs stays in force, also over a restart, until the file changes or is reloaded.`,
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
			if err := a.printRollback(r); err != nil {
				return err
			}
			return a.writeBack(ctx, c, file)
		}),
	}
	file.register(cmd)
	return cmd
}

func (a *app) printRollback(r *nvadv1.RollbackResponse) error {
	if a.json() {
		return writeJSON(a.Out, r)
	}
	if err := a.printChanges(r.GetChanges(), "Nothing changed."); err != nil {
		return err
	}
	return line(a.Out, fmt.Sprintf("Version %d runs again, as version %d.", r.GetTo(), r.GetVersion()))
}

// versionArg checks an optional number of a version.
func versionArg(cmd *cobra.Command, args []string) error {
	if err := between(0, 1)(cmd, args); err != nil || len(args) == 0 {
		return err
	}
	if mustVersion(args[0]) == 0 {
		return fmt.Errorf("%q is not a version (nvactl config history lists them)", args[0])
	}
	return nil
}

// mustVersion is the number of a version, 0 for what is none.
func mustVersion(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// fileFlag is --config of the commands that write the configuration file. As a
// rule they run as root, and the daemon does not: which file they write is the
// caller's to say, never the daemon's.
type fileFlag struct {
	path  string
	given func() bool
}

func (f *fileFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.path, "config", "c", defaultConfig, "`FILE` to write back")
	f.given = func() bool { return cmd.Flags().Changed("config") }
}

// check refuses the default where nvad reads another file. Nothing is done to the
// file that the daemon names but to compare it.
func (f *fileFlag) check(named string) error {
	if f.given() || named == f.path {
		return nil
	}
	own, err := os.Lstat(f.path)
	if other, e := os.Lstat(named); err == nil && e == nil && os.SameFile(own, other) {
		return nil
	}
	return fmt.Errorf("nvad says that its file is %q, and not %s: name the file with --config", named, f.path)
}

func (a *app) configRestoreCommand() *cobra.Command {
	file := &fileFlag{}
	cmd := &cobra.Command{
		Use:         "restore",
		Annotations: changing,
		Short:       "Write what runs back to the configuration file",
		Long: `Write the running configuration back to the configuration file, as it was
written, with its comments. It is for the time after a rollback, when the file
still holds what was rolled back. What the file holds now is kept beside it as
FILE.old; mode and owner stay.

If nvad reads another file than /etc/nvad/nvad.toml, name it with --config. A
symbolic link, or a directory that others can write to, is refused.`,
		Example: "  sudo nvactl config restore",
		Args:    between(0, 0),
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			if a.remote.address != "" {
				return errors.New("the file is on the machine of nvad: run nvactl config restore there")
			}
			written, err := restoreFrom(ctx, c, file)
			if err != nil {
				return err
			}
			return line(a.Out, restored(file.path, written))
		}),
	}
	file.register(cmd)
	return cmd
}

func restored(path string, written bool) string {
	if !written {
		return path + " is what runs."
	}
	return fmt.Sprintf("%s is written back; %[1]s.old is what it was.", path)
}

// writeBack has the file follow a rollback. That the file can't be written is no
// failure: the rollback is done, and what is left to do is told.
func (a *app) writeBack(ctx context.Context, c *client, file *fileFlag) error {
	if a.remote.address != "" {
		return line(a.Err, "The file may still hold what was rolled back. Write it back, on the machine of nvad, with: sudo nvactl config restore")
	}
	written, err := restoreFrom(ctx, c, file)
	if err != nil {
		return line(a.Err, printable(fmt.Sprintf("%s still holds what was rolled back (%s). Write it back with: sudo nvactl config restore",
			file.path, cause(err))))
	}
	if a.json() {
		return nil
	}
	return line(a.Out, restored(file.path, written))
}

// cause is err without the path that it names.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// restoreFrom writes the text that runs to the caller's file, and reports whether
// there was anything to do. A text that nvad would not take is not written.
func restoreFrom(ctx context.Context, c *client, file *fileFlag) (bool, error) {
	f, err := c.control.FetchConfig(ctx, &nvadv1.FetchConfigRequest{})
	if err != nil {
		return false, err
	}
	if err := file.check(f.GetPath()); err != nil {
		return false, err
	}
	if _, err := config.Parse("text of the daemon", f.GetText()); err != nil {
		return false, fmt.Errorf("what nvad sent is not a configuration, nothing was written: %w", err)
	}
	path, err := filepath.Abs(file.path)
	if err != nil {
		return false, err
	}
	return restore(path, f.GetText())
}
