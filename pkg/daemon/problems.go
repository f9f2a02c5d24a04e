package daemon

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/speaker"
)

// problems names what is wrong at this moment: what an operator asks first.
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
		out = append(out, api.Problem{Kind: "default-route", Text: "no default way out: " +
			"the kernel has no default route, so packets that no other route covers are dropped"})
	}
	if s.Alone && !s.Drain.Since.IsZero() {
		out = append(out, api.Problem{Kind: "drain", Text: "no other NVA is known to have the routes of this one: no internal neighbor " +
			"outside of the tunnels has sent any. Traffic that has no other way stays here while it drains, and is lost when it stops"})
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

// serverProblems names each Route Server of whose instances only one is established,
// though that is enough for all routes to be there.
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
				"Route Server %s is reached over one instance only, %s (%d configured): Azure sends half of the traffic nowhere",
				server, up[server][0], all[server])})
		}
	}
	return out
}

// tunnelProblem says that a tunnel is down, or up in vain.
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
		p.Text = fmt.Sprintf("tunnel %s leads nowhere, though its device is up: nobody answers of %s", t.Name, strings.Join(dead, ", "))
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

// tunnelPeers is how many peers tunnels have, and how many of them are alive.
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
