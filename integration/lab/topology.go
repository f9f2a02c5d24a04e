package lab

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// Topology is an Azure deployment, or hosts that have nothing to do with Azure.
type Topology struct {
	VNets    []VNet
	Circuits []Circuit
	Segments []Segment
	Branches []Branch
}

// Segment is an Ethernet segment. Unlike a VNet it carries broadcast and multicast. Its hosts
// are attached with eth1.
type Segment struct {
	Name  string
	Hosts []VM
}

// VNet is a virtual network with what is deployed into it.
type VNet struct {
	Name    string
	Prefix  netip.Prefix
	Peers   []string
	Circuit string
	// Unconnected says that the gateway is not connected to the circuit until Connect is
	// called.
	Unconnected bool
	// RouteServer says whether the VNet has a Route Server.
	RouteServer bool
	// NVAsOf lists peered VNets whose NVAs the Route Server peers with too.
	NVAsOf []string
	// LoadBalancer is the frontend of an internal load balancer in front of the VNet's NVAs,
	// if it has one.
	LoadBalancer netip.Addr
	// RemoteGateway is the peered VNet whose gateway this one uses.
	RemoteGateway string
	UserRoutes    []SubnetRoutes
	// Internet is the address of a host on the internet, if the VNet's NVAs have public
	// addresses. A user-defined route without a next hop leads there.
	Internet netip.Addr
	VMs      []VM
}

// SubnetRoutes is the route table of a subnet, which is identified by its third octet.
type SubnetRoutes struct {
	Subnet byte
	Routes []sdn.UserRoute
	// NoPropagation keeps learned routes out of the subnet, NoPeeringRoutes the system routes
	// of peerings.
	NoPropagation, NoPeeringRoutes bool
}

// VM is a virtual machine with one NIC in the VNet's default subnet, or a host of
// a segment.
type VM struct {
	Name    string
	Address netip.Addr
	// NVA marks a VM whose NIC forwards packets and which Route Server peers
	// with under ASN.
	NVA bool
	ASN uint32
	// Unregistered leaves it to the VM to become a peer of Route Server.
	Unregistered bool
	// Tags are its tags in Azure.
	Tags map[string]string
	// Loopback is an address of the VM that its VNet does not know.
	Loopback netip.Addr
	// Public is the NVA's address on the internet, which Azure translates. If the VNet has an
	// Internet, an NVA without one can still open connections there.
	Public netip.Addr
	// Services are ports on which a VM that is not an NVA answers with the address that it
	// sees its caller under.
	Services []uint16
}

// Circuit is an ExpressRoute circuit that ends at one MSEE.
type Circuit struct {
	Name string
	// NextHops are the addresses that effective routes show for routes
	// learned over this circuit.
	NextHops []netip.Addr
	// Site is the on-premises site behind the circuit, if there is one.
	Site *Site
	// Edge is the router that the circuit leads to in place of a site.
	Edge *Edge
}

// Edge is an NVA outside Azure. It has the MSEE on bond0.1000 and the internet, with one host,
// on bond0.
type Edge struct {
	VM
	// MSEE is the MSEE's address. It shares a /30 with the VM's.
	MSEE netip.Addr
	// Uplink is the address on bond0, and Upstream the provider's. Together they are a /31.
	Uplink   netip.Addr
	Upstream netip.Addr
	// Internet is the address of the host, which knows only the uplink.
	Internet netip.Addr
}

// Branch is a site without a circuit. Its NVA is behind a NAT: eth0 leads there, eth1 to the
// site's host.
type Branch struct {
	VM
	// Public is the address of the NAT on the internet. The provider's router has the first
	// address of the same /24.
	Public netip.Addr
	// Host is a host of the site. The NVA has the first address of its /24.
	Host VM
}

// LAN returns the site's network.
func (b Branch) LAN() netip.Prefix { return netip.PrefixFrom(b.Host.Address, 24).Masked() }

// uplink returns the network between the NVA and the NAT, provider the one in front of the NAT.
func (b Branch) uplink() netip.Prefix   { return netip.PrefixFrom(b.Address, 24).Masked() }
func (b Branch) provider() netip.Prefix { return netip.PrefixFrom(b.Public, 24).Masked() }

// Site is an on-premises network with its own router.
type Site struct {
	ASN    uint32
	Prefix netip.Prefix
	// Address is an address within Prefix that answers.
	Address netip.Addr
}

// The subnets of every VNet by their third octet, as in the article's template.
const (
	subnetDefault     = 0
	subnetGateway     = 200
	subnetRouteServer = 210
)

// Subnet returns the VNet's /24 with the given third octet.
func (v VNet) Subnet(third byte) netip.Prefix {
	a := v.Prefix.Addr().As4()
	a[2], a[3] = third, 0
	return netip.PrefixFrom(netip.AddrFrom4(a), 24)
}

// RouteServers returns the addresses of the VNet's two Route Server instances.
func (v VNet) RouteServers() []netip.Addr {
	if !v.RouteServer {
		return nil
	}
	subnet := v.Subnet(subnetRouteServer)
	return []netip.Addr{host(subnet, 4), host(subnet, 5)}
}

// Gateway returns the address of the VNet's gateway.
func (v VNet) Gateway() netip.Addr { return host(v.Subnet(subnetGateway), 4) }

// onInternet reports whether the VNet is connected to the internet.
func (v VNet) onInternet() bool {
	return v.Internet.IsValid() || slices.ContainsFunc(v.VMs, func(m VM) bool { return m.Public.IsValid() })
}

// NVAs returns the VMs of the VNet that are NVAs.
func (v VNet) NVAs() []VM {
	var nvas []VM
	for _, vm := range v.VMs {
		if vm.NVA {
			nvas = append(nvas, vm)
		}
	}
	return nvas
}

// nic is a port of a VNet.
type nic struct {
	name    string
	address netip.Addr
}

// nics lists everything that is attached to the VNet.
func (v VNet) nics() []nic {
	var list []nic
	for _, m := range v.VMs {
		list = append(list, nic{m.Name, m.Address})
	}
	for i, a := range v.RouteServers() {
		list = append(list, nic{rsNode(v.Name, i), a})
	}
	if v.Circuit != "" {
		list = append(list, nic{gatewayNode(v.Name), v.Gateway()})
	}
	return list
}

// spokes lists the VNets that use the gateway of v.
func (t Topology) spokes(v VNet) []VNet {
	var list []VNet
	for _, s := range t.VNets {
		if s.RemoteGateway == v.Name {
			list = append(list, s)
		}
	}
	return list
}

// addRouteTables gives each subnet with VMs a route table, so that routes can be added to it
// while the lab is up.
func (t Topology) addRouteTables() {
	for i := range t.VNets {
		v := &t.VNets[i]
		for _, m := range v.VMs {
			third := m.Address.As4()[2]
			if !slices.ContainsFunc(v.UserRoutes, func(r SubnetRoutes) bool { return r.Subnet == third }) {
				v.UserRoutes = append(v.UserRoutes, SubnetRoutes{Subnet: third})
			}
		}
	}
}

// peersOfRouteServer lists the NVAs that the Route Server of v peers with.
func (t Topology) peersOfRouteServer(v VNet) []VM {
	list := v.NVAs()
	for _, name := range v.NVAsOf {
		p, _ := t.vnet(name)
		list = append(list, p.NVAs()...)
	}
	return slices.DeleteFunc(list, func(m VM) bool { return m.Unregistered })
}

// circuitHops returns the next hops that effective routes show for a circuit.
func (t Topology) circuitHops(name string) []netip.Addr {
	for _, c := range t.Circuits {
		if c.Name == name {
			return c.NextHops
		}
	}
	return nil
}

// Hosts returns all VMs, and the hosts outside VNets.
func (t Topology) Hosts() []VM {
	var hosts []VM
	for _, v := range t.VNets {
		hosts = append(hosts, v.VMs...)
	}
	return append(hosts, t.outside()...)
}

// outside returns the hosts of all segments, the edges and the branches.
func (t Topology) outside() []VM {
	var hosts []VM
	for _, s := range t.Segments {
		hosts = append(hosts, s.Hosts...)
	}
	for _, c := range t.Circuits {
		if c.Edge != nil {
			hosts = append(hosts, c.Edge.VM)
		}
	}
	for _, b := range t.Branches {
		hosts = append(hosts, b.VM, b.Host)
	}
	return hosts
}

// vnet returns the VNet of that name.
func (t Topology) vnet(name string) (VNet, bool) {
	for _, v := range t.VNets {
		if v.Name == name {
			return v, true
		}
	}
	return VNet{}, false
}

func host(p netip.Prefix, last byte) netip.Addr {
	a := p.Addr().As4()
	a[3] = last
	return netip.AddrFrom4(a)
}
