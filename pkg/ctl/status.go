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
		Use:   "status",
		Short: "Show the daemon at a glance",
		Long: `Show the daemon at a glance: first the problems, then how many sessions are up,
how many routes they carry, how many of those are in the kernel, and whether the
daemon is in sync. It is in sync once every neighbor has sent all its routes, or
nvad has stopped waiting for it.`,
		Example: `  nvactl status
  nvactl status -o json | jq -e .in_sync`,
		Annotations: forSites,
		RunE: a.orSite(a.siteStatus, func(ctx context.Context, c *client, _ []string) error {
			s, err := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
			return answer(a, s, err, a.printStatus)
		}),
	}
}

func (a *app) printStatus(s *nvadv1.Status) {
	a.printProblems(s.GetProblems())
	p := a.newPage()
	p.heading("nvad %s, up %s", s.GetVersion(), a.age(s.GetSince()))
	p.field("AS", identity(s))
	p.field("In sync", inSync(s))
	p.field("Draining", when(s.GetDrainingSince() != nil, fmt.Sprintf("for %s, by %s", a.age(s.GetDrainingSince()), s.GetDrainingReason())))
	p.field("Neighbors", fmt.Sprintf("%d of %d established", s.GetEstablished(), s.GetNeighbors()))
	p.field("Routes", count(s.GetPrefixes(), "prefix")+", "+count(s.GetPaths(), "path"))
	p.field("Kernel", fmt.Sprintf("%d of %d routes installed", s.GetFibInstalled(), s.GetFibWanted())+
		when(s.GetFibInstalled() < s.GetFibWanted(), " (nvactl routes fib says why)"))
	p.field("Memory", memoryText(s.GetMemory()))
	p.field("Tunnels", when(s.GetTunnels() > 0, tunnelsText(s)))
	for _, n := range s.GetNics() {
		p.field("NIC "+n.GetDevice(), nicText(n))
	}
	for _, st := range s.GetStations() {
		p.field("Station "+st.GetAddress(), a.stationText(st))
	}
	a.pollField(p, s.GetAzure())
	a.configFields(p, s.GetConfig())
	p.print()
	a.printWarnings("\nWarnings", s.GetWarnings())
}

// maxProblems bounds how many problems are printed; --output json has all.
const maxProblems = 20

func (a *app) printProblems(list []*nvadv1.Problem) {
	if len(list) == 0 {
		return
	}
	line(a.Out, "Problems")
	for _, p := range list[:min(len(list), maxProblems)] {
		hang(a.Out, a.Width, "  - ", "    ", p.GetText()+when(p.GetSince() != nil, " (for "+a.age(p.GetSince())+")"))
	}
	if more := len(list) - maxProblems; more > 0 {
		line(a.Out, fmt.Sprintf("  - and %d more (nvactl neighbors, nvactl tunnels)", more))
	}
	line(a.Out, "")
}

// tunnelsText counts the devices that are up, and the peers behind them.
func tunnelsText(s *nvadv1.Status) string {
	return fmt.Sprintf("%d of %d up", s.GetTunnelsUp(), s.GetTunnels()) +
		when(s.GetTunnelPeers() > 0, fmt.Sprintf(", %d of %s alive", s.GetTunnelPeersUp(), count(s.GetTunnelPeers(), "peer")))
}

// memoryText shows how much of the budget is in use, and how often nvad closed a
// session because of it.
func memoryText(m *nvadv1.Memory) string {
	return when(m.GetBudget() > 0, fmt.Sprintf("%s in use, budget %s", octets(m.GetInUse()), octets(m.GetBudget()))+
		when(m.GetClosings() > 0, ", exceeded "+count(m.GetClosings(), "time")))
}

// nicText shows the route by which a NIC answers health probes, or why it can't.
func nicText(n *nvadv1.Nic) string {
	if n.GetState() == "ready" {
		return fmt.Sprintf("answers probes of %s through %s, table %d", strings.Join(n.GetAddresses(), ", "), n.GetGateway(), n.GetTable())
	}
	return when(n.GetState() == "failed", "failed: ") + n.GetReason()
}

// stationText shows whether a monitoring station is connected, and what it was sent.
func (a *app) stationText(s *nvadv1.Station) string {
	slow := when(s.GetOverflows() > 0, " (too slow "+count(s.GetOverflows(), "time")+")")
	if !s.GetConnected() {
		return fmt.Sprintf("not connected for %s: %s", a.age(s.GetSince()), s.GetReason()) + slow
	}
	return fmt.Sprintf("connected for %s, %s sent in %s", a.age(s.GetSince()), octets(s.GetBytesSent()), count(s.GetMessagesSent(), "message")) + slow
}

// printWarnings prints each warning with its place in the configuration, below a
// title.
func (a *app) printWarnings(title string, list []*nvadv1.Warning) {
	for i, w := range list {
		if i == 0 {
			line(a.Out, title)
		}
		place := when(w.GetLine() > 0, fmt.Sprintf("%s:%d: ", w.GetFile(), w.GetLine()))
		line(a.Out, "  "+printable(place+w.GetKey()))
		hang(a.Out, a.Width, "    ", "    ", w.GetText())
	}
}

// configFields show which configuration runs, whether it waits for confirmation, and
// whether the file differs.
func (a *app) configFields(p *page, c *nvadv1.ConfigState) {
	p.field("Config", when(c.GetVersion() > 0, fmt.Sprintf("version %d, since %s", c.GetVersion(), a.age(c.GetSince()))))
	p.field("Unconfirmed", when(c.GetDeadline() != nil, fmt.Sprintf("version %d runs again in %s (nvactl confirm keeps version %d)",
		c.GetFallback(), a.until(c.GetDeadline()), c.GetVersion())))
	p.field("File", prefixed(c.GetFile(), fileStates[c.GetFileState()]))
}

// fileStates say how the file differs from the configuration that runs.
var fileStates = map[string]string{
	"differs": " differs from what runs (nvactl reload --dry-run says how)",
	"held back": " still contains the change that was rolled back; nvad ignores it, even after a restart " +
		"(nvactl config restore writes back what runs)",
	"unreadable": " can't be read",
}

// identity returns the ASN and router ID, which only neighbors need.
func identity(s *nvadv1.Status) string {
	if s.GetAsn() == 0 {
		return "none, there are no neighbors"
	}
	return fmt.Sprintf("%d, router ID %s", s.GetAsn(), cmp.Or(s.GetRouterId(), "not known yet"))
}

func inSync(s *nvadv1.Status) string {
	if s.GetInSync() {
		return "yes"
	}
	return "no" + prefixed(", waiting for ", strings.Join(s.GetWaitingFor(), ", "))
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the versions of nvactl and of the daemon",
		Long: `Show the versions of nvactl and of the daemon that answers. If no daemon
answers, nvactl prints its own version and exits with 1.`,
		Example: "  nvactl version\n  nvactl version -o json | jq -r .daemon.version",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var daemon *nvadv1.Version
			err := a.ask(cmd.Context(), func(c *client) (err error) {
				daemon, err = c.read.GetVersion(cmd.Context(), &nvadv1.GetVersionRequest{})
				return err
			})
			a.printVersions(telemetry.Build(), daemon)
			return failed(err)
		},
	}
}

func (a *app) printVersions(own telemetry.BuildInfo, daemon *nvadv1.Version) {
	if a.json() {
		client := &nvadv1.Version{Version: own.Version, Commit: own.Commit, GoVersion: own.GoVersion}
		other := []byte("null")
		if daemon != nil {
			other = indented(daemon, "  ")
		}
		fmt.Fprintf(a.Out, "{\n  \"client\": %s,\n  \"daemon\": %s\n}\n", indented(client, "  "), other)
		return
	}
	line(a.Out, "nvactl "+own.String())
	if daemon != nil {
		b := telemetry.BuildInfo{Version: daemon.GetVersion(), Commit: daemon.GetCommit(), GoVersion: daemon.GetGoVersion()}
		line(a.Out, "nvad   "+b.String())
	}
}
