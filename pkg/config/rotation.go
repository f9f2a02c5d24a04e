package config

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/tunnel"
)

// A WireGuard device has one key, so a new key means a second tunnel beside the first, which then
// takes over (ADR 0027).

var successorName = regexp.MustCompile(`^(.+)k([1-9][0-9]{0,5})$`)

// Successor returns the name of the tunnel with the next key: wg0k2 for wg0, wg0k3 for wg0k2. No
// name comes twice, so that no old key is used again.
func Successor(name string) string {
	if m := successorName.FindStringSubmatch(name); m != nil {
		n, _ := strconv.Atoi(m[2])
		return m[1] + "k" + strconv.Itoa(n+1)
	}
	return name + "k2"
}

// NewEnd describes the other end of a tunnel's successor, as the other NVA prints it.
type NewEnd struct {
	Key     tunnel.Key
	Port    uint16         // where it listens; 0: it always calls first
	Subnets []netip.Prefix // of the tunnel, in the order of its addresses; empty: the next free ones
}

// Rotate returns the configuration with the successor of a WireGuard tunnel, and with a neighbor in
// it for each neighbor in the tunnel. It returns an error if BGP would not move all traffic to the
// successor.
func (c *Config) Rotate(name string, end NewEnd) (*Config, error) {
	old, err := c.rotatable(name)
	if err != nil {
		return nil, err
	}
	t := *old
	t.Name, t.WireGuard.PrivateKeyFile, t.WireGuard.PrivateKey = Successor(name), "", tunnel.Secret{}
	t.WireGuard.PublicKey = end.Key
	t.WireGuard.ListenPort = c.freePort(old.WireGuard.ListenPort)
	switch {
	case end.Port == 0 && t.WireGuard.ListenPort == 0:
		return nil, errors.New("both ends have listen-port = 0, so neither could call the other")
	case end.Port == 0:
		t.WireGuard.Endpoint = Endpoint{}
	case t.WireGuard.Endpoint.Host != "":
		t.WireGuard.Endpoint.Port = end.Port
	}
	subnets, err := c.subnets(old, end.Subnets)
	if err != nil {
		return nil, err
	}
	t.Addresses = slices.Clone(old.Addresses)
	for i, p := range t.Addresses {
		t.Addresses[i] = netip.PrefixFrom(move(p.Addr(), subnets[i]), p.Bits())
	}
	next := *c
	next.Tunnels = append(slices.Clone(c.Tunnels), t)
	for _, n := range c.Neighbors {
		i := slices.IndexFunc(old.Addresses, func(p netip.Prefix) bool { return p.Contains(n.Address) })
		if i < 0 {
			continue
		}
		n.Address = move(n.Address, subnets[i])
		if n.LocalAddress.IsValid() {
			n.LocalAddress = t.Addresses[i].Addr()
		}
		next.Neighbors = append(slices.Clip(next.Neighbors), n)
	}
	return &next, nil
}

// rotatable returns a WireGuard tunnel whose traffic BGP can move to another one.
func (c *Config) rotatable(name string) (*Tunnel, error) {
	i := slices.IndexFunc(c.Tunnels, func(t Tunnel) bool { return t.Name == name })
	switch {
	case i < 0:
		return nil, fmt.Errorf("no tunnel %s is configured", tomlfile.Show(name))
	case c.Tunnels[i].Type != TunnelWireGuard:
		return nil, fmt.Errorf("tunnel %s is no WireGuard tunnel and has no key", name)
	}
	t := &c.Tunnels[i]
	if err := tomlfile.Interface(Successor(name)); err != nil {
		return nil, fmt.Errorf("the tunnel with the next key: %w; follow docs/wireguard.md by hand, with a shorter name", err)
	}
	for _, other := range c.Tunnels {
		if other.Device == name {
			return nil, fmt.Errorf("tunnel %s runs inside %s, and would not move to another tunnel without loss", other.Name, name)
		}
	}
	through := func(s Static) bool {
		return s.Device == name || slices.ContainsFunc(s.Hops(), func(g Gateway) bool {
			return g.Device == name || g.Address.IsValid() && t.contains(g.Address)
		})
	}
	if i := slices.IndexFunc(c.Statics, through); i >= 0 {
		return nil, fmt.Errorf("static route %s leads through %s, and only BGP moves traffic without loss: replace it by a neighbor first", c.Statics[i].Prefix, name)
	}
	if len(c.Within(name)) == 0 {
		return nil, fmt.Errorf("no neighbor is in %s, and only BGP moves traffic without loss", name)
	}
	return t, nil
}

func (t *Tunnel) contains(a netip.Addr) bool {
	return slices.ContainsFunc(t.Addresses, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Within returns the addresses of the neighbors in a subnet of the tunnel of that name.
func (c *Config) Within(name string) (list []netip.Addr) {
	for i := range c.Tunnels {
		for _, n := range c.Neighbors {
			if c.Tunnels[i].Name == name && c.Tunnels[i].contains(n.Address) {
				list = append(list, n.Address)
			}
		}
	}
	return list
}

// Without returns the configuration without a tunnel that was rotated and the neighbors in it.
// Where [health] names the tunnel, it names the successor instead.
func (c *Config) Without(name string) *Config {
	next, gone := *c, c.Within(name)
	next.Tunnels = slices.DeleteFunc(slices.Clone(c.Tunnels), func(t Tunnel) bool { return t.Name == name })
	next.Neighbors = slices.DeleteFunc(slices.Clone(c.Neighbors), func(n Neighbor) bool { return slices.Contains(gone, n.Address) })
	next.Groups = maps.Clone(c.Groups)
	for name, g := range next.Groups {
		g.Listed = slices.DeleteFunc(slices.Clone(g.Listed), func(a netip.Addr) bool { return slices.Contains(gone, a) })
		next.Groups[name] = g
	}
	next.Health.Tunnels = slices.Clone(c.Health.Tunnels)
	for i, t := range next.Health.Tunnels {
		if t == name {
			next.Health.Tunnels[i] = Successor(name)
		}
	}
	return &next
}

// Sections returns the sections of the normalised form of a configuration that the other one does
// not have in the same words.
func (c *Config) Sections(other *Config) (list []string) {
	have := strings.Split(strings.TrimSpace(string(Print(other, true))), "\n\n")
	for _, s := range strings.Split(strings.TrimSpace(string(Print(c, true))), "\n\n") {
		if !slices.Contains(have, s) {
			list = append(list, s)
		}
	}
	return list
}

// freePort returns the first UDP port after one that no tunnel listens on; 0 stays 0.
func (c *Config) freePort(port uint16) uint16 {
	if port == 0 {
		return 0
	}
	for {
		if port++; port == 0 {
			port = 1024
		}
		if !slices.ContainsFunc(c.Tunnels, func(t Tunnel) bool { return t.Port == port || t.WireGuard.ListenPort == port }) {
			return port
		}
	}
}

// subnets returns the subnets of a tunnel's successor: those that were asked for, or for each
// of the tunnel's subnets the next one of the same size that no tunnel overlaps.
func (c *Config) subnets(t *Tunnel, asked []netip.Prefix) ([]netip.Prefix, error) {
	if len(asked) > 0 && len(asked) != len(t.Addresses) {
		return nil, fmt.Errorf("tunnel %s has %d subnets, so its successor needs as many, not %d", t.Name, len(t.Addresses), len(asked))
	}
	var list []netip.Prefix
	for i, p := range t.Addresses {
		if len(asked) == 0 {
			next, err := c.freeSubnet(p, list)
			if err != nil {
				return nil, err
			}
			list = append(list, next)
			continue
		}
		a := asked[i].Masked()
		if a.Bits() != p.Bits() || a.Addr().Is4() != p.Addr().Is4() {
			return nil, fmt.Errorf("subnet %s does not take the place of %s: it has another size", asked[i], p.Masked())
		}
		if used := c.overlap(a, list); used != "" {
			return nil, fmt.Errorf("subnet %s overlaps tunnel %s; choose another one on both NVAs", a, used)
		}
		list = append(list, a)
	}
	return list, nil
}

// subnetTries bounds the search for a free subnet.
const subnetTries = 4096

func (c *Config) freeSubnet(p netip.Prefix, taken []netip.Prefix) (netip.Prefix, error) {
	next := p.Masked()
	for range subnetTries {
		next = netip.PrefixFrom(lastOf(next).Next(), p.Bits())
		if !next.IsValid() {
			break
		}
		if c.overlap(next, taken) == "" {
			return next, nil
		}
	}
	return next, fmt.Errorf("no subnet is free after %s; choose one on both NVAs", p.Masked())
}

// overlap returns the name of a tunnel that overlaps p, or the subnet among those taken that does.
func (c *Config) overlap(p netip.Prefix, taken []netip.Prefix) string {
	for _, t := range c.Tunnels {
		if slices.ContainsFunc(t.Addresses, p.Overlaps) {
			return t.Name
		}
	}
	if i := slices.IndexFunc(taken, p.Overlaps); i >= 0 {
		return taken[i].String()
	}
	return ""
}

// move returns the address at the same place in another subnet of the same size.
func move(a netip.Addr, to netip.Prefix) netip.Addr {
	return merge(to.Addr(), a, to.Bits())
}

// lastOf returns the last address of p.
func lastOf(p netip.Prefix) netip.Addr {
	ones := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	if p.Addr().Is6() {
		ones = netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
	}
	return merge(p.Addr(), ones, p.Bits())
}

// merge returns an address with the first bits of one address and the others of another.
func merge(network, host netip.Addr, bits int) netip.Addr {
	n, h := network.AsSlice(), host.AsSlice()
	for i := range n {
		mask := byte(0xff)
		if left := bits - 8*i; left < 8 {
			mask = ^byte(0xff >> max(0, left))
		}
		n[i] = n[i]&mask | h[i]&^mask
	}
	a, _ := netip.AddrFromSlice(n)
	return a
}
