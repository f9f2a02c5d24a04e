package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/azure/arm"
)

// hopTime bounds the time in which Azure changes user-defined routes.
const hopTime = 2 * time.Minute

// hopSettles is how long flows may still arrive after a next hop was removed. Azure does
// not move flows at once; a lab measured 27 seconds.
const hopSettles = 30 * time.Second

// hops are the user-defined routes of type VirtualApplianceEcmp of which this NVA is a
// next hop. Azure neither probes such next hops nor moves their flows, so that a drain has
// to take the NVA out.
type hops struct {
	routes   []string // as given
	address  string   // of this NVA; empty: the VM's first
	clientID string
}

func (h *hops) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&h.routes, "azure-udr", nil, "also leave this `ROUTE` of Azure; may be repeated")
	cmd.Flags().StringVar(&h.clientID, "azure-client-id", "", "client `ID` of one of several managed identities")
	cmd.Flags().StringVar(&h.address, "azure-hop", "", "`ADDRESS` to remove from it (default the VM's first)")
}

// hopRoute is one of the routes.
type hopRoute struct {
	text, route string
	table       azure.RouteTable // without an ID if the subscription is the VM's
}

// parse reads the flags.
func (h *hops) parse() (list []hopRoute, address netip.Addr, err error) {
	if len(h.routes) == 0 && h.address+h.clientID != "" {
		return nil, address, errors.New("--azure-hop and --azure-client-id need --azure-udr")
	}
	if h.address != "" {
		if address, err = netip.ParseAddr(h.address); err != nil || !address.Is4() {
			return nil, address, fmt.Errorf("--azure-hop: %q is not an IPv4 address", h.address)
		}
	}
	for _, text := range h.routes {
		r := hopRoute{text: text}
		words := strings.Split(text, "/")
		switch {
		case len(words) == 3 && words[0] != "" && words[1] != "" && words[2] != "":
			r.table, r.route = azure.RouteTable{ResourceGroup: words[0], Name: words[1]}, words[2]
		case len(words) == 11 && words[0] == "" && strings.EqualFold(words[7], "routeTables") && strings.EqualFold(words[9], "routes"):
			r.table = azure.RouteTable{ID: strings.ToLower(strings.Join(words[:9], "/")), ResourceGroup: words[4], Name: words[8]}
			r.route = words[10]
		default:
			return nil, address, fmt.Errorf("--azure-udr: %q is neither RESOURCEGROUP/TABLE/ROUTE nor the resource ID of a route", text)
		}
		list = append(list, r)
	}
	return list, address, nil
}

// setHops makes this NVA a next hop of every route of d, if the drain ends, or of none. It
// goes on after an error. Moving says whether flows may have to move: also if the hop was gone
// already, because a drain that was interrupted may have removed it a moment ago.
func (a *app) setHops(ctx context.Context, d *drain) (moving bool, err error) {
	if len(d.routes) == 0 {
		return false, nil
	}
	address, present := d.address, d.off
	var failed []error
	err = a.reachAzure(ctx, &azureAccess{timeout: hopTime, clientID: d.hops.clientID}, func(ctx context.Context, c azureClient) error {
		if err := complete(ctx, c, d.routes, &address); err != nil {
			return err
		}
		for _, r := range d.routes {
			did, err := c.SetHop(ctx, r.table, r.route, address, present)
			if moving = moving || did || err == nil && !present; err != nil {
				failed = append(failed, fmt.Errorf("%s: %s: %w", r.text, notDone(address, present), err))
			} else if !a.json() {
				line(a.Out, fmt.Sprintf("%s: %s %s", r.text, address, hopState(did, present)))
			}
		}
		return nil
	})
	if err != nil && len(failed) == 0 {
		failed = append(failed, fmt.Errorf("user-defined routes of Azure are as before: %w", err))
	} else if err != nil {
		failed = append(failed, err)
	}
	return moving, errors.Join(failed...)
}

// incomplete reports whether the flags leave out anything that follows from the VM.
func incomplete(list []hopRoute, address netip.Addr) bool {
	return len(list) > 0 && (!address.IsValid() || slices.ContainsFunc(list, func(r hopRoute) bool { return r.table.ID == "" }))
}

// complete asks Azure what the flags leave out: the VM's subscription and address.
func complete(ctx context.Context, c azureClient, list []hopRoute, address *netip.Addr) error {
	if !incomplete(list, *address) {
		return nil
	}
	s, err := c.Snapshot(ctx, arm.Ask{})
	_, elsewhere := errors.AsType[*arm.NotAzureError](err)
	switch {
	case elsewhere:
		return fmt.Errorf("%w: with --azure-hop, and the resource ID of each route", err)
	case err != nil:
		return err
	case !address.IsValid() && len(s.VM.Addresses) == 0:
		return fmt.Errorf("VM %s has no private address; give --azure-hop", s.VM.Name)
	case !address.IsValid():
		*address = s.VM.Addresses[0]
	}
	for i := range list {
		if t := &list[i].table; t.ID == "" {
			t.ID = strings.ToLower(fmt.Sprintf("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Network/routeTables/%s",
				s.VM.Subscription, t.ResourceGroup, t.Name))
		}
	}
	return nil
}

// notDone says what an error kept from happening.
func notDone(address netip.Addr, present bool) string {
	if present {
		return address.String() + " is not back among the next hops"
	}
	return "Azure still sends packets to " + address.String()
}

// hopState says what became of a next hop.
func hopState(changed, present bool) string {
	switch {
	case changed && present:
		return "is a next hop again"
	case present:
		return "was a next hop already"
	case changed:
		return "is no next hop any more"
	}
	return "was not among its next hops"
}
