package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Tunnel is a VXLAN or WireGuard device.
type Tunnel struct {
	Name      string
	Type      TunnelType
	VNI       uint32
	Device    string     // underlay device; may be empty if Local is set
	Local     netip.Addr // source of outer packets; invalid: the first address of Device
	Remotes   []netip.Addr
	Group     netip.Addr // multicast group instead of Remotes; needs Device
	Port      uint16     // UDP destination port
	MTU       int        // bytes; 0: the underlay's less the encapsulation
	MSSClamp  MSSClamp
	TTL       int // of outer packets; 0: the kernel's choice
	Learning  bool
	Addresses []netip.Prefix
	Peers     []TunnelPeer // who owns which address in the tunnel
	BFD       BFD          // for the far ends, see [Config.FarEnds]
	WireGuard WireGuard    // with type = "wireguard"; the keys of VXLAN are zero then
}

// TunnelPeer says which remote an address in a tunnel belongs to.
type TunnelPeer struct{ Remote, Address netip.Addr }

// String returns the peer in the form of the file.
func (p TunnelPeer) String() string { return p.Remote.String() + "=" + p.Address.String() }

// MSSClamp is the maximum segment size of TCP connections through a tunnel, in bytes.
type MSSClamp int

// Values of an [MSSClamp] that are not sizes.
const (
	MSSAuto MSSClamp = 0  // whatever fits the tunnel's MTU
	MSSOff  MSSClamp = -1 // leave it to the hosts
)

// defaultTunnel returns a tunnel without any key set. Learning is on, as with
// `ip link add type vxlan`: the MAC address of a remote without nvad is unknown.
func defaultTunnel() Tunnel {
	return Tunnel{Port: 4789, Learning: true}
}

var tunnelTable = tunnelSection{tomlfile.Array[Config, Tunnel]{
	Key: "tunnel", ID: "name", Doc: "VXLAN and WireGuard devices, one table each.", New: defaultTunnel, Gone: DeviceRecreated,
	Of:   func(c *Config) *[]Tunnel { return &c.Tunnels },
	Name: func(t *Tunnel) string { return t.Name }, Fields: tunnelFields,
}}

// tunnelFields returns the keys of tunnels of any type.
func tunnelFields(t *Tunnel) []tomlfile.Field {
	return slices.Concat(nameField(t), typeField(t), vxlanFields(t), peersField(t), commonFields(t), peerFields(&t.WireGuard))
}

func nameField(t *Tunnel) []tomlfile.Field {
	return []tomlfile.Field{{Key: "name", Value: tomlfile.Text(&t.Name, tomlfile.Interface), Example: `"vxlan0"`, Required: true, Shown: true, Impact: DeviceRecreated,
		Doc: "Name of the device that nvad creates."}}
}

func typeField(t *Tunnel) []tomlfile.Field {
	return []tomlfile.Field{{Key: "type", Value: tomlfile.WordFor(&t.Type, []string{"vxlan", "wireguard"}, TunnelVXLAN, TunnelWireGuard), Impact: DeviceRecreated,
		Doc: "\"vxlan\" carries Ethernet frames in plain text; \"wireguard\" encrypts IP packets. Each has keys of its own."}}
}

// vxlanFields returns the keys that only VXLAN has.
func vxlanFields(t *Tunnel) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "vni", Value: tomlfile.Number(&t.VNI, 1, 1<<24-1), Example: "77", Shown: true, Impact: DeviceRecreated,
			Doc: "VXLAN network identifier. Required for VXLAN."},
		{Key: "device", Value: tomlfile.Text(&t.Device, tomlfile.Interface), Example: `"eth0"`, Shown: true, Impact: DeviceRecreated,
			Doc: "Underlay device. Required for VXLAN unless local is set."},
		{Key: "local", Value: tomlfile.Address(&t.Local, tomlfile.Unicast), Example: `"10.0.0.4"`, Impact: DeviceRecreated,
			Doc: "Source address of the outer packets. Default: the first address of device."},
		{Key: "remotes", Value: tomlfile.Addresses(&t.Remotes), Example: `["10.10.0.4"]`, Shown: true,
			Doc: "Underlay addresses of the other ends."},
		{Key: "group", Value: tomlfile.Address(&t.Group, tomlfile.Multicast), Example: `"239.1.1.1"`, Impact: DeviceRecreated,
			Doc: "Multicast group to use instead of remotes. Azure does not carry multicast. Everyone who can reach the group can " +
				"join the tunnel: protect its neighbors with a password."},
		{Key: "port", Value: tomlfile.Number(&t.Port, 1, tomlfile.MaxUint16), Impact: DeviceRecreated,
			Doc: "UDP destination port."},
		{Key: "ttl", Value: tomlfile.Number(&t.TTL, 0, 255), Impact: DeviceRecreated,
			Doc: "TTL of the outer packets; 0 leaves it to the kernel."},
		{Key: "learning", Value: tomlfile.Bool(&t.Learning), Impact: DeviceRecreated,
			Doc: "Learn from received packets which remote has which MAC address. nvad knows the MAC addresses of remotes that " +
				"run nvad. Without learning, a packet to a remote that does not run nvad is sent to all remotes."},
	}
}

func peersField(t *Tunnel) []tomlfile.Field {
	return []tomlfile.Field{{Key: "peers", Value: tunnelPeers(&t.Peers), Example: `["10.10.0.4=169.254.0.2"]`,
		Doc: "VXLAN: which address in the tunnel belongs to which remote. nvad drops packets, ARP too, that claim such an address " +
			"but come from another remote. With a single remote, all addresses belong to it. WireGuard: a list of tables, one tunnel " +
			"each, with the keys in which it differs from this one: peers = [{ name = \"wg1\", public-key = \"...\", address = \"...\" }]."}}
}

// commonFields returns the keys that tunnels of every type have.
func commonFields(t *Tunnel) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "mtu", Value: tomlfile.Number(&t.MTU, 576, 65535), Example: "1450",
			Doc: "MTU of the device, in bytes. Default: the underlay's MTU less the encapsulation."},
		{Key: "mss-clamp", Value: mssClamp(&t.MSSClamp),
			Doc: `Maximum segment size of TCP connections through the tunnel, in bytes: a number, "auto" for what fits the MTU, ` +
				`or "off" to leave it unchanged.`},
		{Key: "address", Value: tomlfile.InterfaceAddresses(&t.Addresses), Example: `"169.254.0.1/24"`, Shown: true,
			Doc: "Address of the device with its prefix length, or a list of them."},
		{Key: "bfd", Value: bfd(&t.BFD), Example: "{ min-tx = 100, min-rx = 100 }",
			Doc: "Watch the far ends with single-hop BFD within the tunnel (RFC 5881): true, or a table as for a neighbor. Far " +
				"ends are the gateways of static routes that lie in a subnet of address. When one stops answering, its routes " +
				"are removed from the kernel."},
	}
}

// tunnelPeers returns a Value for a list of REMOTE=ADDRESS, as --remote-nva of "nvad bootstrap"
// has it.
func tunnelPeers(p *[]TunnelPeer) tomlfile.Value {
	const one = "REMOTE=ADDRESS-IN-THE-TUNNEL (10.10.0.4=169.254.0.2)"
	return tomlfile.List[TunnelPeer]{
		Kind: "list of REMOTE=ADDRESS", Want: "a list of " + one,
		TOML:     func(p TunnelPeer) string { return tomlfile.Quote(p.String()) },
		Identity: func(p TunnelPeer) any { return p.Address },
		Parse: func(c tomlfile.Cell) (TunnelPeer, bool) {
			s, ok := c.Text(one)
			if !ok {
				return TunnelPeer{}, false
			}
			remote, inner, _ := strings.Cut(s, "=")
			a, err := netip.ParseAddr(remote)
			b, err2 := netip.ParseAddr(inner)
			if err != nil || err2 != nil || a.Is4In6() || b.Is4In6() || a.Zone()+b.Zone() != "" {
				c.Want(one)
				return TunnelPeer{}, false
			}
			return TunnelPeer{a, b}, true
		},
	}.At(p)
}

// Segment sizes for the smallest and the largest MTU of IPv4.
const minMSS, maxMSS = 536, 65495

// mssClamp returns a Value for "auto", "off" or a size.
func mssClamp(p *MSSClamp) tomlfile.Value {
	return tomlfile.Custom(`"auto", "off" or number`, func(c tomlfile.Cell) {
		n, isNumber := c.Val.(int64)
		switch {
		case c.Val == "auto":
			*p = MSSAuto
		case c.Val == "off":
			*p = MSSOff
		case isNumber && n >= minMSS && n <= maxMSS:
			*p = MSSClamp(n)
		default:
			c.Fail("want \"auto\", \"off\" or a number from %d to %d, got %s", minMSS, maxMSS, tomlfile.Show(c.Val))
		}
	}, func() string {
		switch *p {
		case MSSAuto:
			return `"auto"`
		case MSSOff:
			return `"off"`
		}
		return strconv.Itoa(int(*p))
	})
}

func (v *checker) tunnel(i int) {
	t := &v.cfg.Tunnels[i]
	key := v.src.Elem("tunnel", i, t.Name)
	if t.Name != "" {
		v.distinct("tunnel", "name", i, t.Name, func(j int) bool { return v.cfg.Tunnels[j].Name == t.Name })
	}
	switch t.Type {
	case TunnelVXLAN:
		v.vxlan(key, i, t)
	case TunnelWireGuard:
		v.wireguard(key, i, t)
	}
	v.tunnelAddresses(key, t)
	if most := t.MTU - 40; t.MTU > 0 && int(t.MSSClamp) > most {
		v.fail(key+".mss-clamp", "an MTU of %d has room for segments of at most %d bytes", t.MTU, most)
	}
}

// vxlan checks a VXLAN tunnel.
func (v *checker) vxlan(key string, i int, t *Tunnel) {
	if t.VNI == 0 && !v.has(key+".vni") {
		v.fail(key+".vni", "required key is missing")
	}
	for j := range i {
		if o := v.cfg.Tunnels[j]; t.VNI != 0 && o.Type == TunnelVXLAN && o.VNI == t.VNI && o.Port == t.Port && o.Name != t.Name {
			v.fail(key+".vni", "VNI %d with port %d is already used by tunnel %s; use another vni or port", t.VNI, t.Port, o.Name)
		}
	}
	for j := range i {
		if o := v.cfg.Tunnels[j]; o.Type == TunnelWireGuard && o.WireGuard.ListenPort == t.Port {
			v.fail(key+".port", "UDP port %d is already used by tunnel %s; use another port", t.Port, o.Name)
		}
	}
	v.tunnelEnds(key, t)
	v.tunnelPeers(key, t)
}

// tunnelEnds checks the keys of the underlay.
func (v *checker) tunnelEnds(key string, t *Tunnel) {
	remotes, group := v.has(key+".remotes"), v.has(key+".group")
	device, local := v.has(key+".device"), v.has(key+".local")
	switch {
	case remotes && group:
		v.fail(key+".group", "remotes and group exclude each other; remove one")
	case !remotes && !group:
		v.fail(key+".remotes", "required key is missing: set remotes, or a multicast group")
	}
	switch {
	case !device && !local:
		v.fail(key+".device", "required key is missing: set device, local, or both")
	case group && !device:
		v.fail(key+".device", "required key is missing: a multicast group needs a device")
	case device && t.Device == t.Name:
		v.fail(key+".device", "a tunnel can't be its own underlay; name the device that carries the outer packets")
	}
	v.underlayFamily(key, t)
}

func (v *checker) underlayFamily(key string, t *Tunnel) {
	ends := t.underlay()
	for _, a := range ends {
		if a.Is4() != ends[0].Is4() {
			v.fail(key+".remotes "+key+".group", "%s and %s belong to different address families; the outer packets can use only one", ends[0], a)
			return
		}
	}
	if slices.Contains(t.Remotes, t.Local) {
		v.fail(key+".remotes", "%s is the address in local; list only the other ends", t.Local)
	}
}

// underlay returns all underlay addresses of a VXLAN tunnel in the file.
func (t *Tunnel) underlay() []netip.Addr {
	var out []netip.Addr
	for _, a := range append([]netip.Addr{t.Local, t.Group}, t.Remotes...) {
		if a.IsValid() {
			out = append(out, a)
		}
	}
	return out
}

func (v *checker) tunnelAddresses(key string, t *Tunnel) {
	for _, a := range t.underlay() {
		v.outerAddress(key, t, a)
	}
	for _, p := range t.Addresses {
		if p.Addr().Is6() && t.MTU > 0 && t.MTU < 1280 {
			v.fail(key+".mtu", "IPv6 needs an MTU of at least 1280, got %d", t.MTU)
		}
	}
}

// outerAddress reports subnets of a tunnel that contain an address of its outer packets.
func (v *checker) outerAddress(key string, t *Tunnel, outer netip.Addr) {
	for _, p := range t.Addresses {
		if p.Contains(outer) {
			v.fail(key+".address", "%s contains the underlay address %s, whose packets would then enter the tunnel; use another subnet", p, outer)
		}
	}
}

// tunnelPeers reports peers that would protect no address.
func (v *checker) tunnelPeers(key string, t *Tunnel) {
	for _, p := range t.Peers {
		own := func(a netip.Prefix) bool { return a.Addr() == p.Address }
		within := func(a netip.Prefix) bool { return a.Contains(p.Address) }
		switch {
		case !slices.Contains(t.Remotes, p.Remote):
			v.fail(key+".peers", "%s: %s is not in remotes", p, p.Remote)
		case slices.ContainsFunc(t.Addresses, own):
			v.fail(key+".peers", "%s: %s is this NVA's own address in the tunnel", p, p.Address)
		case !slices.ContainsFunc(t.Addresses, within):
			v.fail(key+".peers", "%s: %s is in no subnet of the tunnel's address", p, p.Address)
		}
	}
}

// FarEnd is another end of a tunnel to which static routes lead.
type FarEnd struct {
	Local  netip.Addr // the tunnel's own address in the subnet of both
	Remote netip.Addr
}

// FarEnds returns the gateways of static routes that are in a subnet of t, in the order
// of the routes.
func (c *Config) FarEnds(t *Tunnel) []FarEnd {
	var out []FarEnd
	for i := range c.Statics {
		for _, g := range c.Statics[i].Hops() {
			a := g.Address
			if !a.IsValid() || g.Device != "" && g.Device != t.Name {
				continue
			}
			i := slices.IndexFunc(t.Addresses, func(p netip.Prefix) bool { return p.Contains(a) && p.Addr() != a })
			if i < 0 {
				continue
			}
			if end := (FarEnd{t.Addresses[i].Addr(), a}); !slices.Contains(out, end) {
				out = append(out, end)
			}
		}
	}
	return out
}

// HasTunnel reports whether there is a tunnel with this name.
func (c *Config) HasTunnel(name string) bool {
	return slices.ContainsFunc(c.Tunnels, func(t Tunnel) bool { return t.Name == name })
}
