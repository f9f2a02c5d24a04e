package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/kernel"
	"github.com/nvad/nvad/pkg/tunnel"
)

// Lookup implements api.Reader.
func (d *daemon) Lookup(ctx context.Context, addr netip.Addr) (engine.LookupView, error) {
	v := engine.LookupView{Address: addr}
	names, err := d.linkNames(ctx)
	if err != nil {
		return v, err
	}
	way, err := kernel.Lookup(kernel.Namespace{}, addr)
	if err != nil {
		return v, err
	}
	if v.WayView, err = d.wayView(ctx, way, names); err != nil {
		return v, err
	}
	if way.Fate != kernel.Forwarded {
		return v, nil
	}
	v.Tunnel, err = d.encapsulation(ctx, addr, way, names)
	return v, err
}

// wayView adds to the kernel's answer what nvad knows of the route.
func (d *daemon) wayView(ctx context.Context, w kernel.Way, names map[int]string) (engine.WayView, error) {
	v := engine.WayView{
		Fate: string(w.Fate), Via: w.Via, Device: names[w.Link], Source: w.Source,
		Prefix: w.Prefix, Protocol: fib.ProtocolName(w.Protocol), Metric: w.Metric,
	}
	if !w.Prefix.IsValid() {
		v.Protocol = ""
		return v, nil
	}
	if w.Fate == kernel.Local {
		v.Device = d.linkOf(ctx, w.Prefix.Addr(), v.Device)
	}
	own, _, err := d.plane.Route(ctx, w.Prefix)
	if err != nil {
		return v, err
	}
	for _, e := range own {
		if e.State != fib.Installed || e.Metric != w.Metric {
			continue
		}
		v.Own, v.Protocol = true, e.Protocol
		if e.Protocol == fib.BGP.String() {
			err = d.learnedFrom(ctx, &v)
		}
	}
	return v, err
}

// linkOf is the link that has a local address, which the kernel says is lo.
func (d *daemon) linkOf(ctx context.Context, addr netip.Addr, otherwise string) string {
	links, err := d.plane.Links(ctx)
	if err != nil {
		return otherwise
	}
	for _, l := range links {
		for _, p := range l.Addresses {
			if p.Addr() == addr {
				return l.Name
			}
		}
	}
	return otherwise
}

// learnedFrom fills in the best path of a BGP route.
func (d *daemon) learnedFrom(ctx context.Context, v *engine.WayView) error {
	return d.engine.Routes(ctx, engine.Query{Table: engine.LocRIB, Prefix: v.Prefix}, func(p engine.PathView) error {
		if p.Best {
			v.Neighbor, v.ASPath = p.Neighbor, p.Attrs.ASPath
		}
		return nil
	})
}

// encapsulation tells what the tunnel does with a packet for addr, nil if its
// way leads into none.
func (d *daemon) encapsulation(ctx context.Context, addr netip.Addr, w kernel.Way, names map[int]string) (*engine.EncapsulationView, error) {
	tunnels, err := d.plane.Tunnels(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(tunnels, func(t tunnel.Status) bool { return t.Name == names[w.Link] })
	if i < 0 {
		return nil, nil
	}
	t := tunnelView(tunnels[i])
	out := &engine.EncapsulationView{Name: t.Name, VNI: t.VNI, Source: t.Local, Port: t.Port, MTU: t.MTU}
	if !w.Via.IsValid() {
		w.Via = addr
	}
	one, err := kernel.OuterRemote(kernel.Namespace{}, w.Link, w.Via)
	if err != nil {
		return nil, err
	}
	remotes := t.Remotes
	switch {
	case one.IsValid():
		out.Learned, remotes = true, []netip.Addr{one}
	case t.Group.IsValid():
		remotes = []netip.Addr{t.Group}
	}
	return out, d.outerWays(ctx, out, remotes, names)
}

func (d *daemon) outerWays(ctx context.Context, out *engine.EncapsulationView, remotes []netip.Addr, names map[int]string) error {
	for _, r := range remotes {
		w, err := kernel.Lookup(kernel.Namespace{}, r)
		if err != nil {
			return fmt.Errorf("outer packet: %w", err)
		}
		v, err := d.wayView(ctx, w, names)
		if err != nil {
			return err
		}
		out.Outer = append(out.Outer, engine.OuterView{Remote: r, WayView: v})
	}
	return nil
}
