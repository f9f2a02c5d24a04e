package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
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

// largeEffect lets an answer through that lists every route of an effect; nvad lists
// 50,000 at most.
var largeEffect = grpc.MaxCallRecvMsgSize(64 << 20)

// printEffect prints what a reload does to the routes: what loses much first, and
// groups once that are alike for several neighbors. It says that there is nothing if
// the configuration changes.
func (a *app) printEffect(e *nvadv1.Effect, changes bool) error {
	if e == nil || !changes && len(e.GetGroups()) == 0 {
		return nil
	}
	if e.GetUnknown() != "" {
		return a.paragraph("What becomes of the routes is not known: " + e.GetUnknown())
	}
	err := line(a.Out, "")
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
			err = errors.Join(err, a.printGroup(groups[i], who))
		}
	}
	if len(groups) == 0 {
		err = errors.Join(err, a.paragraph("The routes stay as they are."))
	}
	if e.GetPartial() {
		err = errors.Join(err, a.paragraph("There are more differences than nvad counts."))
	}
	if list := e.GetResets(); len(list) > 0 {
		err = errors.Join(err, a.paragraph(fmt.Sprintf(
			"Sessions are reset: %s. Their routes go until the sessions are back, which is not counted here.", strings.Join(list, ", "))))
	}
	return err
}

// subjects returns for each group whom it is about: for the first of several that differ
// in their neighbor alone all neighbors, and "" for the others.
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

func (a *app) printGroup(g *nvadv1.EffectGroup, who string) error {
	head := who + ": " + effectCounts(g)
	if g.GetHeavy() {
		head = "Warning: " + head
	}
	routes := g.GetRoutes()
	if len(routes) == 1 && g.GetAdded()+g.GetRemoved()+g.GetChanged() == 1 {
		r := routes[0]
		head += ": " + r.GetPrefix()
		if r.GetReason() != "" {
			head += " (" + r.GetReason() + ")"
		}
		return a.paragraph(head)
	}
	if err := a.paragraph(head); err != nil {
		return err
	}
	widest := 0
	for _, r := range routes {
		widest = max(widest, length(r.GetPrefix()))
	}
	for _, r := range routes {
		sign := map[string]string{"added": "+", "removed": "-", "changed": "~"}[r.GetDifference()]
		text := printable(fmt.Sprintf("  %s %s  %s", sign, pad(r.GetPrefix(), widest), r.GetReason()))
		if err := line(a.Out, strings.TrimRight(elide(text, a.Width), " ")); err != nil {
			return err
		}
	}
	if left := int(g.GetAdded()+g.GetRemoved()+g.GetChanged()) - len(routes); left > 0 {
		return line(a.Out, fmt.Sprintf("  and %d more (--output json lists all)", left))
	}
	return nil
}

// effectCounts is "2 routes fewer sent of 20, 1 route changed".
func effectCounts(g *nvadv1.EffectGroup) string {
	verb := map[string]string{"accepted": " accepted", "advertised": " sent", "installed": " installed"}[g.GetStage()]
	var out []string
	if n := int(g.GetRemoved()); n > 0 {
		text := count(n, "route") + " fewer" + verb
		switch {
		case g.GetHeavy() && g.GetRemoved() == g.GetBefore():
			text += ", all there were"
		case g.GetHeavy():
			text += fmt.Sprintf(", of %d", g.GetBefore())
		}
		out = append(out, text)
	}
	if n := int(g.GetAdded()); n > 0 {
		out = append(out, count(n, "route")+" more"+verb)
	}
	if n := int(g.GetChanged()); n > 0 {
		out = append(out, count(n, "route")+" changed")
	}
	return strings.Join(out, ", ")
}

// paragraph prints a text in as many lines as it takes.
func (a *app) paragraph(s string) error {
	for i, l := range wrap(printable(s), a.Width-2) {
		if i > 0 {
			l = "  " + l
		}
		if err := line(a.Out, l); err != nil {
			return err
		}
	}
	return nil
}
