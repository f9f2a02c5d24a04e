package api

import (
	"github.com/nvad/nvad/pkg/rib"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// fewRoutes is how many routes of each group of an effect are listed unless all are
// asked for.
const fewRoutes = 10

func effectMessage(e *Effect, all bool) *nvadv1.Effect {
	if e == nil {
		return nil
	}
	out := &nvadv1.Effect{Unlisted: uint32(e.Unlisted), Partial: e.Partial, Unknown: printable(e.Unknown)}
	for _, a := range e.Resets {
		out.Resets = append(out.Resets, a.String())
	}
	for i := range e.Groups {
		g := &e.Groups[i]
		routes := g.Routes
		if !all {
			routes = routes[:min(len(routes), fewRoutes)]
		}
		out.Groups = append(out.Groups, &nvadv1.EffectGroup{
			Stage: g.Stage.String(), Neighbor: text(g.Neighbor), Before: uint32(g.Before),
			Added: uint32(g.Added), Removed: uint32(g.Removed), Changed: uint32(g.Changed),
			Heavy: g.Heavy(), Routes: convert(routes, routeEffectMessage),
		})
	}
	return out
}

func routeEffectMessage(r rib.RouteEffect) *nvadv1.RouteEffect {
	return &nvadv1.RouteEffect{Prefix: r.Prefix.String(), Difference: r.Difference.String(), Reason: printable(r.Reason)}
}
