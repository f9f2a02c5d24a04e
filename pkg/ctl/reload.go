package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) reloadCommand() *cobra.Command {
	var dry bool
	var confirm time.Duration
	cmd := &cobra.Command{
		Use:     "reload",
		GroupID: groupChange,
		Short:   "Apply the configuration file",
		Long: `Read the configuration file again and apply it. Sessions that did not change are
left alone. If the file has errors they are all shown, and the running
configuration stays.

The warnings of the file come first, those ahead that the running configuration
does not have.

With --dry-run nothing is applied: each change is told with what it would cost.
"live" disturbs nothing; "soft refresh" runs policies again over the routes of
a neighbor; "session reset" ends a session, which comes back at once; "device
recreated" interrupts a tunnel; "restart" needs one, and a reload is refused.
The new policies are tried on the routes that there are, and what would become
of them is shown: how many more or fewer are accepted, preferred, sent and
installed, and the first ten of each. A warning precedes a neighbor, or the
kernel, that would lose more than a tenth of its routes. "--output json" lists
all.

A reload shows the same of what it did.

With --confirm the change is undone by itself after that time, also by a daemon
that was killed or restarted meanwhile, unless "nvactl confirm" comes first.`,
		Example: `  nvactl reload --dry-run
  nvactl reload
  nvactl reload --confirm 60s`,
		Args: between(0, 0),
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only tell what would change")
	cmd.Flags().DurationVar(&confirm, "confirm", 0, "undo the change after this `TIME` unless confirmed: 60s, 5m")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "confirm")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("confirm") && (confirm < leastConfirm || confirm > mostConfirm) {
			return fmt.Errorf("--confirm: want %s to %s, got %s", leastConfirm, mostConfirm, confirm)
		}
		return nil
	}
	cmd.RunE = a.run(func(ctx context.Context, c *client, _ []string) error {
		if dry {
			return a.previewReload(ctx, c)
		}
		return a.reload(ctx, c, confirm)
	})
	return cmd
}

// Bounds of --confirm.
const (
	leastConfirm = time.Second
	mostConfirm  = 24 * time.Hour
)

func (a *app) reload(ctx context.Context, c *client, confirm time.Duration) error {
	if !a.json() {
		if err := a.warnAhead(ctx, c); err != nil {
			return err
		}
	}
	r, err := c.control.Reload(ctx, &nvadv1.ReloadRequest{ConfirmSeconds: uint32(confirm / time.Second), All: a.json()}, largeEffect)
	if err != nil {
		return faultsOf(err)
	}
	if a.json() {
		return writeJSON(a.Out, r)
	}
	if err := a.printChanges(r.GetChanges(), "Nothing changed."); err != nil {
		return err
	}
	if err := a.printEffect(r.GetEffect(), len(r.GetChanges()) > 0); err != nil || r.GetDeadline() == nil {
		return err
	}
	return line(a.Out, fmt.Sprintf("Version %d runs again in %s unless confirmed: nvactl confirm",
		r.GetFallback(), a.until(r.GetDeadline())))
}

// until is the time from now to a moment to come, in whole seconds.
func (a *app) until(t *timestamppb.Timestamp) time.Duration {
	return max(t.AsTime().Sub(a.Now()).Round(time.Second), 0)
}

func (a *app) previewReload(ctx context.Context, c *client) error {
	r, err := c.read.PreviewReload(ctx, &nvadv1.PreviewReloadRequest{Effect: true, All: a.json()}, largeEffect)
	if err != nil {
		return faultsOf(err)
	}
	if a.json() {
		err = writeJSON(a.Out, r)
	} else {
		err = errors.Join(a.printCautions(r), a.printChanges(r.GetChanges(), "Nothing would change."),
			a.printEffect(r.GetEffect(), len(r.GetChanges()) > 0))
	}
	if err == nil && r.GetRefused() != "" {
		err = errors.New(r.GetRefused())
	}
	return err
}

// warnAhead prints the warnings of the file before it is applied.
func (a *app) warnAhead(ctx context.Context, c *client) error {
	r, err := c.read.PreviewReload(ctx, &nvadv1.PreviewReloadRequest{})
	if err != nil {
		return faultsOf(err)
	}
	return a.printCautions(r)
}

// printCautions prints what nvad check says of the file, apart what the running
// configuration does not say as well.
func (a *app) printCautions(r *nvadv1.PreviewReloadResponse) error {
	list := r.GetWarnings()
	fresh := min(int(r.GetNewWarnings()), len(list))
	for _, part := range []struct {
		title string
		list  []*nvadv1.Warning
	}{{"New warnings", list[:fresh]}, {"Warnings", list[fresh:]}} {
		if len(part.list) == 0 {
			continue
		}
		if err := errors.Join(a.printWarnings(part.title, part.list), line(a.Out, "")); err != nil {
			return err
		}
	}
	return nil
}

// faultsOf sets the errors of a file apart from those of the call.
func faultsOf(err error) error {
	if status.Code(err) == codes.InvalidArgument {
		return faults{errors.New(status.Convert(err).Message())}
	}
	return err
}

// printChanges prints a table of changes, or none if there are none.
func (a *app) printChanges(changes []*nvadv1.Change, none string) error {
	if len(changes) == 0 {
		return line(a.Out, none)
	}
	t := newTable(a.Out, a.Width, column{head: "Impact"}, column{head: "Change", fit: wrapped})
	for _, c := range folded(changes) {
		t.row(c.GetImpact(), c.GetWhat())
	}
	return t.end()
}

// folded makes one change of those that are alike for several neighbors.
func folded(changes []*nvadv1.Change) (out []*nvadv1.Change) {
	at := map[[2]string]int{} // in out, by impact and what changes
	for _, c := range changes {
		who, what, _ := strings.Cut(c.GetWhat(), ": ")
		addr, ok := strings.CutPrefix(who, "neighbor ")
		if !ok {
			out = append(out, c)
			continue
		}
		key := [2]string{c.GetImpact(), what}
		i, twice := at[key]
		if !twice {
			at[key] = len(out)
			out = append(out, c)
			continue
		}
		before := strings.TrimSuffix(out[i].GetWhat(), ": "+what)
		before = "neighbors " + strings.TrimPrefix(strings.TrimPrefix(before, "neighbors "), "neighbor ")
		out[i] = &nvadv1.Change{What: before + ", " + addr + ": " + what, Impact: c.GetImpact()}
	}
	return out
}
