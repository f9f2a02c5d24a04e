package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/nvad/nvad/pkg/site"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) siteDiffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff",
		Short: "Compare the NVAs of a site with each other",
		Long: `Compare the NVAs of a site (--site) with each other, and list what shows only
when their answers are compared: tunnels and sessions whose ends do not agree,
NVAs of one hub that do not have the same routes or the same configuration, and
routes that make packets loop. docs/site.md lists every code.

The exit code is 1 if there is an error or a warning, or if an NVA did not
answer.`,
		Example: `  nvactl --site site.toml diff
  nvactl --site site.toml diff -o json | jq -r '.findings[].code'`,
		Annotations: forSites,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.site == "" {
				return errors.New("diff compares the NVAs of a site: name their file with --site")
			}
			return failed(a.siteDiff(cmd.Context()))
		},
	}
}

func (a *app) siteDiff(ctx context.Context) error {
	var r site.Report
	err := askSite(ctx, a, a.answerOf, func(replies []reply[site.Answer]) {
		if r = site.Diff(answersOf(replies)); a.json() {
			writeValue(a.Out, r)
			return
		}
		a.printSiteReport(&r)
	})
	n := map[site.Severity]int{}
	for _, f := range r.Findings {
		n[f.Severity]++
	}
	if found := joined(", ", when(n[site.Error] > 0, count(n[site.Error], "error")), when(n[site.Warning] > 0, count(n[site.Warning], "warning"))); found != "" {
		return errors.New(joined("; ", "the NVAs do not fit together: "+found, errorText(err)))
	}
	return err
}

// answersOf returns what was answered, and why not.
func answersOf(replies []reply[site.Answer]) []site.Answer {
	answers := make([]site.Answer, len(replies))
	for i, p := range replies {
		answers[i] = p.answer
		if p.err != nil {
			answers[i] = site.Answer{Failure: p.err.Error()}
		}
		answers[i].Name = p.nva
	}
	return answers
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (a *app) printSiteReport(r *site.Report) {
	answered := 0
	for _, n := range r.NVAs {
		if n.Error == "" {
			answered++
			continue
		}
		hang(a.Out, a.Width, "", "  ", fmt.Sprintf("%s did not answer: %s", n.Name, n.Error))
	}
	if len(r.Findings) == 0 && answered > 0 {
		line(a.Out, "Compared "+count(answered, "NVA")+": nothing differs that matters.")
	}
	for i, f := range r.Findings {
		number := fmt.Sprintf("%d. ", i+1)
		rest := spaces(len(number))
		line(a.Out, when(i > 0 || answered < len(r.NVAs), "\n")+fmt.Sprintf("%s%s: %s, %s", number, f.Severity, f.Code, elide(strings.Join(f.NVAs, ", "), a.Width/2)))
		hang(a.Out, a.Width, rest, rest, f.Reason)
		if len(f.Prefixes) > 0 {
			hang(a.Out, a.Width, rest+"Prefixes: ", rest+"  ", prefixes(f.Prefixes)+when(f.PrefixCount > len(f.Prefixes), fmt.Sprintf(" and %d more", f.PrefixCount-len(f.Prefixes))))
		}
		for _, m := range f.Mend {
			hang(a.Out, a.Width, rest+"-> ", rest+"   ", m)
		}
	}
	items(a, "\nNot compared", r.NotJudged, func(s string) string { return s })
}

// answerOf asks an NVA for everything that is compared.
func (a *app) answerOf(ctx context.Context, c *client) (out site.Answer, err error) {
	asked := a.Now()
	if out.Status, err = c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{}); err != nil {
		return out, err
	}
	if t := out.Status.GetTime(); t != nil {
		took := a.Now().Sub(asked)
		out.Ahead, out.Doubt = t.AsTime().Sub(asked.Add(took/2)), took/2+time.Millisecond
	}
	n, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
	if err != nil {
		return out, err
	}
	t, err := c.read.ListTunnels(ctx, &nvadv1.ListTunnelsRequest{})
	if err != nil {
		return out, err
	}
	cfg, err := c.read.GetConfig(ctx, &nvadv1.GetConfigRequest{Expanded: true})
	if err != nil {
		return out, err
	}
	out.Neighbors, out.Ranges, out.Tunnels, out.Config = n.GetNeighbors(), n.GetListenRanges(), t.GetTunnels(), cfg.GetToml()
	return out, addRoutes(ctx, c, &out)
}

// addRoutes adds the tables of an NVA, and the prefixes that it reaches by itself.
func addRoutes(ctx context.Context, c *client, out *site.Answer) error {
	links, err := c.read.ListLinks(ctx, &nvadv1.ListLinksRequest{})
	if err != nil {
		return err
	}
	for _, l := range links.GetLinks() {
		for _, p := range l.GetAddresses() {
			if prefix, err := netip.ParsePrefix(p); err == nil {
				out.Local = append(out.Local, prefix.Masked())
			}
		}
	}
	out.Prefixes = map[netip.Prefix]time.Time{}
	paths, err := c.read.ListRoutes(ctx, &nvadv1.ListRoutesRequest{})
	if err = bounded(c, paths, err, func(m *nvadv1.ListRoutesResponse) error { addPaths(out, m.GetPaths()); return nil }); err != nil {
		return err
	}
	fib, err := c.read.ListFIB(ctx, &nvadv1.ListFIBRequest{})
	return bounded(c, fib, err, func(m *nvadv1.ListFIBResponse) error {
		for _, r := range m.GetRoutes() {
			if p, err := netip.ParsePrefix(r.GetPrefix()); err == nil && r.GetState() == installed {
				route := site.Route{Prefix: p.Masked()}
				for _, h := range r.GetNextHops() {
					if via, err := netip.ParseAddr(h.GetVia()); err == nil {
						route.Via = append(route.Via, via)
					}
				}
				out.Routes = append(out.Routes, route)
			}
		}
		return nil
	})
}

func addPaths(out *site.Answer, paths []*nvadv1.Path) {
	for _, p := range paths {
		prefix, err := netip.ParsePrefix(p.GetPrefix())
		if err != nil {
			continue
		}
		prefix = prefix.Masked()
		if at := p.GetReceivedAt().AsTime(); at.After(out.Prefixes[prefix]) {
			out.Prefixes[prefix] = at
		}
		if p.GetNeighbor() == "" && p.GetSource() != "aggregate" {
			out.Local = append(out.Local, prefix)
		}
	}
}

// bounded reads a stream of at most as many bytes as the NVA may answer. yield's first error ends
// the reading.
func bounded[T any](c *client, stream grpc.ServerStreamingClient[T], err error, yield func(*T) error) error {
	left := c.most
	return receive(stream, err, func(m *T) error {
		if left -= proto.Size(any(m).(proto.Message)); left < 0 {
			return tooLarge(c)
		}
		return yield(m)
	})
}

func tooLarge(c *client) error {
	return fmt.Errorf("its answer is larger than %s", octets(uint64(c.most)))
}
