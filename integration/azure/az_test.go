package azure

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	fake "github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/arm/rules"
)

// azCommand is a command of the Azure CLI, and what it does to a world.
type azCommand struct {
	usage
	run func(*world, command) error
}

const named = "resource-group name subscription "

// azCommands are the commands that mends may have, with the options that the CLI's
// reference names. Where it has no option for a field, --set changes it.
var azCommands = map[string]azCommand{
	"az network routeserver update":                      {usage{named, "allow-b2b-traffic set..."}, updateRouteServer},
	"az network routeserver wait":                        {usage{named + "updated!", ""}, finishRouteServer},
	"az network routeserver peering create":              {usage{named + "routeserver peer-ip peer-asn", ""}, createPeer},
	"az network routeserver peering update":              {usage{named + "routeserver", "peer-ip peer-asn"}, updatePeer},
	"az network routeserver peering wait":                {usage{named + "routeserver updated!", ""}, updatePeer},
	"az network routeserver peering list-learned-routes": {usage{named + "routeserver", ""}, nothing},
	"az network vnet peering create": {usage{named + "vnet-name remote-vnet",
		"allow-vnet-access allow-forwarded-traffic allow-gateway-transit use-remote-gateways peer-complete-vnets local-subnet-names... remote-subnet-names..."}, createPeering},
	"az network vnet peering update":            {usage{named + "vnet-name", "set... local-subnet-names... remote-subnet-names..."}, updatePeering},
	"az network vnet peering delete":            {usage{named + "vnet-name", ""}, deletePeering},
	"az network vnet peering sync":              {usage{named + "vnet-name", ""}, syncPeering},
	"az network vnet subnet update":             {usage{named + "vnet-name", "route-table nat-gateway"}, updateSubnet},
	"az network vnet-gateway update":            {usage{named, "asn"}, nothing},
	"az network route-table create":             {usage{named + "location", ""}, createTable},
	"az network route-table update":             {usage{named, "disable-bgp-route-propagation"}, updateTable},
	"az network route-table route create":       {usage{named + "route-table-name address-prefix next-hop-type", "next-hop-ip-address next-hop"}, putRoute},
	"az network route-table route update":       {usage{named + "route-table-name", "address-prefix next-hop-type next-hop-ip-address next-hop"}, putRoute},
	"az network route-table route delete":       {usage{named + "route-table-name", "yes!"}, deleteRoute},
	"az network nic update":                     {usage{named, "ip-forwarding"}, updateNIC},
	"az network nic show-effective-route-table": {usage{named, ""}, nothing},
	"az network nsg rule create": {usage{named + "nsg-name priority",
		"direction access protocol source-address-prefixes... source-port-ranges... destination-address-prefixes... destination-port-ranges..."}, createRule},
	"az network nsg rule update":    {usage{named + "nsg-name", "priority"}, updateRule},
	"az network public-ip create":   {usage{named + "location sku", ""}, nothing},
	"az network nat gateway create": {usage{named + "location public-ip-addresses", ""}, nothing},
}

func nothing(*world, command) error { return nil }

// az runs a command of the Azure CLI in the world.
func (w *world) az(c command) error {
	a, ok := azCommands[c.verb]
	if !ok {
		return fmt.Errorf("there is no command %q", c.verb)
	}
	if err := a.check(c); err != nil {
		return err
	}
	if c.text("subscription") != fake.Subscription {
		return fmt.Errorf("%s: there is no subscription %s", c.verb, c.text("subscription"))
	}
	return a.run(w, c)
}

// id returns the ID of a resource in the command's resource group.
func (c command) id(kind string, path ...string) string {
	return fake.IDIn(c.text("subscription"), c.text("resource-group"), kind, path...)
}

// alter changes a resource, which must exist.
func alter[T any](w *world, id string, do func(*T) error) error {
	err := fmt.Errorf("there is no %s", id)
	fake.Change(w.state, id, func(r *T) { err = do(r) })
	return err
}

func updateRouteServer(w *world, c command) error {
	b2b, there, err := c.flag("allow-b2b-traffic")
	if err != nil {
		return err
	}
	return alter(w, c.id(fake.TypeHub, c.text("name")), func(h *armnetwork.VirtualHub) error {
		if there {
			h.Properties.AllowBranchToBranchTraffic = &b2b
		}
		for _, text := range c.options["--set"] {
			p, ok := strings.CutPrefix(text, "hubRoutingPreference=")
			if !ok || !slices.Contains([]string{"ASPath", "ExpressRoute", "VpnGateway"}, p) {
				return fmt.Errorf("--set %s: no such field or value", text)
			}
			h.Properties.HubRoutingPreference = to.Ptr(armnetwork.HubRoutingPreference(p))
		}
		return nil
	})
}

// finishRouteServer lets Azure finish what it does.
func finishRouteServer(w *world, c command) error {
	return alter(w, c.id(fake.TypeHub, c.text("name")), func(h *armnetwork.VirtualHub) error {
		h.Properties.ProvisioningState = to.Ptr(armnetwork.ProvisioningStateSucceeded)
		return nil
	})
}

func createPeer(w *world, c command) error {
	hub := c.id(fake.TypeHub, c.text("routeserver"))
	id := hub + "/bgpConnections/" + c.text("name")
	if _, there := fake.Get[armnetwork.BgpConnection](w.state, id); there {
		return fmt.Errorf("there is a connection %s already", id)
	}
	for _, rs := range rules.Read(w.state).RouteServers {
		if rs.ID == strings.ToLower(hub) && len(rs.Peers) >= fake.MaxPeers {
			return fmt.Errorf("%s has %d peers already", hub, len(rs.Peers))
		}
	}
	w.state.Connect(hub, c.text("name"), "0.0.0.0", 0)
	return updatePeer(w, c)
}

func updatePeer(w *world, c command) error {
	return alter(w, c.id(fake.TypeHub, c.text("routeserver"), "bgpConnections", c.text("name")), func(p *armnetwork.BgpConnection) error {
		if text := c.text("peer-ip"); text != "" {
			if _, err := netip.ParseAddr(text); err != nil {
				return err
			}
			p.Properties.PeerIP = &text
		}
		if text := c.text("peer-asn"); text != "" {
			asn, err := strconv.ParseInt(text, 10, 16+1)
			if err != nil || asn == 0 || asn == 65515 {
				return fmt.Errorf("the ASN %s is not accepted", text)
			}
			p.Properties.PeerAsn = &asn
		}
		p.Properties.ProvisioningState = to.Ptr(armnetwork.ProvisioningStateSucceeded)
		return nil
	})
}

func updateSubnet(w *world, c command) error {
	return alter(w, c.id(fake.TypeVNet, c.text("vnet-name"), "subnets", c.text("name")), func(s *armnetwork.Subnet) error {
		if name := c.text("route-table"); name != "" {
			id := c.id(fake.TypeRouteTable, name)
			s.Properties.RouteTable = &armnetwork.RouteTable{ID: &id}
		}
		if name := c.text("nat-gateway"); name != "" {
			s.Properties.NatGateway = &armnetwork.SubResource{ID: to.Ptr(c.id(fake.TypeNATGateway, name))}
		}
		return nil
	})
}

func createTable(w *world, c command) error {
	w.state.Site(c.text("subscription"), c.text("resource-group")).RouteTable(c.text("name"), true)
	return nil
}

func updateTable(w *world, c command) error {
	off, there, err := c.flag("disable-bgp-route-propagation")
	if err != nil {
		return err
	}
	return alter(w, c.id(fake.TypeRouteTable, c.text("name")), func(t *armnetwork.RouteTable) error {
		if there {
			t.Properties.DisableBgpRoutePropagation = &off
		}
		return nil
	})
}

func putRoute(w *world, c command) error {
	table := c.id(fake.TypeRouteTable, c.text("route-table-name"))
	if _, ok := fake.Get[armnetwork.RouteTable](w.state, table); !ok {
		return fmt.Errorf("there is no %s", table)
	}
	old, there := fake.Get[armnetwork.Route](w.state, table+"/routes/"+c.text("name"))
	if updates := strings.HasSuffix(c.verb, "update"); updates && !there {
		return fmt.Errorf("there is no route %s", c.text("name"))
	}
	u := fake.UserRoute{Name: c.text("name"), Prefix: c.text("address-prefix"), Type: c.text("next-hop-type")}
	if u.Prefix == "" && there {
		u.Prefix = *old.Properties.AddressPrefix
	}
	if _, err := netip.ParsePrefix(u.Prefix); err != nil {
		return err
	}
	hop, list := c.text("next-hop-ip-address"), c.text("next-hop")
	if (u.Type == "VirtualAppliance") != (hop != "") || (u.Type == fake.NextHopECMP) != (list != "") {
		return fmt.Errorf("next hop type %s with next hop %q and next hops %q", u.Type, hop, list)
	}
	switch u.Type {
	case "VirtualAppliance":
		u.Hops = []string{hop}
	case fake.NextHopECMP:
		inner, ok := strings.CutPrefix(strings.TrimSuffix(list, "]}"), "{next-hop-ip-addresses:[")
		if u.Hops = strings.Split(inner, ","); !ok || len(u.Hops) < 2 {
			return fmt.Errorf("--next-hop %s: want 2 to 64 addresses", list)
		}
	case "Internet", "None", "VnetLocal", "VirtualNetworkGateway":
	default:
		return fmt.Errorf("there is no next hop type %s", u.Type)
	}
	w.state.UserRoute(table, u)
	return nil
}

func deleteRoute(w *world, c command) error {
	id := c.id(fake.TypeRouteTable, c.text("route-table-name"), "routes", c.text("name"))
	if _, ok := fake.Get[armnetwork.Route](w.state, id); !ok {
		return fmt.Errorf("there is no %s", id)
	}
	w.state.Delete(id)
	return nil
}

func updateNIC(w *world, c command) error {
	on, there, err := c.flag("ip-forwarding")
	if err != nil || !there {
		return errors.Join(err, errors.New("nothing to update"))
	}
	return alter(w, c.id(fake.TypeNIC, c.text("name")), func(n *armnetwork.Interface) error {
		n.Properties.EnableIPForwarding = &on
		return nil
	})
}

// priority returns the priority of a security rule.
func (c command) priority() (int32, error) {
	p, err := strconv.ParseInt(c.text("priority"), 10, 32)
	if err != nil || p < 100 || p > 4096 {
		return 0, fmt.Errorf("priority %s: want 100 to 4096", c.text("priority"))
	}
	return int32(p), nil
}

func createRule(w *world, c command) error {
	return alter(w, c.id(fake.TypeSecurityGroup, c.text("nsg-name")), func(g *armnetwork.SecurityGroup) error {
		priority, err := c.priority()
		if err != nil {
			return err
		}
		p := &armnetwork.SecurityRulePropertiesFormat{
			Priority: &priority, Direction: to.Ptr(armnetwork.SecurityRuleDirection(c.text("direction"))),
			Access: to.Ptr(armnetwork.SecurityRuleAccess(c.text("access"))), Protocol: to.Ptr(armnetwork.SecurityRuleProtocol(c.text("protocol"))),
			SourceAddressPrefixes: to.SliceOfPtrs(c.options["--source-address-prefixes"]...), SourcePortRanges: to.SliceOfPtrs(c.options["--source-port-ranges"]...),
			DestinationAddressPrefixes: to.SliceOfPtrs(c.options["--destination-address-prefixes"]...), DestinationPortRanges: to.SliceOfPtrs(c.options["--destination-port-ranges"]...),
		}
		if !slices.Contains(armnetwork.PossibleSecurityRuleDirectionValues(), *p.Direction) ||
			!slices.Contains(armnetwork.PossibleSecurityRuleAccessValues(), *p.Access) || !slices.Contains(armnetwork.PossibleSecurityRuleProtocolValues(), *p.Protocol) {
			return fmt.Errorf("direction %s, access %s, protocol %s", *p.Direction, *p.Access, *p.Protocol)
		}
		for _, r := range g.Properties.SecurityRules {
			if *r.Name == c.text("name") || *r.Properties.Direction == *p.Direction && *r.Properties.Priority == *p.Priority {
				return fmt.Errorf("rule %s has the name or the priority %d already", *r.Name, priority)
			}
		}
		g.Properties.SecurityRules = append(g.Properties.SecurityRules, &armnetwork.SecurityRule{
			ID: to.Ptr(*g.ID + "/securityRules/" + c.text("name")), Name: to.Ptr(c.text("name")), Properties: p,
		})
		return nil
	})
}

func updateRule(w *world, c command) error {
	id := c.id(fake.TypeSecurityGroup, c.text("nsg-name"), "securityRules", c.text("name"))
	return alter(w, id, func(r *armnetwork.SecurityRule) error {
		priority, err := c.priority()
		if err != nil {
			return err
		}
		r.Properties.Priority = &priority
		return nil
	})
}
