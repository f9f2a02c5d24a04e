package ctl

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) topologyCommand() *cobra.Command {
	form := choice{"text", []string{"text", "mermaid", "svg", "json"}}
	var width int
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Draw this NVA with its VNet, Route Server and tunnels",
		Long: `Draw the connections of this NVA: its interfaces and subnets, the Route Server
instances and other neighbors behind them, its tunnels and the NVAs at their far
ends, with the state of each session and the number of routes in both
directions. Each drawing has a caption with the time.

With --site, the SVG shows all NVAs of the site. The other forms are for one
NVA.`,
		Example: `  nvactl topology
  nvactl topology -o svg > hub00.svg
  nvactl --site site.toml topology -o svg --width 1200 > site.svg
  nvactl topology -o mermaid`,
		Annotations: forSites,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if form.value == "svg" {
				return failed(a.drawSite(cmd.Context(), width))
			}
			return a.run(func(ctx context.Context, c *client, _ []string) error {
				v, err := gatherView(ctx, c)
				if err == nil {
					a.draw(a.tree(v), form.value)
				}
				return err
			})(cmd, nil)
		},
	}
	cmd.Flags().VarP(&form, "output", "o", "`FORMAT`: text, mermaid, svg or json")
	cmd.Flags().IntVar(&width, "width", 800, "width of the SVG in `PIXELS`")
	completeFixed(cmd, "output", form.allowed...)
	return cmd
}

func (a *app) draw(root *node, form string) {
	switch form {
	case "mermaid":
		drawMermaid(a.Out, root)
	case "json":
		writeValue(a.Out, root.forJSON())
	default:
		drawText(a.Out, root, a.Width)
	}
}

// view holds the data for a drawing.
type view struct {
	status    *nvadv1.Status
	links     []*nvadv1.Link
	neighbors []*nvadv1.Neighbor
	tunnels   []*nvadv1.Tunnel
	vnets     []string // address spaces of the VNets of this NVA's Route Servers
}

func gatherView(ctx context.Context, c *client) (view, error) {
	status, err1 := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
	links, err2 := c.read.ListLinks(ctx, &nvadv1.ListLinksRequest{})
	neighbors, err3 := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
	tunnels, err4 := c.read.ListTunnels(ctx, &nvadv1.ListTunnelsRequest{})
	return view{status, links.GetLinks(), neighbors.GetNeighbors(), tunnels.GetTunnels(), vnetsOf(ctx, c)}, cmp.Or(err1, err2, err3, err4)
}

// vnetsOf returns the VNets that the running configuration names; none if the daemon is
// of another version and its configuration can't be parsed.
func vnetsOf(ctx context.Context, c *client) (out []string) {
	cfg, err := versionOf(ctx, c, 0)
	if err != nil {
		return nil
	}
	for i := range cfg.Neighbors {
		for _, p := range cfg.Neighbors[i].VNet {
			if !slices.Contains(out, p.String()) {
				out = append(out, p.String())
			}
		}
	}
	return out
}

// node is an item of a drawing, which is a tree: this NVA, its devices, the machines
// behind them, and the sessions.
type node struct {
	title   string
	detail  string
	caption string // of the drawing, in the first node only
	health  health
	below   []*node
}

// health selects the color of a node.
type health uint8

const (
	plain health = iota // neither up nor down
	well
	ill
)

func healthOf(up bool) health {
	if up {
		return well
	}
	return ill
}

func (n *node) add(c *node) *node {
	n.below = append(n.below, c)
	return c
}

// tree arranges the data: below each device, the neighbors that are reached over it.
func (a *app) tree(v view) *node {
	s := v.status
	root := &node{title: trimmed("NVA " + s.GetHost() + " " + s.GetRouterId()), detail: fmt.Sprintf("AS %d, %d prefixes, kernel %d/%d",
		s.GetAsn(), s.GetPrefixes(), s.GetFibInstalled(), s.GetFibWanted()), health: healthOf(s.GetInSync()),
		caption: joined(", ", prefixed("VNet ", strings.Join(v.vnets, " ")), a.Now().UTC().Format("2006-01-02 15:04:05 UTC"))}
	over := map[string]bool{}
	var tunnels []*node
	for _, t := range v.tunnels {
		over[t.GetName()] = true
		tunnels = append(tunnels, a.tunnelNode(t, v.neighbors))
	}
	left := slices.DeleteFunc(slices.Clone(v.neighbors), func(n *nvadv1.Neighbor) bool { return behindTunnel(v.tunnels, n) })
	for _, l := range v.links {
		if over[l.GetName()] || len(l.GetAddresses()) == 0 || l.GetName() == "lo" {
			continue
		}
		d := root.add(&node{title: l.GetName() + " " + l.GetAddresses()[0], detail: fmt.Sprintf("%s, MTU %d", upDownWord(l.GetUp()), l.GetMtu()),
			health: healthOf(l.GetUp())})
		here := func(n *nvadv1.Neighbor) bool { return reachedOver(l, n) }
		a.addGroups(d, slices.DeleteFunc(slices.Clone(left), func(n *nvadv1.Neighbor) bool { return !here(n) }))
		left = slices.DeleteFunc(left, here)
	}
	if len(left) > 0 {
		a.addGroups(root.add(&node{title: "not reached yet"}), left)
	}
	root.below = append(root.below, tunnels...)
	return root
}

func upDownWord(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

func behindTunnel(tunnels []*nvadv1.Tunnel, n *nvadv1.Neighbor) bool {
	return slices.ContainsFunc(tunnels, func(t *nvadv1.Tunnel) bool {
		return slices.ContainsFunc(t.GetPeers(), func(p *nvadv1.TunnelPeer) bool { return p.GetNeighbor() == n.GetAddress() })
	})
}

// reachedOver reports whether a neighbor's session uses an address of the link, or would
// because the neighbor is within its subnet.
func reachedOver(l *nvadv1.Link, n *nvadv1.Neighbor) bool {
	peer, _ := netip.ParseAddr(n.GetAddress())
	for _, text := range l.GetAddresses() {
		if p, err := netip.ParsePrefix(text); err == nil && (p.Addr().String() == n.GetLocalAddress() || p.Contains(peer)) {
			return true
		}
	}
	return false
}

// addGroups adds neighbors below d, grouped by Route Server or peer-group.
func (a *app) addGroups(d *node, list []*nvadv1.Neighbor) {
	groups := map[string]*node{}
	for _, n := range list {
		name := groupName(n)
		if groups[name] == nil {
			groups[name] = d.add(&node{title: name})
			if as := asName(n.GetRemoteAsn()); name != as {
				groups[name].detail = as
			}
		}
		groups[name].add(a.sessionNode(n))
	}
}

const routeServerASN = 65515

func groupName(n *nvadv1.Neighbor) string {
	name := cmp.Or(n.GetDomain(), n.GetPeerGroup(), n.GetDescription())
	switch {
	case n.GetRemoteAsn() == routeServerASN && !strings.HasPrefix(name, "Route Server"):
		return trimmed("Route Server " + name)
	case name != "":
		return name
	}
	return asName(n.GetRemoteAsn())
}

func (a *app) tunnelNode(t *nvadv1.Tunnel, neighbors []*nvadv1.Neighbor) *node {
	first := t.GetAddresses()[:min(1, len(t.GetAddresses()))]
	d := &node{title: joined(" ", append([]string{t.GetName()}, first...)...), detail: a.tunnelDetail(t),
		health: healthOf(t.GetState() == "up")}
	for _, remote := range append(remotes(t), "") {
		r := &node{title: cmp.Or(prefixed("NVA ", remote), "behind "+t.GetName()), detail: "far end of " + t.GetName()}
		for _, p := range t.GetPeers() {
			if i := slices.IndexFunc(neighbors, func(n *nvadv1.Neighbor) bool { return n.GetAddress() == p.GetNeighbor() }); i >= 0 && p.GetRemote() == remote {
				r.add(a.sessionNode(neighbors[i]))
			}
		}
		if remote != "" || len(r.below) > 0 {
			d.add(r)
		}
	}
	return d
}

// tunnelDetail returns "VNI 77 over eth0, up, MTU 1450", and for WireGuard since when it talks.
func (a *app) tunnelDetail(t *nvadv1.Tunnel) string {
	s := network(t.GetWireguard() != nil, t.GetVni()) + prefixed(" over ", t.GetDevice()) + fmt.Sprintf(", %s, MTU %d", t.GetState(), t.GetMtu())
	return s + prefixed(", ", a.handshake(t.GetWireguard()))
}

func (a *app) sessionNode(n *nvadv1.Neighbor) *node {
	s := &node{title: addressOf(n) + when(n.GetRemoteAsn() == n.GetLocalAsn(), " (iBGP)"), health: healthOf(n.GetState() == established)}
	if s.health == well {
		s.detail = fmt.Sprintf("%s, %s in, %d out", a.upDown(n), count(n.GetAccepted(), "route"), n.GetAdvertised())
		return s
	}
	s.detail = joined(": ", stateOf(n), n.GetReason())
	return s
}

// drawText draws a tree in lines of at most width.
func drawText(out io.Writer, root *node, width int) {
	line(out, elide(trimmed(root.title+"  "+root.detail), width))
	if root.caption != "" {
		line(out, elide(root.caption, width))
	}
	textBelow(out, root, "", width)
}

func textBelow(out io.Writer, n *node, indent string, width int) {
	for i, c := range n.below {
		branch, next := "├─ ", "│  "
		if i == len(n.below)-1 {
			branch, next = "└─ ", "   "
		}
		mark := [...]string{plain: "", well: "● ", ill: "○ "}[c.health]
		line(out, elide(joined("  ", indent+branch+mark+c.title, c.detail), width))
		textBelow(out, c, indent+next, width)
	}
}

func trimmed(s string) string { return strings.TrimSpace(s) }

// nodeJSON is a node for programs that draw themselves.
type nodeJSON struct {
	Title   string     `json:"title"`
	Detail  string     `json:"detail"`
	Caption string     `json:"caption,omitempty"`
	Up      *bool      `json:"up"` // null: neither up nor down
	Below   []nodeJSON `json:"below"`
}

func (n *node) forJSON() nodeJSON {
	out := nodeJSON{Title: n.title, Detail: n.detail, Caption: n.caption, Below: []nodeJSON{}}
	if n.health != plain {
		up := n.health == well
		out.Up = &up
	}
	for _, c := range n.below {
		out.Below = append(out.Below, c.forJSON())
	}
	return out
}

// drawMermaid draws a tree as a flowchart.
func drawMermaid(out io.Writer, root *node) {
	line(out, "flowchart LR")
	next := 0
	var draw func(n *node) int
	draw = func(n *node) int {
		id := next
		next++
		text := joined("<br/>", mermaidText(n.title), mermaidText(n.detail), mermaidText(n.caption))
		fmt.Fprintf(out, "  n%d[\"%s\"]%s\n", id, text, [...]string{plain: "", well: ":::well", ill: ":::ill"}[n.health])
		for _, c := range n.below {
			edge := "---"
			if c.health == ill {
				edge = "-.-"
			}
			child := draw(c)
			fmt.Fprintf(out, "  n%d %s n%d\n", id, edge, child)
		}
		return id
	}
	draw(root)
	line(out, "  classDef well stroke:#2e7d32,stroke-width:2px")
	line(out, "  classDef ill stroke:#c62828,stroke-width:2px,stroke-dasharray:4 3")
}

// mermaidText escapes a text between quotes: characters that would end the quotes or
// begin markup become entities.
func mermaidText(s string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ").Replace(printable(s))
}
