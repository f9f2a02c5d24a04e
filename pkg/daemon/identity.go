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

// What the sessions are told of an NVA that has none: a file without neighbors
// needs neither ASN nor router ID.
var (
	nobodysASN = uint32(64512)
	nobodysID  = netip.AddrFrom4([4]byte{192, 0, 2, 1})
)

// findIdentity notes the router ID: the file's, or that of the machine, which
// may have no address yet where nvad starts before the DHCP client is done, or no NIC
// yet. An NVA with neighbors does not go on without.
func (d *daemon) findIdentity(ctx context.Context, cfg *config.Config) error {
	if d.routerID = cfg.RouterID; d.routerID.IsValid() {
		return nil
	}
	defer d.startup.waitFor("")
	for told := ""; ; {
		id, why := d.derivedID(ctx, cfg)
		switch {
		case why == nil:
			d.routerID = id
			d.log.Info("router ID derived", "router_id", id)
			return nil
		case len(cfg.Neighbors) == 0:
			return nil
		case told != why.Error():
			told = why.Error()
			d.startup.waitFor("an address to derive the router ID from (" + told + ")")
			d.log.Warn("waiting for an address to derive the router ID from", "reason", why)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("router-id is not given and can't be derived: %w", why)
		}
	}
}

// derivedID is the local address of the first tunnel that gives one, or else the
// first address of the first tunnel's device, or of the one that the default
// route leads through.
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
	if len(cfg.Tunnels) > 0 {
		device := cfg.Tunnels[0].Device
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

// addressOf is the first IPv4 address of links[i], which is called name.
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

// complete is cfg with the router ID of this run.
func (d *daemon) complete(cfg *config.Config) *config.Config {
	out := *cfg
	if !out.RouterID.IsValid() {
		out.RouterID = d.routerID
	}
	return &out
}
