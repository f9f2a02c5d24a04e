package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/spf13/cobra"
)

// onLab returns a command that needs a lab that is up.
func onLab(prefix *string, use, short string, args cobra.PositionalArgs, run func(*cobra.Command, *lab.Lab, []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*prefix)
			if err != nil {
				return err
			}
			return run(cmd, l, args)
		},
	}
}

func showCommands(prefix *string) []*cobra.Command {
	show := func(use, short string, args int, print func(ctx context.Context, l *lab.Lab, name string) error) *cobra.Command {
		return onLab(prefix, use, short, cobra.MaximumNArgs(args), func(cmd *cobra.Command, l *lab.Lab, args []string) error {
			return print(cmd.Context(), l, strings.Join(args, ""))
		})
	}
	return []*cobra.Command{
		show("status", "list sessions and processes", 0, status),
		show("cloud-init VM", "print what the user-data of an NVA printed, where the scenario has one", 1, cloudInit),
		show("effective-routes [VM]", "print effective routes, of all VMs if none is named", 1, effectiveRoutes),
		show("gateway-routes [VNET]", "print what ExpressRoute gateways learned over their circuits", 1, gatewayRoutes),
		show("route-server-routes [VNET]", "print what Route Server received and advertises", 1, routeServerRoutes),
	}
}

func status(ctx context.Context, l *lab.Lab, _ string) error {
	rows := [][]string{{"Speaker", "Neighbor", "AS", "State", "Since"}}
	for _, s := range l.Speakers() {
		sessions, err := s.Sessions(ctx)
		if err != nil {
			rows = append(rows, []string{s.Name, "-", "-", "not running", "-"})
			continue
		}
		for _, session := range sessions {
			state, since := "down", "-"
			if session.Established {
				state, since = "up", time.Since(session.Since).Round(time.Second).String()
			}
			rows = append(rows, []string{s.Name, session.Neighbor.String(), fmt.Sprint(session.ASN), state, since})
		}
	}
	fmt.Print(lab.Table(rows))
	return nil
}

// unknown returns the error for a name that no part of the lab has.
func unknown(what, name string, known []string) error {
	return fmt.Errorf("no %s %q, there are %s", what, name, strings.Join(known, ", "))
}

func effectiveRoutes(ctx context.Context, l *lab.Lab, name string) error {
	var vms []string
	for _, v := range l.Topology.VNets {
		for _, vm := range v.VMs {
			vms = append(vms, vm.Name)
			if name != "" && name != vm.Name {
				continue
			}
			routes, err := l.EffectiveRoutes(ctx, vm.Name)
			if err != nil {
				return err
			}
			fmt.Printf("%s, %s\n%s\n", vm.Name, vm.Address, lab.EffectiveTable(routes))
		}
	}
	if name != "" && !slices.Contains(vms, name) {
		return unknown("VM", name, vms)
	}
	return nil
}

func cloudInit(_ context.Context, l *lab.Lab, vm string) error {
	text, err := l.CloudInitOutput(vm)
	fmt.Print(text)
	return err
}

func routeServerRoutes(ctx context.Context, l *lab.Lab, name string) error {
	var vnets []string
	for _, v := range l.Topology.VNets {
		if len(v.RouteServers()) > 0 {
			vnets = append(vnets, v.Name)
		}
		if name != "" && name != v.Name {
			continue
		}
		for i, addr := range v.RouteServers() {
			rs := l.RouteServer(v.Name, i)
			for _, nva := range l.RouteServerPeers(v.Name) {
				received, err := rs.Received(ctx, nva.Address)
				if err != nil {
					return err
				}
				fmt.Printf("Route Server %s %s: received from %s\n%s\n", v.Name, addr, nva.Name, lab.RouteTable(received))
				advertised, err := rs.Advertised(ctx, nva.Address)
				if err != nil {
					return err
				}
				fmt.Printf("Route Server %s %s: advertised to %s\n%s\n", v.Name, addr, nva.Name, lab.RouteTable(advertised))
			}
		}
	}
	if name != "" && !slices.Contains(vnets, name) {
		return unknown("VNet with Route Server", name, vnets)
	}
	return nil
}

func gatewayRoutes(ctx context.Context, l *lab.Lab, name string) error {
	for _, v := range l.Topology.VNets {
		if v.Circuit == "" || name != "" && name != v.Name {
			continue
		}
		routes, err := l.CircuitRoutes(ctx, v.Name)
		if err != nil {
			return err
		}
		fmt.Printf("Gateway of %s %s: received from %s\n%s\n", v.Name, v.Gateway(), v.Circuit, lab.RouteTable(routes))
	}
	return nil
}

func execCommand(prefix *string) *cobra.Command {
	short := "run a command in the namespace of a node"
	cmd := onLab(prefix, "exec NODE COMMAND...", short, cobra.MinimumNArgs(2), func(_ *cobra.Command, l *lab.Lab, args []string) error {
		child := l.Command(args[0], args[1:]...)
		child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
		return child.Run()
	})
	// Everything after the node belongs to the command, including flags.
	cmd.Flags().SetInterspersed(false)
	return cmd
}
