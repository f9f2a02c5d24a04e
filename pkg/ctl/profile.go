package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// profiles are those that an operator would be asked for.
var profiles = []string{"cpu", "heap", "goroutine", "allocs"}

// longestProfile is what the daemon measures at most.
const longestProfile = 5 * time.Minute

func (a *app) profileCommand() *cobra.Command {
	file, duration := "", 10*time.Second
	cmd := &cobra.Command{
		Use:     "profile NAME",
		GroupID: groupShow,
		Short:   "Measure where the daemon's processor time or memory goes",
		Long: `Write a profile of the running daemon for go tool pprof: cpu, heap, goroutine
(what each of them does) or allocs. It holds no route, address or password.
Measuring the processor costs about a hundredth of one.`,
		Example: `  nvactl profile cpu --duration 5s
  nvactl profile heap --output heap.pprof`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(profiles, args[0]) {
				return errors.New("want one of " + strings.Join(profiles, ", "))
			}
			return nil
		},
		ValidArgs: profiles,
	}
	cmd.RunE = a.run(func(ctx context.Context, c *client, args []string) error {
		if duration < time.Second || duration > longestProfile {
			return fmt.Errorf("--duration %s: want 1s to %s", duration, longestProfile)
		}
		name := cmp.Or(file, args[0]+".pprof")
		out, err := renameio.NewPendingFile(name, renameio.WithPermissions(0o600))
		if err != nil {
			return err
		}
		defer out.Cleanup()
		// Rounded up: a part of a second is measured as a whole one.
		seconds := uint32((duration + time.Second - 1) / time.Second)
		if err := c.profile(ctx, out, &nvadv1.GetProfileRequest{Name: args[0], Seconds: seconds}); err != nil {
			return err
		}
		if err := out.CloseAtomicallyReplace(); err != nil {
			return err
		}
		return line(a.Out, name)
	})
	cmd.Flags().StringVarP(&file, "output", "o", "", "write to `FILE` (default NAME.pprof)")
	cmd.Flags().DurationVar(&duration, "duration", duration, "`TIME` for which cpu is measured, up to 5m")
	return cmd
}

// largestProfile is many times what any profile has, in bytes: a daemon that sends
// without end must not fill the disk.
const largestProfile = 256 << 20

// profile writes a profile of the daemon.
func (c *client) profile(ctx context.Context, w io.Writer, req *nvadv1.GetProfileRequest) error {
	stream, err := c.control.GetProfile(ctx, req)
	left := largestProfile
	return receive(stream, err, func(r *nvadv1.GetProfileResponse) error {
		if left -= len(r.GetData()); left < 0 {
			return fmt.Errorf("the profile is larger than %d MiB", largestProfile>>20)
		}
		_, err := w.Write(r.GetData())
		return err
	})
}
