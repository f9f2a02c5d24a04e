package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) reloadCommand() *cobra.Command {
	var dry bool
	var confirm time.Duration
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Apply the configuration file",
		Long: `Read the configuration file again and apply it. Sessions whose settings did not
change stay up. If the file has errors, all of them are shown and the running
configuration stays in force.

The warnings about the file come first, beginning with those that the running
configuration does not have. Then come the changes and their effect.

With --dry-run nothing is applied. Each change is listed with its impact: "live"
disturbs nothing; "soft refresh" evaluates the policies again on the routes of a
neighbor; "session reset" closes a session, which opens again at once; "device
recreated" interrupts a tunnel; "restart" needs a restart of nvad, and a reload
is refused. The new policies are evaluated on the current routes to show the
effect: how many more or fewer routes would be accepted, preferred, sent and
installed, and the first ten of each. "Warning" marks a neighbor, or the kernel,
that would lose more than a tenth of its routes. "--output json" lists all
routes.

With --confirm TIME the change is undone after that time unless you run "nvactl
confirm" before. This works even if nvad is killed or restarted meanwhile.`,
		Example: `  nvactl reload --dry-run
  nvactl reload
  nvactl reload --confirm 60s`,
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only show what would change")
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
		// If the file is not valid, Reload says so too, and nvad records the attempt.
		if r, err := c.read.PreviewReload(ctx, &nvadv1.PreviewReloadRequest{}); err == nil {
			a.printCautions(r)
		}
	}
	r, err := c.control.Reload(ctx, &nvadv1.ReloadRequest{ConfirmSeconds: uint32(confirm / time.Second), All: a.json()})
	if err != nil {
		return faultsOf(err)
	}
	return answer(a, r, nil, func(r *nvadv1.ReloadResponse) {
		a.printChanges(r.GetChanges(), "Nothing changed.")
		a.printEffect(r.GetEffect(), len(r.GetChanges()) > 0)
		if r.GetDeadline() != nil {
			line(a.Out, fmt.Sprintf("Version %d runs again in %s unless confirmed: nvactl confirm", r.GetFallback(), a.until(r.GetDeadline())))
		}
	})
}

func (a *app) previewReload(ctx context.Context, c *client) error {
	r, err := c.read.PreviewReload(ctx, &nvadv1.PreviewReloadRequest{Effect: true, All: a.json()})
	if err != nil {
		return faultsOf(err)
	}
	err = answer(a, r, nil, func(r *nvadv1.PreviewReloadResponse) {
		a.printCautions(r)
		a.printChanges(r.GetChanges(), "Nothing would change.")
		a.printEffect(r.GetEffect(), len(r.GetChanges()) > 0)
	})
	if err == nil && r.GetRefused() != "" {
		err = errors.New(r.GetRefused())
	}
	return err
}

// printCautions prints the warnings about the file, first those that the running
// configuration does not have.
func (a *app) printCautions(r *nvadv1.PreviewReloadResponse) {
	list := r.GetWarnings()
	fresh := min(int(r.GetNewWarnings()), len(list))
	for _, part := range []struct {
		title string
		list  []*nvadv1.Warning
	}{{"New warnings", list[:fresh]}, {"Warnings", list[fresh:]}} {
		if len(part.list) > 0 {
			a.printWarnings(part.title, part.list)
			line(a.Out, "")
		}
	}
}

// faultsOf marks the errors of a configuration file, to tell them from errors of the
// call.
func faultsOf(err error) error {
	if status.Code(err) == codes.InvalidArgument {
		return faults{errors.New(status.Convert(err).Message())}
	}
	return err
}

// printChanges prints a table of changes, or none if there are none.
func (a *app) printChanges(changes []*nvadv1.Change, none string) {
	if len(changes) == 0 {
		line(a.Out, none)
		return
	}
	t := a.newTable(column{head: "Impact"}, column{head: "Change", fit: wrapped})
	for _, c := range folded(changes) {
		t.row(c.GetImpact(), c.GetWhat())
	}
	t.end()
}

// folded joins changes that are the same for several neighbors.
func folded(changes []*nvadv1.Change) (out []*nvadv1.Change) {
	at := map[[2]string]int{} // index in out, by impact and text
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

// printEffect prints the effect of a reload on the routes, heavy losses first. Groups
// that are the same for several neighbors are printed once. If the reload changes
// something, printEffect also tells that it has no effect on the routes.
func (a *app) printEffect(e *nvadv1.Effect, changes bool) {
	if e == nil || !changes && len(e.GetGroups()) == 0 {
		return
	}
	if e.GetUnknown() != "" {
		a.paragraph("The effect on the routes is not known: " + e.GetUnknown())
		return
	}
	line(a.Out, "")
	groups := slices.Clone(e.GetGroups())
	slices.SortStableFunc(groups, func(x, y *nvadv1.EffectGroup) int {
		switch {
		case x.GetHeavy() == y.GetHeavy():
			return 0
		case x.GetHeavy():
			return -1
		}
		return 1
	})
	for i, who := range subjects(groups) {
		if who != "" {
			a.printGroup(groups[i], who)
		}
	}
	if len(groups) == 0 {
		a.paragraph("The routes stay as they are.")
	}
	if e.GetPartial() {
		a.paragraph("There are more differences than nvad counts.")
	}
	if list := e.GetResets(); len(list) > 0 {
		a.paragraph(fmt.Sprintf("Sessions are reset: %s. Their routes are gone until the sessions are up again; this is not counted above.", strings.Join(list, ", ")))
	}
}

// subjects returns the subject of each group. Of several groups that differ in the
// neighbor only, the first gets all neighbors and the others "".
func subjects(groups []*nvadv1.EffectGroup) []string {
	out := make([]string, len(groups))
	first := map[string]int{}
	for i, g := range groups {
		text := fmt.Sprint(g.GetStage(), g.GetBefore(), effectCounts(g), g.GetRoutes())
		j, twice := first[text]
		switch {
		case g.GetStage() == "installed":
			out[i] = "kernel"
		case g.GetNeighbor() == "":
			out[i] = "best paths"
		case twice:
			out[j] += ", " + g.GetNeighbor()
		default:
			first[text], out[i] = i, g.GetNeighbor()
		}
	}
	return out
}

func (a *app) printGroup(g *nvadv1.EffectGroup, who string) {
	head := when(g.GetHeavy(), "Warning: ") + who + ": " + effectCounts(g)
	routes := g.GetRoutes()
	if len(routes) == 1 && g.GetAdded()+g.GetRemoved()+g.GetChanged() == 1 {
		r := routes[0]
		a.paragraph(head + ": " + r.GetPrefix() + when(r.GetReason() != "", " ("+r.GetReason()+")"))
		return
	}
	a.paragraph(head)
	widest := 0
	for _, r := range routes {
		widest = max(widest, length(r.GetPrefix()))
	}
	for _, r := range routes {
		sign := map[string]string{"added": "+", "removed": "-", "changed": "~"}[r.GetDifference()]
		line(a.Out, elide(printable(fmt.Sprintf("  %s %s  %s", sign, pad(r.GetPrefix(), widest), r.GetReason())), a.Width))
	}
	if left := int(g.GetAdded()+g.GetRemoved()+g.GetChanged()) - len(routes); left > 0 {
		line(a.Out, fmt.Sprintf("  and %d more (--output json lists all)", left))
	}
}

// effectCounts returns "2 routes fewer sent, of 20, 1 route changed".
func effectCounts(g *nvadv1.EffectGroup) string {
	verb := map[string]string{"accepted": " accepted", "advertised": " sent", "installed": " installed"}[g.GetStage()]
	of := ""
	switch {
	case g.GetHeavy() && g.GetRemoved() == g.GetBefore():
		of = ", all there were"
	case g.GetHeavy():
		of = fmt.Sprintf(", of %d", g.GetBefore())
	}
	return joined(", ", when(g.GetRemoved() > 0, count(g.GetRemoved(), "route")+" fewer"+verb+of),
		when(g.GetAdded() > 0, count(g.GetAdded(), "route")+" more"+verb), when(g.GetChanged() > 0, count(g.GetChanged(), "route")+" changed"))
}
