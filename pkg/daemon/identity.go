package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/fib"
)

// The sessions get these if nvad has neither: a file without neighbors needs no ASN and
// no router ID.
var (
	nobodysASN = uint32(64512)
	nobodysID  = netip.AddrFrom4([4]byte{192, 0, 2, 1})
)

// findIdentity sets the router ID: that of the file, or one derived from the machine's
// addresses. If nvad starts before the DHCP client is done, or before there is a NIC,
// there is no address yet. An NVA with neighbors waits for one.
func (d *daemon) findIdentity(ctx context.Context, cfg *config.Config) error {
	if d.routerID = cfg.RouterID; d.routerID.IsValid() {
		return nil
	}
	defer d.startup.waitFor("")
	for last := ""; ; {
		id, why := d.derivedID(ctx, cfg)
		switch {
		case why == nil:
			d.routerID = id
			d.log.Info("router ID derived", "router_id", id)
			return nil
		case len(cfg.Neighbors)+len(cfg.Ranges) == 0:
			return nil
		case last != why.Error():
			last = why.Error()
			d.startup.waitFor("an address to derive the router ID from (" + last + ")")
			d.log.Warn("waiting for an address to derive the router ID from", "reason", why)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("router-id is not given and can't be derived: %w", why)
		}
	}
}

// derivedID returns the local address of the first tunnel that has one, or else the
// first address of the NIC that the first tunnel names, or of the device of the default route.
func (d *daemon) derivedID(ctx context.Context, cfg *config.Config) (netip.Addr, error) {
	for _, t := range cfg.Tunnels {
		if t.Local.Is4() {
			return t.Local, nil
		}
	}
	links, err := d.plane.Links(ctx)
	if err != nil {
		return netip.Addr{}, err
	}
	if device := underlay(cfg); device != "" {
		i := slices.IndexFunc(links, func(l fib.Link) bool { return l.Name == device })
		return addressOf(links, i, device)
	}
	_, routes, err := d.plane.Route(ctx, netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	if err != nil {
		return netip.Addr{}, err
	}
	if len(routes) == 0 || len(routes[0].Hops) == 0 {
		return netip.Addr{}, errors.New("there is no default route")
	}
	i := slices.IndexFunc(links, func(l fib.Link) bool { return l.Name == routes[0].Hops[0].Device })
	return addressOf(links, i, "the default route's device")
}

// underlay returns the device of the first tunnel that names a NIC; empty if none does.
func underlay(cfg *config.Config) string {
	for _, t := range cfg.Tunnels {
		if t.Device != "" && !cfg.HasTunnel(t.Device) {
			return t.Device
		}
	}
	return ""
}

// addressOf returns the first IPv4 address of links[i], which is called name.
func addressOf(links []fib.Link, i int, name string) (netip.Addr, error) {
	if i >= 0 {
		for _, p := range links[i].Addresses {
			if a := p.Addr(); a.Is4() && a.IsGlobalUnicast() {
				return a, nil
			}
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has no IPv4 address", name)
}

// complete returns cfg with the router ID of this run.
func (d *daemon) complete(cfg *config.Config) *config.Config {
	out := *cfg
	if !out.RouterID.IsValid() {
		out.RouterID = d.routerID
	}
	return &out
}
