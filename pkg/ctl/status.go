package ctl

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/telemetry"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		GroupID: groupShow,
		Short:   "Show the daemon at a glance",
		Long: `Show the daemon at a glance: first what is wrong, by name, then how many
sessions are up, how many routes they brought, how many of them are in the
kernel, and whether the daemon is in sync, which it is once every neighbor has
told what it knows or was given up.`,
		Example: `  nvactl status
  nvactl status -o json | jq -e .in_sync`,
		Args: between(0, 0),
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			s, err := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
			if err != nil {
				return err
			}
			if a.json() {
				return writeJSON(a.Out, s)
			}
			return a.printStatus(s)
		}),
	}
}

func (a *app) printStatus(s *nvadv1.Status) error {
	if err := a.printProblems(s.GetProblems()); err != nil {
		return err
	}
	p := newPage(a.Out, a.Width)
	p.heading("nvad %s, up %s", s.GetVersion(), a.age(s.GetSince()))
	p.field("AS", identity(s))
	p.field("In sync", inSync(s))
	if s.GetDrainingSince() != nil {
		p.field("Draining", fmt.Sprintf("for %s, by %s", a.age(s.GetDrainingSince()), s.GetDrainingReason()))
	}
	p.field("Neighbors", fmt.Sprintf("%d of %d established", s.GetEstablished(), s.GetNeighbors()))
	p.field("Routes", count(int(s.GetPrefixes()), "prefix")+", "+count(int(s.GetPaths()), "path"))
	fib := fmt.Sprintf("%d of %d routes installed", s.GetFibInstalled(), s.GetFibWanted())
	if s.GetFibInstalled() < s.GetFibWanted() {
		fib += " (nvactl routes fib says why)"
	}
	p.field("Kernel", fib)
	p.field("Memory", memoryText(s.GetMemory()))
	if s.GetTunnels() > 0 {
		p.field("Tunnels", tunnelsText(s))
	}
	for _, n := range s.GetNics() {
		p.field("NIC "+n.GetDevice(), nicText(n))
	}
	a.configFields(p, s.GetConfig())
	if err := p.print(); err != nil {
		return err
	}
	return a.printWarnings("\nWarnings", s.GetWarnings())
}

// maxProblems is how many problems are printed; --output json has all.
const maxProblems = 20

// printProblems tells what is wrong, before anything else.
func (a *app) printProblems(list []*nvadv1.Problem) error {
	if len(list) == 0 {
		return nil
	}
	lines := []string{"Problems"}
	for _, p := range list[:min(len(list), maxProblems)] {
		text := p.GetText()
		if p.GetSince() != nil {
			text += " (for " + a.age(p.GetSince()) + ")"
		}
		for i, l := range wrap(printable(text), a.Width-4) {
			lines = append(lines, [...]string{"  - ", "    "}[min(i, 1)]+l)
		}
	}
	if more := len(list) - maxProblems; more > 0 {
		lines = append(lines, fmt.Sprintf("  - and %d more (nvactl neighbors, nvactl tunnels)", more))
	}
	return line(a.Out, strings.Join(lines, "\n")+"\n")
}

// tunnelsText tells devices from who is at their far ends.
func tunnelsText(s *nvadv1.Status) string {
	text := fmt.Sprintf("%d of %d up", s.GetTunnelsUp(), s.GetTunnels())
	if s.GetTunnelPeers() > 0 {
		text += fmt.Sprintf(", %d of %s alive", s.GetTunnelPeersUp(), count(int(s.GetTunnelPeers()), "peer"))
	}
	return text
}

// memoryText says how much of the budget is in use, and how often a neighbor had to
// be closed for it.
func memoryText(m *nvadv1.Memory) string {
	if m.GetBudget() == 0 {
		return ""
	}
	s := fmt.Sprintf("%s in use, budget %s", octets(m.GetInUse()), octets(m.GetBudget()))
	if m.GetClosings() > 0 {
		s += ", exceeded " + count(int(m.GetClosings()), "time")
	}
	return s
}

// octets is a size as people read it.
func octets(n uint64) string {
	const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30
	switch {
	case n < kib:
		return fmt.Sprintf("%d B", n)
	case n < mib:
		return fmt.Sprintf("%d KiB", n/kib)
	case n < gib:
		return fmt.Sprintf("%.1f MiB", float64(n)/mib)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/gib)
}

// nicText says how a NIC answers health probes, or why it may not.
func nicText(n *nvadv1.Nic) string {
	switch n.GetState() {
	case "ready":
	case "failed":
		return "failed: " + n.GetReason()
	default:
		return n.GetReason()
	}
	return fmt.Sprintf("answers probes of %s through %s, table %d", strings.Join(n.GetAddresses(), ", "), n.GetGateway(), n.GetTable())
}

// printWarnings prints each warning with its place in the configuration, below a
// title.
func (a *app) printWarnings(title string, list []*nvadv1.Warning) error {
	for i, w := range list {
		if i == 0 {
			if err := line(a.Out, title); err != nil {
				return err
			}
		}
		place := w.GetKey()
		if w.GetLine() > 0 {
			place = fmt.Sprintf("%s:%d: %s", w.GetFile(), w.GetLine(), w.GetKey())
		}
		if err := line(a.Out, "  "+printable(place)); err != nil {
			return err
		}
		for _, l := range wrap(printable(w.GetText()), a.Width-4) {
			if err := line(a.Out, "    "+l); err != nil {
				return err
			}
		}
	}
	return nil
}

// configFields say which configuration runs, what it waits for, and whether it
// is the file's.
func (a *app) configFields(p *page, c *nvadv1.ConfigState) {
	if c.GetVersion() > 0 {
		p.field("Config", fmt.Sprintf("version %d, since %s", c.GetVersion(), a.age(c.GetSince())))
	}
	if c.GetDeadline() != nil {
		p.field("Unconfirmed", fmt.Sprintf("version %d runs again in %s (nvactl confirm keeps version %d)",
			c.GetFallback(), a.until(c.GetDeadline()), c.GetVersion()))
	}
	switch c.GetFileState() {
	case "differs":
		p.field("File", c.GetFile()+" differs from what runs (nvactl reload --dry-run says how)")
	case "held back":
		p.field("File", c.GetFile()+" holds what was rolled back, also a restart does not take it "+
			"(nvactl config restore writes back what runs)")
	case "unreadable":
		p.field("File", c.GetFile()+" can't be read")
	}
}

// identity is what the neighbors know this NVA by; without any it needs none.
func identity(s *nvadv1.Status) string {
	if s.GetAsn() == 0 {
		return "none, there are no neighbors"
	}
	return fmt.Sprintf("%d, router ID %s", s.GetAsn(), cmp.Or(s.GetRouterId(), "not known yet"))
}

func inSync(s *nvadv1.Status) string {
	switch {
	case s.GetInSync():
		return "yes"
	case len(s.GetWaitingFor()) == 0:
		return "no"
	}
	return "no, waiting for " + strings.Join(s.GetWaitingFor(), ", ")
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		GroupID: groupShow,
		Short:   "Show the versions of nvactl and of the daemon",
		Long: `Show the versions of nvactl and of the daemon that answers. Without a daemon,
that of nvactl is shown all the same, and the exit code is 1.`,
		Example: "  nvactl version\n  nvactl version -o json | jq -r .daemon.version",
		Args:    between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			daemon, err := a.daemonVersion(cmd.Context())
			if err := a.printVersions(telemetry.Build(), daemon); err != nil {
				return failure{err}
			}
			if err != nil {
				return failure{explain(err)}
			}
			return nil
		},
	}
}

func (a *app) daemonVersion(ctx context.Context) (*nvadv1.Version, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.read.GetVersion(ctx, &nvadv1.GetVersionRequest{})
}

func (a *app) printVersions(own telemetry.BuildInfo, daemon *nvadv1.Version) error {
	if a.json() {
		client := &nvadv1.Version{Version: own.Version, Commit: own.Commit, GoVersion: own.GoVersion}
		other := []byte("null")
		if daemon != nil {
			other = indented(daemon, "  ")
		}
		_, err := fmt.Fprintf(a.Out, "{\n  \"client\": %s,\n  \"daemon\": %s\n}\n", indented(client, "  "), other)
		return err
	}
	if err := line(a.Out, "nvactl "+own.String()); err != nil || daemon == nil {
		return err
	}
	b := telemetry.BuildInfo{Version: daemon.GetVersion(), Commit: daemon.GetCommit(), GoVersion: daemon.GetGoVersion()}
	return line(a.Out, "nvad   "+b.String())
}
