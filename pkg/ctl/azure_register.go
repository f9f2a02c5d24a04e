package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/azure/arm"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// registration has the values of the flags of register.
type registration struct {
	vm, routeServer, name, address string
	asn                            uint32
	dryRun                         bool
}

// registered is one step of a registration.
type registered struct {
	Resource string `json:"resource"` // ID
	What     string `json:"what"`
	Changed  bool   `json:"changed"` // with --dry-run: would change
	plan     string // what would be done, in words
}

func (a *app) azureRegisterCommand(at *azureAccess) *cobra.Command {
	r := &registration{}
	cmd := &cobra.Command{
		Use:   "register",
		Short: "Make this NVA a BGP peer of Route Server",
		Long: `Make this NVA a BGP peer of both instances of Route Server, and let the NIC that
has the address forward packets. What is already in place stays; a BGP peer of
the same name with another address is an error. The identity needs the
permissions in configs/azure/role-operator.json, and Azure takes minutes.

The Route Server is the one of this VM's VNet, or else the only one in the VNets
peered with it.`,
		Example: `  nvactl azure register --dry-run
  nvactl azure register --route-server rs-hub00 --name vm-hub00 --asn 65001`,
		Annotations: changing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return failed(a.registerInAzure(cmd.Context(), at, r))
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.routeServer, "route-server", "", "`NAME` or resource ID of the Route Server")
	f.StringVar(&r.name, "name", "", "`NAME` of the BGP peer (default the VM's name)")
	f.StringVar(&r.address, "peer", "", "`ADDRESS` of this NVA (default the VM's first)")
	f.Uint32Var(&r.asn, "asn", 0, "AS `NUMBER` of this NVA (default that of nvad)")
	f.StringVar(&r.vm, "vm", "", "resource `ID` of the NVA (default this machine)")
	f.BoolVar(&r.dryRun, "dry-run", false, "show what would change, change nothing")
	return cmd
}

func (a *app) registerInAzure(ctx context.Context, at *azureAccess, r *registration) error {
	if err := a.here(r.vm); err != nil {
		return err
	}
	if r.asn == 0 {
		err := a.ask(ctx, func(c *client) error {
			s, err := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
			r.asn = s.GetAsn()
			return err
		})
		if err == nil && r.asn == 0 {
			err = errors.New("nvad has none")
		}
		if err != nil {
			return fmt.Errorf("which AS number? give --asn: %w", err)
		}
	}
	var steps []registered
	err := a.askAzure(ctx, at, func(ctx context.Context, c azureClient) error {
		s, err := c.Snapshot(ctx, arm.Ask{VM: r.vm})
		if err != nil {
			return err
		}
		steps, err = r.run(ctx, c, &s)
		return err
	})
	if a.json() {
		writeValue(a.Out, append([]registered{}, steps...))
		return err
	}
	for _, step := range steps {
		line(a.Out, nameOfID(step.Resource)+": "+r.outcome(step))
	}
	return err
}

// outcome says in words what became of a step.
func (r *registration) outcome(step registered) string {
	switch {
	case !step.Changed:
		return step.What + " already"
	case r.dryRun:
		return step.plan
	}
	return step.What
}

// run lets the NIC forward, and then makes the connection. The other way round, Azure
// would drop packets that follow the first routes.
func (r *registration) run(ctx context.Context, c azureClient, s *azure.Snapshot) (steps []registered, err error) {
	rs, err := r.chosen(s)
	if err != nil {
		return nil, err
	}
	peer, err := r.peer(s)
	if err != nil {
		return nil, err
	}
	name, changed, err := r.connection(s, &rs, peer)
	if err != nil {
		return nil, err
	}
	for _, nic := range s.NICs {
		if nic.VM != s.VM.ID || !slices.Contains(nic.Addresses, peer) {
			continue
		}
		changed := !nic.IPForwarding
		if changed && !r.dryRun {
			if changed, err = c.ForwardAt(ctx, nic); err != nil {
				return steps, err
			}
		}
		steps = append(steps, registered{nic.ID, "IP forwarding is on", changed, "would turn on IP forwarding"})
	}
	if changed && !r.dryRun {
		if changed, err = c.Register(ctx, rs, name, peer, r.asn); err != nil {
			return steps, err
		}
	}
	what := fmt.Sprintf("BGP peer %s, %s, AS %d", name, peer, r.asn)
	return append(steps, registered{rs.ID, what + ", is there", changed, "would make " + what}), nil
}

// connection returns the name of the BGP peer, and whether it has to be made.
func (r *registration) connection(s *azure.Snapshot, rs *azure.RouteServer, peer netip.Addr) (name string, missing bool, err error) {
	for _, m := range s.Missing {
		if m.What == azure.WhatConnections && m.ID == rs.ID {
			return "", false, fmt.Errorf("whether %s is a peer of Route Server %s already can't be read: %s", peer, rs.Name, m.Reason)
		}
	}
	for _, old := range rs.Connections {
		switch {
		case old.Peer == peer && old.ASN == r.asn:
			return old.Name, old.Failed(), nil
		case old.Peer == peer:
			return "", false, fmt.Errorf("Route Server %s has %s as BGP peer %s already, but with AS %d, not %d", rs.Name, peer, old.Name, old.ASN, r.asn)
		}
	}
	return cmp.Or(r.name, s.VM.Name), true, nil
}

// chosen returns the Route Server to register with. Names are the same in several resource groups;
// that of a peered VNet may be anybody's.
func (r *registration) chosen(s *azure.Snapshot) (azure.RouteServer, error) {
	var here, there []azure.RouteServer
	var names, ids []string
	for _, rs := range s.RouteServers {
		names = append(names, rs.Name)
		if r.routeServer != "" && !strings.EqualFold(r.routeServer, rs.Name) && !strings.EqualFold(r.routeServer, rs.ID) {
			continue
		}
		ids = append(ids, rs.ID)
		if rs.VNet == s.VM.VNet {
			here = append(here, rs)
		} else {
			there = append(there, rs)
		}
	}
	switch {
	case len(here) == 1:
		return here[0], nil
	case len(here) == 0 && len(there) == 1:
		return there[0], nil
	case len(names) == 0:
		return azure.RouteServer{}, fmt.Errorf("no Route Server in VNet %s, nor in those peered with it%s", nameOfID(s.VM.VNet), unseen(s, azure.WhatRouteServer, azure.WhatVNet))
	case len(ids) == 0:
		return azure.RouteServer{}, fmt.Errorf("no Route Server %s: there is %s", r.routeServer, orNone(names, "none"))
	case r.routeServer != "":
		return azure.RouteServer{}, fmt.Errorf("which Route Server? give --route-server with its resource ID: %s", strings.Join(ids, ", "))
	}
	return azure.RouteServer{}, fmt.Errorf("which Route Server? give --route-server: %s", strings.Join(names, ", "))
}

// peer returns the address that Route Server is told.
func (r *registration) peer(s *azure.Snapshot) (netip.Addr, error) {
	switch {
	case r.address == "" && len(s.VM.Addresses) == 0:
		return netip.Addr{}, fmt.Errorf("VM %s has no private address", s.VM.Name)
	case r.address == "":
		return s.VM.Addresses[0], nil
	}
	peer, err := netip.ParseAddr(r.address)
	if err != nil || !slices.Contains(s.VM.Addresses, peer) {
		return peer, fmt.Errorf("--peer: %q is no address of VM %s, which has %v", r.address, s.VM.Name, s.VM.Addresses)
	}
	return peer, nil
}

// unseen adds what could not be read and might be the reason that something is missing.
func unseen(s *azure.Snapshot, parts ...azure.What) string {
	for _, m := range s.Missing {
		if slices.Contains(parts, m.What) {
			return fmt.Sprintf(" (but %s %s could not be read: %s)", m.What, nameOfID(m.ID), m.Reason)
		}
	}
	return ""
}
