package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// progress returns the next step once both tunnels are configured.
func (a *app) progress(ctx context.Context, c *client, cfg *config.Config, s rotationStep) (rotationStep, error) {
	r, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
	if err != nil {
		return s, err
	}
	old, fresh := sessionsOf(cfg, s.Tunnel, r.GetNeighbors()), sessionsOf(cfg, s.Successor, r.GetNeighbors())
	switch {
	case len(cfg.Within(s.Successor)) == 0:
		return s, fmt.Errorf("no neighbor is in %s, so it takes over nothing: add one for each neighbor in %s", s.Successor, s.Tunnel)
	case len(fresh.down) > 0:
		s.Step = "wait"
		s.Text, err = waitingFor(ctx, c, s, fresh.down)
		return s, err
	case fresh.accepted < old.accepted || fresh.advertised < old.advertised:
		s.Step = "wait"
		s.Text = fmt.Sprintf("The sessions in %s are up, but have fewer routes than those in %s: %d of %d accepted, %d of %d advertised. Run this again in a moment.",
			s.Successor, s.Tunnel, fresh.accepted, old.accepted, fresh.advertised, old.advertised)
		return s, nil
	case len(old.up) > 0:
		s.Step = "shutdown"
		s.Text = fmt.Sprintf("The sessions in %s are up and have all routes. End those in %s, on one of the two NVAs.", s.Successor, s.Tunnel)
		for _, n := range old.up {
			s.Commands = append(s.Commands, "nvactl shutdown "+n+` --message "new key"`)
		}
		return s, nil
	}
	used, err := routesThrough(ctx, c, s.Tunnel)
	if err != nil {
		return s, err
	}
	if len(used) > 0 {
		s.Step = "drain"
		s.Text = fmt.Sprintf("Routes still lead through %s, %d in all, such as %s. Run this again in a moment; \"nvactl explain %s\" says why it stays.", s.Tunnel, len(used), used[0], used[0])
		return s, nil
	}
	return removal(cfg, s), nil
}

// removal returns what to take out of nvad.toml.
func removal(cfg *config.Config, s rotationStep) rotationStep {
	rest := cfg.Without(s.Tunnel)
	s.Step, s.Replace = "remove", rest.Sections(cfg)
	s.Text = fmt.Sprintf("Nothing uses %s here. When the other NVA says the same, remove these sections from both files and reload both.", s.Tunnel)
	s.Sections = slices.DeleteFunc(cfg.Sections(rest), func(section string) bool {
		head, _, _ := strings.Cut(section, "\n")
		return slices.ContainsFunc(s.Replace, func(r string) bool { return strings.HasPrefix(r, head+"\n") })
	})
	s.Commands = []string{"nvactl reload"}
	return s
}

// waitingFor says what keeps the sessions in the second tunnel down.
func waitingFor(ctx context.Context, c *client, s rotationStep, missing []string) (string, error) {
	r, err := c.read.ListTunnels(ctx, &nvadv1.ListTunnelsRequest{Name: s.Successor})
	if err != nil {
		return "", err
	}
	t := r.GetTunnels()[0]
	text := "The session with " + strings.Join(missing, " and ") + " is not up yet."
	switch {
	case t.GetState() != "up":
		text += fmt.Sprintf(" Tunnel %s is %s: %s. Is the other NVA configured and reloaded, and is UDP port %d allowed between both?", s.Successor, t.GetState(), t.GetReason(), t.GetPort())
	default:
		text += fmt.Sprintf(" Tunnel %s is up; \"nvactl neighbors %s\" says what the session waits for.", s.Successor, missing[0])
	}
	return text + " Traffic still takes " + s.Tunnel + ".", nil
}

// sessions are those of the neighbors in a tunnel.
type sessions struct {
	up, down             []string // addresses of neighbors
	accepted, advertised uint32   // routes
}

func sessionsOf(cfg *config.Config, tunnel string, list []*nvadv1.Neighbor) (s sessions) {
	for _, addr := range cfg.Within(tunnel) {
		i := slices.IndexFunc(list, func(n *nvadv1.Neighbor) bool { return n.GetAddress() == addr.String() })
		if i < 0 || list[i].GetState() != "Established" {
			s.down = append(s.down, addr.String())
			continue
		}
		s.up = append(s.up, addr.String())
		s.accepted += list[i].GetAccepted()
		s.advertised += list[i].GetAdvertised()
	}
	return s
}

// routesThrough returns the prefixes of the routes that lead through a device.
func routesThrough(ctx context.Context, c *client, device string) (list []string, err error) {
	stream, err := c.read.ListFIB(ctx, &nvadv1.ListFIBRequest{})
	if err != nil {
		return nil, err
	}
	for {
		batch, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		for _, route := range batch.GetRoutes() {
			if slices.ContainsFunc(route.GetNextHops(), func(h *nvadv1.NextHop) bool { return h.GetDevice() == device }) {
				list = append(list, route.GetPrefix())
			}
		}
	}
}
