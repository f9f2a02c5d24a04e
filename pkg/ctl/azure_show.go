package ctl

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/azure/arm"
)

func (a *app) azureShowCommand(at *azureAccess) *cobra.Command {
	q := &azureQuestion{Ask: arm.Ask{Routes: true}}
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show this NVA as Azure sees it",
		Long: `Show this NVA as Azure sees it: its NICs with their effective routes and
security rules, its Route Server with the peers, the VNets and their peerings,
and the gateways. What may not be read is listed at the end. nvad is not asked.

A spoke's NIC is given as NAME, RESOURCEGROUP/NAME or resource ID.`,
		Example: `  nvactl azure show
  nvactl azure show --spoke rg-nva/vm-hub100-nic
  nvactl azure show -o json | jq .route_servers`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			saved, err := a.snapshotOf(cmd.Context(), at, q)
			switch {
			case err != nil:
				return failed(err)
			case a.json():
				writeValue(a.Out, saved.Snapshot)
			default:
				a.printSnapshot(&saved.Snapshot)
			}
			return nil
		},
	}
	q.register(cmd)
	q.fromFile(cmd)
	return cmd
}

func (a *app) printSnapshot(s *azure.Snapshot) {
	p := a.newPage()
	p.heading("%s in resource group %s, %s", s.VM.Name, s.VM.ResourceGroup, s.VM.Location)
	p.field("Subscription", s.VM.Subscription)
	p.field("Read", joined(", ", s.Taken.UTC().Format(time.DateTime)+" UTC", s.Cloud))
	p.field("Tags", tagsText(s.VM.Tags))
	for i := range s.NICs {
		nicFields(p, s, &s.NICs[i])
	}
	for i := range s.RouteServers {
		routeServerFields(p, s, &s.RouteServers[i])
	}
	for i := range s.VNets {
		if central(s, s.VNets[i].ID) {
			vnetFields(p, s, &s.VNets[i])
		}
	}
	p.heading("Gateways")
	for _, g := range s.Gateways {
		p.field(g.Name, joined(", ", g.Type, "in "+nameOfID(g.VNet), when(g.ActiveActive, "active-active"), when(g.ASN > 0, asName(g.ASN)),
			amount("learned", g.Learned), amount("advertised", g.Advertised)))
	}
	p.heading("Other NVAs")
	for _, vm := range s.NVAs {
		p.field(vm.Name, joined(", ", addresses(vm.Addresses), "resource group "+vm.ResourceGroup))
	}
	p.print()
	items(a, "\nNot read", s.Missing, func(m azure.Missing) string { return m.Reason })
}

func nicFields(p *page, s *azure.Snapshot, n *azure.NIC) {
	p.heading("NIC %s%s", n.Name, map[bool]string{false: ", of another VM", true: when(n.Primary, ", primary")}[n.VM == s.VM.ID])
	p.field("Addresses", addresses(n.Addresses)+when(n.PublicIP, ", and a public one"))
	p.field("IP forwarding", onOff(n.IPForwarding))
	subnet, ok := subnetOf(s, n)
	if ok {
		p.field("Subnet", fmt.Sprintf("%s/%s, %s", nameOfID(n.VNet), subnet.Name, prefixes(subnet.Prefixes)))
		p.field("Way out", wayOut(n, subnet))
		if t := subnet.RouteTable; t != nil {
			p.field("Route table", fmt.Sprintf("%s, %s, propagation %s", t.Name, count(len(t.Routes), "route"), onOff(t.Propagation)))
		}
	} else {
		p.field("Subnet", nameOfID(n.VNet)+"/"+nameOfID(n.Subnet))
	}
	p.field("Routes", orMissing(s, n.ID, azure.WhatEffectiveRoutes, effectiveText(n.Routes)))
	p.field("Security", orMissing(s, n.ID, azure.WhatEffectiveRules, rulesText(n.Rules)))
}

// wayOut says how packets of this VM itself get to the internet. Since March 2026,
// Azure gives a new subnet no way out of its own accord.
func wayOut(n *azure.NIC, subnet azure.Subnet) string {
	switch {
	case n.PublicIP:
		return "public address"
	case subnet.NATGateway:
		return "NAT gateway"
	case subnet.DefaultOutbound == nil:
		return ""
	case *subnet.DefaultOutbound:
		return "default outbound access"
	}
	return "none, unless a route leads to one"
}

// effectiveText counts effective routes, and how many of them come from where.
func effectiveText(list []azure.EffectiveRoute) string {
	active, invalid := map[string]int{}, 0
	for _, r := range list {
		if r.Active {
			active[r.Source]++
		} else {
			invalid++
		}
	}
	text := fmt.Sprintf("%d effective", len(list)-invalid)
	for _, source := range []struct{ key, word string }{
		{"Default", "of Azure itself"}, {"VirtualNetworkGateway", "from Route Server and gateways"}, {"User", "user-defined"},
	} {
		text += when(active[source.key] > 0, fmt.Sprintf(", %d %s", active[source.key], source.word))
	}
	return text + when(invalid > 0, fmt.Sprintf("; %d without effect", invalid))
}

// rulesText counts the security rules of each group.
func rulesText(list []azure.SecurityRule) string {
	type tally struct{ inbound, outbound, denies int }
	var groups []string
	tallies := map[string]*tally{}
	for _, r := range list {
		t := tallies[r.Group]
		if t == nil {
			t = &tally{}
			tallies[r.Group] = t
			groups = append(groups, r.Group)
		}
		if r.Inbound {
			t.inbound++
		} else {
			t.outbound++
		}
		if !r.Allow {
			t.denies++
		}
	}
	var out []string
	for _, g := range groups {
		t := tallies[g]
		out = append(out, fmt.Sprintf("%s: %s in and %d out, %d of them deny", nameOfID(g), count(t.inbound, "rule"), t.outbound, t.denies))
	}
	return cmp.Or(strings.Join(out, "; "), "no network security group")
}

func routeServerFields(p *page, s *azure.Snapshot, rs *azure.RouteServer) {
	p.heading("Route Server %s", rs.Name)
	p.field("Instances", addresses(rs.Addresses)+fmt.Sprintf(", AS %d, in %s", rs.ASN, nameOfID(rs.VNet)))
	p.field("Branch-to-branch", onOff(rs.BranchToBranch))
	p.field("Preference", rs.Preference)
	p.field("State", joined(", ", rs.ProvisioningState, prefixed("routing ", rs.RoutingState)))
	for _, c := range rs.Connections {
		p.field("Peer", joined(", ", c.Name, c.Peer.String()+when(slices.Contains(s.VM.Addresses, c.Peer), " (this NVA)"), asName(c.ASN),
			when(c.ProvisioningState != "Succeeded", c.ProvisioningState), c.State, instancesText(c.Instances)))
	}
}

// instancesText counts the routes of each instance.
func instancesText(list []azure.Instance) string {
	var learned, advertised []string
	for _, i := range list {
		learned = append(learned, fmt.Sprint(len(i.Learned)))
		advertised = append(advertised, fmt.Sprint(len(i.Advertised)))
	}
	return when(len(list) > 0, fmt.Sprintf("learned %s routes, advertised %s", strings.Join(learned, " and "), strings.Join(advertised, " and ")))
}

// central reports whether a VNet has a section of its own. A hub may have hundreds of
// spokes, whose side of the peering stands beside the hub's.
func central(s *azure.Snapshot, vnet string) bool {
	return slices.ContainsFunc(s.NICs, func(n azure.NIC) bool { return n.VNet == vnet }) ||
		slices.ContainsFunc(s.RouteServers, func(rs azure.RouteServer) bool { return rs.VNet == vnet })
}

// mostPeerings bounds how many peerings of a VNet are shown.
const mostPeerings = 50

func vnetFields(p *page, s *azure.Snapshot, v *azure.VNet) {
	p.heading("VNet %s%s", v.Name, when(v.ID == s.VM.VNet, ", of this VM"))
	p.field("Space", prefixes(v.Space))
	for i, peering := range v.Peerings {
		if i == mostPeerings {
			p.field("Peering", fmt.Sprintf("and %d more (--output json has them)", len(v.Peerings)-i))
			break
		}
		text := fmt.Sprintf("to %s, %s: %s", nameOfID(peering.Remote), prefixes(peering.Space), peeringText(peering))
		if back := peeringBack(s, v.ID, peering.Remote); back != nil && !central(s, peering.Remote) {
			text += "; from there: " + peeringText(*back)
		}
		p.field("Peering", text)
	}
}

// peeringBack returns the other side of a peering, nil if it could not be read.
func peeringBack(s *azure.Snapshot, vnet, remote string) *azure.Peering {
	for _, v := range s.VNets {
		for i, p := range v.Peerings {
			if v.ID == remote && p.Remote == vnet {
				return &v.Peerings[i]
			}
		}
	}
	return nil
}

func peeringText(p azure.Peering) string {
	return joined(", ", strings.ToLower(p.State), when(p.Sync != "" && p.Sync != "FullyInSync", p.Sync),
		when(!p.AllowVNetAccess, "no access"), "forwarded traffic "+map[bool]string{true: "allowed", false: "dropped"}[p.AllowForwardedTraffic],
		when(p.AllowGatewayTransit, "gateway transit"), when(p.UseRemoteGateways, "uses remote gateways"),
		when(!p.CompleteVNets, "only some subnets"))
}

func subnetOf(s *azure.Snapshot, n *azure.NIC) (azure.Subnet, bool) {
	for _, v := range s.VNets {
		if i := slices.IndexFunc(v.Subnets, func(sub azure.Subnet) bool { return sub.ID == n.Subnet }); i >= 0 {
			return v.Subnets[i], true
		}
	}
	return azure.Subnet{}, false
}

// orMissing returns text unless that part of the resource could not be read.
func orMissing(s *azure.Snapshot, id string, what azure.What, text string) string {
	if slices.ContainsFunc(s.Missing, func(m azure.Missing) bool { return m.ID == id && m.What == what }) {
		return "not read, see below"
	}
	return text
}

// nameOfID returns the name of a resource, the last word of its ID.
func nameOfID(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

func onOff(on bool) string { return map[bool]string{true: "on", false: "off"}[on] }

func amount(word string, n *int) string {
	if n == nil {
		return ""
	}
	return fmt.Sprintf("%s %d", word, *n)
}

func addresses(list []netip.Addr) string  { return texts(list, "no address") }
func prefixes(list []netip.Prefix) string { return texts(list, "none") }

func texts[T fmt.Stringer](list []T, none string) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = v.String()
	}
	return orNone(words, none)
}

func tagsText(tags map[string]string) string {
	var out []string
	for k, v := range tags {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
