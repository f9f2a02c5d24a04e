package ctl

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/support"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) techSupportCommand() *cobra.Command {
	file := ""
	cmd := &cobra.Command{
		Use:   "tech-support",
		Short: "Gather everything that support needs in one archive",
		Long: `Write a .tar.gz with versions, configuration, the state of sessions, routes,
tunnels and kernel, recent changes, journal and memory profile. It contains no
passwords. Parts that are missing on this machine, or that you may not read, are
noted in CONTENTS.txt; run it as root to get everything. It also works if nvad
is not running.`,
		Example: `  nvactl tech-support
  nvactl tech-support --output hub00.tar.gz`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return failed(a.techSupport(cmd.Context(), file))
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write to `FILE` (default nvad-support-HOST-TIME.tar.gz)")
	return cmd
}

func (a *app) techSupport(ctx context.Context, file string) error {
	if a.remote.address != "" {
		return errors.New("half of the archive is about this machine: run tech-support where nvad runs")
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	name := "nvad-support-" + host + "-" + a.Now().UTC().Format("20060102T150405Z")
	file = cmp.Or(file, name+".tar.gz")
	out, err := privateFile(file)
	if err != nil {
		return err
	}
	defer out.Cleanup()
	results, err := support.Write(ctx, out, name, a.Now(), slices.Concat(a.exhibits(ctx), []support.Exhibit{a.whoseKernel()}, support.System()))
	if err := errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	if err := out.CloseAtomicallyReplace(); err != nil {
		return err
	}
	for _, r := range results {
		line(a.Out, r.String())
	}
	line(a.Out, "\n"+file)
	return nil
}

// privateFile returns a file that replaces the one of that name when it is complete, and
// that only its owner may read.
func privateFile(name string) (*renameio.PendingFile, error) {
	return renameio.NewPendingFile(name, renameio.WithTempDir(filepath.Dir(name)), renameio.WithPermissions(0o600))
}

// exhibits returns the exhibits about nvad: outputs of nvactl, and data of the daemon.
func (a *app) exhibits(ctx context.Context) []support.Exhibit {
	list := []support.Exhibit{
		a.shown("version", "version"), a.shown("status", "status"), a.shown("neighbors", "neighbors"),
		a.object("status", "status"), a.object("neighbors", "neighbors"), a.object("tunnels", "tunnels"),
		a.shown("tunnels", "tunnels"), a.shown("topology", "topology"), a.shown("nat", "nat"), a.shown("config", "config", "show"),
		a.shown("routes", "routes"), a.shown("fib", "routes", "fib"), a.shown("fib-failed", "routes", "fib", "--failed"),
		{Name: "nvad/events.json", Collect: a.recentEvents},
		{Name: "nvad/heap.pprof", Collect: a.profile("heap")},
		{Name: "nvad/goroutines.pprof", Collect: a.profile("goroutine")},
	}
	addrs := a.addresses(ctx)
	if len(addrs) > mostNeighbors {
		list = append(list, support.Exhibit{Name: "nvad/neighbors-left-out.txt", Collect: func(context.Context, io.Writer) error {
			return fmt.Errorf("%d of %d neighbors have no files of their own", len(addrs)-mostNeighbors, len(addrs))
		}})
		addrs = addrs[:mostNeighbors]
	}
	for _, addr := range addrs {
		list = append(list, a.shown("neighbor-"+addr, "neighbors", addr), a.shown("rejected-"+addr, "routes", "rejected", addr),
			a.shown("advertised-"+addr, "routes", "advertised", addr))
	}
	return list
}

// mostNeighbors bounds how many neighbors have files of their own in the archive, as
// each file may be as large as an exhibit can be.
const mostNeighbors = 50

// archived turns a name into a file name for the archive, which must not lead out of
// the directory where somebody unpacks it. The zone of an IPv6 address may be any text.
func archived(name string) string {
	return strings.ReplaceAll(strings.Map(func(r rune) rune {
		if special(r) || r == ':' || r == '%' {
			return '-'
		}
		return r
	}, name), "..", "-")
}

// shown collects the output of a command of nvactl.
func (a *app) shown(name string, args ...string) support.Exhibit {
	return support.Exhibit{Name: "nvad/" + archived(name) + ".txt", Collect: func(ctx context.Context, w io.Writer) error {
		var errs bytes.Buffer
		env := a.Env
		env.Out, env.Err, env.Width = w, &errs, defaultWidth
		if Run(ctx, env, append(args, "--socket", a.path())) != 0 {
			return errors.New(errs.String())
		}
		return nil
	}}
}

// object collects the same as JSON.
func (a *app) object(name string, args ...string) support.Exhibit {
	e := a.shown(name, append(args, "-o", "json")...)
	e.Name = strings.TrimSuffix(e.Name, ".txt") + ".json"
	return e
}

// addresses returns those of the neighbors, none without a daemon. It drops any other
// text, which nvactl would take for an argument.
func (a *app) addresses(ctx context.Context) []string {
	var out []string
	_ = a.ask(ctx, func(c *client) error {
		r, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
		for _, n := range r.GetNeighbors() {
			if addr, err := netip.ParseAddr(n.GetAddress()); err == nil {
				out = append(out, addr.String())
			}
		}
		return err
	})
	return out
}

func (a *app) recentEvents(ctx context.Context, w io.Writer) error {
	return a.ask(ctx, func(c *client) error {
		stream, err := c.read.Watch(ctx, &nvadv1.WatchRequest{Recent: true})
		return receive(stream, err, func(r *nvadv1.WatchResponse) error {
			for _, ev := range r.GetEvents() {
				line(w, string(appendJSON(nil, ev.ProtoReflect())))
			}
			return nil
		})
	})
}

func (a *app) profile(name string) func(context.Context, io.Writer) error {
	return func(ctx context.Context, w io.Writer) error {
		return a.ask(ctx, func(c *client) error {
			return c.profile(ctx, w, &nvadv1.GetProfileRequest{Name: name})
		})
	}
}

// whoseKernel tells whose kernel the archive shows. Routes and links are those of the
// network namespace in which nvactl runs. If the daemon behind the socket runs in
// another, they look as if it did nothing.
func (a *app) whoseKernel() support.Exhibit {
	return support.Exhibit{Name: "kernel/namespace.txt", Collect: func(ctx context.Context, w io.Writer) error {
		own, err := os.Readlink("/proc/self/ns/net")
		if err != nil {
			return err
		}
		line(w, "kernel/ is of the network namespace "+own+", in which nvactl ran")
		return a.sameNamespace(ctx)
	}}
}

// sameNamespace fails if the daemon runs in another network namespace, or if it can't
// find out. Without a daemon there is nothing to compare.
func (a *app) sameNamespace(ctx context.Context) error {
	conn, err := dialSocket(ctx, a.path())
	if err != nil {
		return nil
	}
	server, err := api.PeerOf(conn)
	if err = errors.Join(err, conn.Close()); err != nil {
		return err
	}
	// The link ns/net would do, but only root may read that of another user's process.
	own, err := os.Stat("/proc/self/net/dev")
	if err != nil {
		return err
	}
	its, err := os.Stat(fmt.Sprintf("/proc/%d/net/dev", server.Pid))
	if err != nil {
		return fmt.Errorf("can't tell whether nvad (pid %d) runs in this network namespace: %w", server.Pid, err)
	}
	if !os.SameFile(own, its) {
		return fmt.Errorf("the files in kernel/ are not nvad's: it (pid %d) runs in another network namespace; to get those, run: sudo nsenter -n -t %[1]d nvactl --socket %s tech-support",
			server.Pid, a.path())
	}
	return nil
}

// longestProfile bounds --duration.
const longestProfile = 5 * time.Minute

func (a *app) profileCommand() *cobra.Command {
	file, duration := "", 10*time.Second
	cmd := &cobra.Command{
		Use:   "profile NAME",
		Short: "Measure where the daemon's processor time or memory goes",
		Long: `Write a profile of the running daemon for go tool pprof: cpu, heap, goroutine
(the stacks of all goroutines) or allocs. Or write a trace for go tool trace,
which shows when each goroutine ran and what it waited for. A profile contains
no route, address or password. Measuring the CPU takes about 1% of one CPU.`,
		Example: `  nvactl profile cpu --duration 5s
  nvactl profile heap --output heap.pprof`,
		ValidArgs: []cobra.Completion{"cpu", "heap", "goroutine", "allocs", "trace"},
	}
	cmd.RunE = a.run(func(ctx context.Context, c *client, args []string) error {
		if duration < time.Second || duration > longestProfile {
			return fmt.Errorf("--duration %s: want 1s to %s", duration, longestProfile)
		}
		name := cmp.Or(file, args[0]+".pprof")
		out, err := privateFile(name)
		if err != nil {
			return err
		}
		defer out.Cleanup()
		// Rounded up to whole seconds.
		seconds := uint32((duration + time.Second - 1) / time.Second)
		if err := c.profile(ctx, out, &nvadv1.GetProfileRequest{Name: args[0], Seconds: seconds}); err != nil {
			return err
		}
		if err := out.CloseAtomicallyReplace(); err != nil {
			return err
		}
		line(a.Out, name)
		return nil
	})
	cmd.Flags().StringVarP(&file, "output", "o", "", "write to `FILE` (default NAME.pprof)")
	cmd.Flags().DurationVar(&duration, "duration", duration, "`TIME` to measure cpu or trace, up to 5m")
	return cmd
}

// largestProfile bounds a profile, in bytes, so that a daemon that never stops sending
// can't fill the disk. Real profiles are many times smaller.
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
