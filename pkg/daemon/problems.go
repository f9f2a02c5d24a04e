package daemon

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/speaker"
)

// problems lists everything that is wrong at this moment: the first thing that an
// operator wants to know.
func problems(cfg *config.Config, s *engine.Status, neighbors []api.Neighbor, tunnels []api.Tunnel) []api.Problem {
	var out []api.Problem
	for i := range neighbors {
		out = append(out, neighborProblem(&neighbors[i])...)
	}
	out = append(out, serverProblems(cfg, neighbors)...)
	for i := range tunnels {
		out = append(out, tunnelProblem(&tunnels[i])...)
	}
	if s.NoWayOut {
		out = append(out, api.Problem{Kind: "default-route", Text: "the kernel has no default route: " +
			"packets that no other route covers are dropped"})
	}
	if s.Alone && !s.Drain.Since.IsZero() {
		out = append(out, api.Problem{Kind: "drain", Text: "no other NVA is known to have the routes of this one: no internal neighbor " +
			"outside the tunnels has sent any. Traffic without another path stays here during the drain, and is lost when nvad stops"})
	}
	return out
}

// neighborProblem says that a neighbor is down, and why.
func neighborProblem(n *api.Neighbor) []api.Problem {
	if n.State == speaker.EstablishedState {
		return nil
	}
	p := api.Problem{Kind: "neighbor", Name: n.Address.String(), Since: n.LastDown}
	what := "is down"
	if n.LastDown.IsZero() {
		what = "has never been up"
	}
	p.Text = fmt.Sprintf("neighbor %s%s %s: %s", n.Address, inParentheses(n.Description), what,
		cmp.Or(n.Reason, "state "+n.State.String()))
	return []api.Problem{p}
}

func inParentheses(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// serverProblems names each Route Server of which only one instance is established. Its
// routes are all there, so nothing else shows the problem.
func serverProblems(cfg *config.Config, neighbors []api.Neighbor) (out []api.Problem) {
	up, all := map[string][]string{}, map[string]int{}
	for i := range cfg.Neighbors {
		n := &cfg.Neighbors[i]
		if !cfg.IsRouteServer(n) {
			continue
		}
		server := cmp.Or(n.Domain, n.PeerGroup)
		all[server]++
		if slices.ContainsFunc(neighbors, func(v api.Neighbor) bool {
			return v.Address == n.Address && v.State == speaker.EstablishedState
		}) {
			up[server] = append(up[server], n.Address.String())
		}
	}
	for _, server := range slices.Sorted(maps.Keys(up)) {
		if server != "" && len(up[server]) == 1 {
			out = append(out, api.Problem{Kind: "route-server", Name: server, Text: fmt.Sprintf(
				"only one instance of Route Server %s is established, %s (%d configured): Azure drops half of the traffic",
				server, up[server][0], all[server])})
		}
	}
	return out
}

// tunnelProblem says that a tunnel is down, or that its peers do not answer.
func tunnelProblem(t *api.Tunnel) []api.Problem {
	p := api.Problem{Kind: "tunnel", Name: t.Name}
	if t.State != "up" {
		p.Text = fmt.Sprintf("tunnel %s is %s: %s", t.Name, t.State, t.Reason)
		return []api.Problem{p}
	}
	var dead []string
	for _, peer := range t.Peers {
		if !peer.Up {
			dead = append(dead, peerText(peer))
		}
	}
	switch {
	case len(dead) == 0:
		return nil
	case len(dead) == len(t.Peers):
		p.Text = fmt.Sprintf("tunnel %s is up, but none of its peers answers: %s", t.Name, strings.Join(dead, ", "))
	default:
		p.Text = fmt.Sprintf("tunnel %s: %d of %d peers are dead: %s", t.Name, len(dead), len(t.Peers), strings.Join(dead, ", "))
	}
	return []api.Problem{p}
}

func peerText(p api.TunnelPeer) string {
	if p.Remote.IsValid() && p.Remote != p.Neighbor {
		return fmt.Sprintf("%s at %s (%s)", p.Neighbor, p.Remote, p.By)
	}
	return fmt.Sprintf("%s (%s)", p.Neighbor, p.By)
}

// tunnelPeers counts the peers of all tunnels, and those that are alive.
func tunnelPeers(tunnels []api.Tunnel) (all, up int) {
	seen := map[netip.Addr]bool{}
	for _, t := range tunnels {
		for _, p := range t.Peers {
			if seen[p.Neighbor] {
				continue
			}
			seen[p.Neighbor] = true
			all++
			if p.Up {
				up++
			}
		}
	}
	return all, up
}

// notices keeps, in words, what nvad has to do without at present, by kind: see
// metrics.Degradations.
type notices struct {
	mu   sync.Mutex // guards text
	text map[string]string
}

// set records why; an empty text ends the notice.
func (n *notices) set(kind, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.text == nil {
		n.text = map[string]string{}
	}
	if n.text[kind] = text; text == "" {
		delete(n.text, kind)
	}
}

func (n *notices) all() map[string]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.text)
}

// degraded lists everything that nvad has to do without at present, as warnings with
// the kind as code, always in the same order.
func (d *daemon) degraded() []config.Warning {
	var out []config.Warning
	add := func(kind, text string) { out = append(out, config.Warning{Key: "nvad", Code: kind, Msg: text}) }
	all := d.notices.all()
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		add(kind, all[kind])
	}
	if err := d.history.Behind(); err != nil {
		add("history", "the configurations of this run are not on disk, so a restart would not find them: "+err.Error()+" (nvad keeps trying)")
	}
	if text := d.chronicle.trouble(); text != "" {
		add("journal", text)
	}
	for _, door := range d.doors {
		if err := door.shut(); err != nil {
			add("listen", door.name()+" is not served: "+err.Error()+" (nvad keeps trying)")
		}
	}
	for _, err := range d.http.Missing() {
		add("listen", "HTTP is not served: "+err.Error()+" (nvad keeps trying)")
	}
	if d.startup.isDone() {
		for _, err := range d.speaker.Missing() {
			add("listen", "neighbors can't connect to nvad, it can connect to them: "+err.Error()+" (nvad keeps trying)")
		}
	}
	return out
}

// counted counts the warnings of each code.
func counted(list []config.Warning) map[string]int {
	out := map[string]int{}
	for _, w := range list {
		out[w.Code]++
	}
	return out
}
