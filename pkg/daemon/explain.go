package daemon

import (
	"context"

	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/kernel"
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
	names, err := d.linkNames(ctx)
	if err != nil {
		return x, err
	}
	for _, e := range own {
		if !e.Backup {
			x.Kernel = append(x.Kernel, fibView(e, names))
		}
	}
	for _, r := range others {
		x.Others = append(x.Others, foreignView(r, names))
	}
	return x, nil
}

func foreignView(r fib.KernelRoute, names map[int]string) engine.FIBView {
	v := engine.FIBView{
		Prefix: r.Prefix, Class: kernel.ProtocolName(r.Protocol), Kind: r.Kind.String(), Metric: r.Metric,
		Source: r.Source, State: fib.Installed.String(),
	}
	for _, h := range r.Hops {
		v.NextHops = append(v.NextHops, engine.HopView{Via: h.Via, Device: names[h.Link], Weight: int(h.Weight)})
	}
	return v
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
