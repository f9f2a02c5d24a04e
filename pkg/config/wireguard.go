package config

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/tunnel"
)

// TunnelType says what a tunnel puts around its packets.
type TunnelType uint8

// Types of tunnel.
const (
	TunnelVXLAN TunnelType = iota
	TunnelWireGuard

	tunnelUnknown // a fault in the file, after which nothing else about the tunnel is worth reporting
)

// WireGuard has the keys of a tunnel with type = "wireguard", which has one peer.
type WireGuard struct {
	ListenPort       uint16 // UDP; 0: any free one
	PrivateKeyFile   string // empty: nvad makes a key in its state directory
	PublicKey        tunnel.Key
	Endpoint         Endpoint // of the peer; zero: behind NAT
	Keepalive        time.Duration
	PresharedKeyFile string
	Roaming          bool // the peer may change its endpoint

	PrivateKey, PresharedKey tunnel.Secret // read from the files
}

// DefaultListenPort is the UDP port that WireGuard users expect.
const DefaultListenPort = 51820

// defaultWireGuard returns what a tunnel with type = "wireguard" has without further keys.
// With this keepalive, each peer has a fresh session at any time, so that silence means
// that it is dead.
var defaultWireGuard = WireGuard{ListenPort: DefaultListenPort, Keepalive: 25 * time.Second, Roaming: true}

// Endpoint is where a peer of WireGuard is reached: an address or a DNS name, and a UDP port.
type Endpoint struct {
	Host string
	Port uint16
}

// String returns the endpoint in the form of the file.
func (e Endpoint) String() string {
	if e.Host == "" {
		return ""
	}
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}

// Address returns the address of an endpoint; invalid if the host is a name.
func (e Endpoint) Address() netip.AddrPort {
	a, err := netip.ParseAddr(e.Host)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, e.Port)
}

// peerFields returns the keys of WireGuard that may differ between the peers of a template.
func peerFields(w *WireGuard) []tomlfile.Field {
	private := tomlfile.Text(&w.PrivateKeyFile, tomlfile.NotEmpty)
	private.Keys = func() any { return w.PrivateKey }
	preshared := tomlfile.Text(&w.PresharedKeyFile, tomlfile.NotEmpty)
	preshared.Keys = func() any { return w.PresharedKey }
	return []tomlfile.Field{
		{Key: "public-key", Value: publicKey(&w.PublicKey), Example: `"L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q="`,
			Doc: "WireGuard: public key of the peer, the other end. Required for type = \"wireguard\"."},
		{Key: "endpoint", Value: endpointOf(&w.Endpoint), Example: `"hub10.example.net:51820"`,
			Doc: "WireGuard: address or DNS name of the peer, with its UDP port. nvad resolves a name again while the peer is silent. " +
				"Leave it out if the peer is behind NAT and calls first."},
		{Key: "listen-port", Value: tomlfile.Number(&w.ListenPort, 0, tomlfile.MaxUint16),
			Doc: "WireGuard: UDP port of this end. Each tunnel needs its own; 0 takes any free one, for an end that always calls first."},
		{Key: "keepalive", Value: tomlfile.Seconds(&w.Keepalive, 0, tomlfile.MaxUint16, nil),
			Doc: "WireGuard: seconds between packets to a peer that is sent nothing else. They keep NAT open and the session fresh, so " +
				"that a peer without a handshake for 195 seconds is dead. 0 sends none, and then silence means nothing."},
		{Key: "private-key-file", Value: private, Example: `"wg0-key"`,
			Doc: "WireGuard: file with the private key of this end, as \"wg genkey\" writes it. A relative path is looked up in systemd's " +
				"credentials directory. Default: wireguard/NAME.key in the state directory, which nvad makes at the first start."},
		{Key: "preshared-key-file", Value: preshared, Example: `"wg0-psk"`,
			Doc: "WireGuard: file with a further key that both ends share, as \"wg genpsk\" writes it. Default: none."},
		{Key: "roaming", Value: tomlfile.Bool(&w.Roaming),
			Doc: "WireGuard: follow the peer when its authentic packets come from another address. If false, the peer stays at endpoint, and " +
				"packets from elsewhere are dropped."},
	}
}

// publicKey returns a Value for a public key. Its error does not quote the value, which may be
// a private key in the wrong place.
func publicKey(p *tunnel.Key) tomlfile.Value {
	return tomlfile.Parsed(p, "key", func(c tomlfile.Cell) (k tunnel.Key, ok bool) {
		s, ok := c.Val.(string)
		k, err := tunnel.ParseKey(s)
		if ok = ok && err == nil; !ok {
			c.Fail("want a public key of WireGuard: 44 characters of base64, as \"wg pubkey\" prints it")
		}
		return k, ok
	}, func(k tunnel.Key) string {
		if k == (tunnel.Key{}) {
			return `""`
		}
		return tomlfile.Quote(k.String())
	})
}

// endpointOf returns a Value for the endpoint of a peer.
func endpointOf(p *Endpoint) tomlfile.Value {
	const want = `an address or a DNS name with a port ("192.0.2.1:51820", "[2001:db8::1]:51820", "hub10.example.net:51820")`
	return tomlfile.Parsed(p, "address or name, with a port", func(c tomlfile.Cell) (e Endpoint, ok bool) {
		s, ok := c.Text(want)
		if !ok {
			return e, false
		}
		host, port, err := net.SplitHostPort(s)
		n, perr := strconv.ParseUint(port, 10, 16)
		addr, aerr := netip.ParseAddr(host)
		switch {
		case err != nil || perr != nil || n == 0 || aerr != nil && !isHostName(host):
			c.Want(want)
			return e, false
		case aerr == nil && (addr.Is4In6() || addr.Zone() != "" || tomlfile.Unicast(addr) != nil):
			c.Fail("%s can't be the address of a peer; want %s", addr, want)
			return e, false
		}
		return Endpoint{host, uint16(n)}, true
	}, func(e Endpoint) string { return tomlfile.Quote(e.String()) })
}

// isHostName reports whether s may be a name in the DNS (RFC 1123 section 2.1). A name of digits
// alone is a mistyped address.
func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		other := func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
		}
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, other) {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// tunnelSection reads and prints tunnels by their type, and expands templates.
type tunnelSection struct {
	tomlfile.Array[Config, Tunnel]
}

// Read implements [tomlfile.Section].
func (s tunnelSection) Read(file *tomlfile.Table, c *Config) {
	for _, sub := range file.Tables(s.Key, s.ID) {
		t := newTunnel(sub)
		misplaced(sub, &t)
		if t.Type == TunnelWireGuard && sub.Has("peers") {
			c.Tunnels = append(c.Tunnels, expand(sub, t, len(c.Tunnels))...)
			continue
		}
		tomlfile.ReadFields(sub, fieldsOf(&t))
		sub.Done()
		c.Tunnels = append(c.Tunnels, t)
	}
}

// newTunnel returns a tunnel with the defaults of its type.
func newTunnel(sub *tomlfile.Table) Tunnel {
	t := defaultTunnel()
	if !sub.Has("type") {
		return t
	}
	t.Type = tunnelUnknown
	if tomlfile.ReadFields(sub, typeField(&t)); t.Type == TunnelWireGuard {
		return Tunnel{Type: t.Type, WireGuard: defaultWireGuard}
	}
	return t
}

// misplaced reports keys of another type of tunnel.
func misplaced(sub *tomlfile.Table, t *Tunnel) {
	keys, of := peerFields(&t.WireGuard), "wireguard"
	switch t.Type {
	case TunnelWireGuard:
		keys, of = vxlanFields(t), "vxlan"
	case tunnelUnknown:
		return
	}
	for _, f := range keys {
		if c, found := sub.Get(f.Key); found {
			c.Fail("this key is for type = %q; remove it, or change type", of)
		}
	}
}

// expand returns the tunnels of a template, one for each of its peers. A peer's table has the
// keys in which it differs. The template would be tunnel i.
func expand(sub *tomlfile.Table, template Tunnel, i int) (list []Tunnel) {
	keys := slices.DeleteFunc(fieldsOf(&template), func(f tomlfile.Field) bool { return f.Key == "address" })
	tomlfile.ReadFields(sub, keys)
	if c, found := sub.Get("address"); found {
		c.Fail("each tunnel has an address of its own; move it into peers")
	}
	peers, _ := sub.Get("peers")
	sub.Done()
	const want = `a list of tables, one for each peer ({ name = "wg1", public-key = "...", address = "..." })`
	cells, ok := peers.Items(want)
	if ok && len(cells) == 0 {
		peers.Fail("the list is empty; want %s", want)
	}
	var places []tomlfile.Cell
	for _, c := range cells {
		t := template
		t.Name = ""
		if table, ok := c.Table(); ok {
			own := slices.DeleteFunc(fieldsOf(&t), func(f tomlfile.Field) bool { return f.Key == "peers" || f.Key == "type" })
			tomlfile.ReadFields(table, own)
			table.Done()
			places, list = append(places, c), append(list, t)
		}
	}
	sub.Doc.Expand("tunnel", i, places)
	return list
}

// Print implements [tomlfile.Section].
func (s tunnelSection) Print(p *tomlfile.Printer, c, _ *Config) {
	for i := range c.Tunnels {
		t, base := &c.Tunnels[i], defaultTunnel()
		lines := p.Differing(typeField(t), typeField(&base))
		if t.Type == TunnelWireGuard {
			base = Tunnel{Type: t.Type, WireGuard: defaultWireGuard}
		}
		p.Section("[["+s.Key+"]]", append(lines, p.Differing(fieldsOf(t), fieldsOf(&base))...))
	}
}

// Describe implements [tomlfile.Section].
func (s tunnelSection) Describe(c *Config) tomlfile.TableDoc {
	base := defaultTunnel()
	base.WireGuard = defaultWireGuard
	d := s.Array.Describe(c)
	d.Keys = tomlfile.Describe(&base, s.Fields)
	return d
}

// fieldsOf returns the keys that a tunnel of its type may have, besides type.
func fieldsOf(t *Tunnel) []tomlfile.Field {
	switch t.Type {
	case TunnelWireGuard:
		return slices.Concat(nameField(t), peerFields(&t.WireGuard), commonFields(t))
	case tunnelUnknown:
		return tunnelFields(&Tunnel{})
	}
	return slices.Concat(nameField(t), vxlanFields(t), peersField(t), commonFields(t))
}

// wireguard checks a tunnel of WireGuard.
func (v *checker) wireguard(key string, i int, t *Tunnel) {
	w := &t.WireGuard
	if w.PublicKey == (tunnel.Key{}) && !v.has(key+".public-key") {
		v.fail(key+".public-key", "required key is missing: the public key of the peer")
	}
	if w.ListenPort == 0 && w.Endpoint == (Endpoint{}) {
		v.fail(key+".listen-port "+key+".endpoint", "neither end could call the other: set listen-port to a port, or endpoint")
	}
	if !w.Roaming && w.Endpoint == (Endpoint{}) {
		v.fail(key+".roaming", "roaming = false needs an endpoint to keep the peer at")
	}
	for j := range i {
		o := &v.cfg.Tunnels[j]
		if o.Name == t.Name {
			continue // reported already
		}
		if w.ListenPort != 0 && o.udpPort() == w.ListenPort {
			v.fail(key+".listen-port", "UDP port %d is already used by tunnel %s; each tunnel needs its own listen-port", w.ListenPort, o.Name)
		}
		if o.WireGuard.PublicKey == w.PublicKey && w.PublicKey != (tunnel.Key{}) {
			v.fail(key+".public-key", "tunnel %s has the same peer; one tunnel to each peer is enough", o.Name)
		}
	}
	if a := w.Endpoint.Address().Addr(); a.IsValid() {
		v.outerAddress(key, t, a)
	}
}

// udpPort returns the UDP port where a tunnel listens; 0 if it does not matter which.
func (t *Tunnel) udpPort() uint16 {
	if t.Type == TunnelWireGuard {
		return t.WireGuard.ListenPort
	}
	return t.Port
}
