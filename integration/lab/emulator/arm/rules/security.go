package rules

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// Group is a network security group with its rules: those that were written into it, and the
// default ones.
type Group struct {
	ID    string
	Rules []Rule
}

// Rule is a rule of a network security group. Addresses are prefixes, service tags, or "*".
type Rule struct {
	Name         string
	Inbound      bool
	Allow        bool
	Priority     int
	Protocol     string // Tcp, Udp, Icmp or *
	SourcePorts  []string
	Ports        []string
	Sources      []string
	Destinations []string
}

// The service tags that rules may have; the default rules have no others.
const (
	tagVNet     = "VirtualNetwork"
	tagBalancer = "AzureLoadBalancer"
	tagInternet = "Internet"
)

// Groups returns the network security groups that apply to a NIC: its subnet's and its own.
// Both must allow a packet.
func (n Network) Groups(nic NIC) []Group {
	var groups []Group
	for _, g := range []*Group{n.vnet(nic.VNet).subnet(nic.Subnet).Group, nic.Group} {
		if g != nil {
			groups = append(groups, *g)
		}
	}
	return groups
}

// sorted returns the rules in the order in which they are tried.
func (g Group) sorted() []Rule {
	return slices.SortedStableFunc(slices.Values(g.Rules), func(a, b Rule) int { return a.Priority - b.Priority })
}

// wireServer is the address of the platform, from which load balancers probe.
var wireServer = netip.MustParsePrefix("168.63.129.16/32")

// Expand returns the prefixes behind an address of a rule, for a NIC's subnet. The tag
// VirtualNetwork is the VNet, what is peered with it, what its gateways learned, the
// prefixes of user-defined routes, and the platform's address.
func (n Network) Expand(nic NIC, address string) []netip.Prefix {
	everything := netip.MustParsePrefix("0.0.0.0/0")
	switch address {
	case "*", "Any":
		return []netip.Prefix{everything}
	case tagBalancer:
		return []netip.Prefix{wireServer}
	case tagVNet:
		return n.virtualNetwork(nic)
	case tagInternet:
		return outside(n.virtualNetwork(nic))
	}
	if p, err := netip.ParsePrefix(address); err == nil {
		return []netip.Prefix{p}
	}
	if a, err := netip.ParseAddr(address); err == nil {
		return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}
	}
	return nil
}

func (n Network) virtualNetwork(nic NIC) []netip.Prefix {
	v := n.vnet(nic.VNet)
	space := slices.Clone(v.Space)
	for _, p := range v.Peerings {
		if p.Connected {
			space = append(space, n.peered(p)...)
		}
	}
	for _, g := range n.Gateways {
		if n.uses(v, g.VNet) {
			for _, r := range g.Circuit {
				space = append(space, r.Prefix)
			}
		}
	}
	for _, u := range v.subnet(nic.Subnet).User {
		if u.Type != sdn.TypeInternet && u.Prefix.Bits() > 0 {
			space = append(space, u.Prefix)
		}
	}
	return append(space, wireServer)
}

// private are the address blocks that are not the internet.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/3"),
}

// outside returns all addresses except those within the given prefixes and the private ones.
func outside(inside []netip.Prefix) []netip.Prefix {
	rest := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	for _, hole := range append(slices.Clone(private), inside...) {
		var next []netip.Prefix
		for _, p := range rest {
			next = append(next, without(p, hole)...)
		}
		rest = next
	}
	return rest
}

// without returns the parts of p that are not in hole.
func without(p, hole netip.Prefix) []netip.Prefix {
	switch {
	case !p.Overlaps(hole):
		return []netip.Prefix{p}
	case hole.Bits() <= p.Bits():
		return nil
	}
	low := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	raw := p.Addr().As4()
	raw[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	high := netip.PrefixFrom(netip.AddrFrom4(raw), p.Bits()+1)
	return append(without(low, hole), without(high, hole)...)
}

// Packet is the first packet of a flow between a NIC and a remote address. Answers pass
// without a rule.
type Packet struct {
	Inbound  bool
	Protocol string
	Remote   netip.Addr
	Port     uint16 // the destination's
}

// Allows reports whether all groups of a NIC allow a packet.
func (n Network) Allows(nic NIC, p Packet) bool {
	for _, g := range n.Groups(nic) {
		for _, r := range g.sorted() {
			if n.matches(nic, r, p) {
				if !r.Allow {
					return false
				}
				break
			}
		}
	}
	return true
}

func (n Network) matches(nic NIC, r Rule, p Packet) bool {
	source, destination := nic.Addresses[0], p.Remote
	if p.Inbound {
		source, destination = destination, source
	}
	return r.Inbound == p.Inbound && (r.Protocol == "*" || strings.EqualFold(r.Protocol, p.Protocol)) &&
		inRanges(r.Ports, p.Port) && n.within(nic, r.Sources, source) && n.within(nic, r.Destinations, destination)
}

func (n Network) within(nic NIC, addresses []string, a netip.Addr) bool {
	return slices.ContainsFunc(addresses, func(text string) bool {
		return slices.ContainsFunc(n.Expand(nic, text), func(p netip.Prefix) bool { return p.Contains(a) })
	})
}

// inRanges reports whether a port is in one of the ranges: "*", "179" or "1-10".
func inRanges(ranges []string, port uint16) bool {
	return slices.ContainsFunc(ranges, func(text string) bool {
		if text == "*" {
			return true
		}
		low, high, ok := strings.Cut(text, "-")
		if !ok {
			high = low
		}
		first, err1 := strconv.ParseUint(low, 10, 16)
		last, err2 := strconv.ParseUint(high, 10, 16)
		return err1 == nil && err2 == nil && uint64(port) >= first && uint64(port) <= last
	})
}
