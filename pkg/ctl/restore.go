package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) configRestoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore",
		Short: "Write what runs back to the configuration file",
		Long: `Write the running configuration back to the daemon's configuration file, as it
was written, with its comments. It is for the time after a rollback, when the
file still holds what was rolled back. What the file holds now is kept beside it
as FILE.old; mode and owner stay.`,
		Example: "  sudo nvactl config restore",
		Args:    between(0, 0),
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			if a.remote.address != "" {
				return errors.New("the file is on the machine of nvad: run nvactl config restore there")
			}
			f, err := c.control.FetchConfig(ctx, &nvadv1.FetchConfigRequest{})
			if err != nil {
				return err
			}
			written, err := restore(f.GetPath(), f.GetText())
			if err != nil {
				return err
			}
			return line(a.Out, restored(f.GetPath(), written))
		}),
	}
}

func restored(path string, written bool) string {
	if !written {
		return path + " is what runs."
	}
	return fmt.Sprintf("%s is written back; %[1]s.old is what it was.", path)
}

// writeBack has the file follow a rollback. That the file can't be written is no
// failure: the rollback is done, and what is left to do is told.
func (a *app) writeBack(ctx context.Context, c *client) error {
	if a.remote.address != "" {
		return line(a.Err, "The file may still hold what was rolled back. Write it back, on the machine of nvad, with: sudo nvactl config restore")
	}
	f, err := c.control.FetchConfig(ctx, &nvadv1.FetchConfigRequest{})
	if err != nil {
		return err
	}
	written, err := restore(f.GetPath(), f.GetText())
	if err != nil {
		return line(a.Err, fmt.Sprintf("%s still holds what was rolled back (%s). Write it back with: sudo nvactl config restore",
			f.GetPath(), cause(err)))
	}
	if a.json() {
		return nil
	}
	return line(a.Out, restored(f.GetPath(), written))
}

// cause is err without the path that it names.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// restore writes text to the file at path, and what the file held to path.old,
// both with the file's mode and owner. It reports whether there was anything to
// do.
func restore(path string, text []byte) (bool, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false, err
	}
	before, err := os.ReadFile(path)
	if err != nil || bytes.Equal(before, text) {
		return false, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	if err := replace(path+".old", before, info); err != nil {
		return false, err
	}
	return true, replace(path, text, info)
}

// replace writes a file at once, with the mode and owner of another one.
func replace(path string, text []byte, like fs.FileInfo) error {
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(like.Mode().Perm()))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if owner, ok := like.Sys().(*syscall.Stat_t); ok {
		if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}
