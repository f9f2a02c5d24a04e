package daemon

import (
	"context"

	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/rib"
)

// Explain implements api.Reader.
func (d *daemon) Explain(ctx context.Context, q rib.ExplainQuery) (engine.Explanation, error) {
	x, err := d.engine.Explain(ctx, q)
	if err != nil {
		return x, apiError(err)
	}
	own, others, err := d.plane.Route(ctx, q.Prefix)
	if err != nil {
		return x, err
	}
	for _, e := range own {
		if !e.Second {
			x.Kernel = append(x.Kernel, fibView(e))
		}
	}
	for _, r := range others {
		x.Others = append(x.Others, fibView(r))
	}
	return x, nil
}

// linkNames are the names of the links by index.
func (d *daemon) linkNames(ctx context.Context) (map[int]string, error) {
	links, err := d.plane.Links(ctx)
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Index] = l.Name
	}
	return names, err
}
