package bootstrap

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/tunnel"
)

// KeyName is the name under which nvad keeps the private key that all WireGuard tunnels of a
// bootstrapped NVA have.
const KeyName = "nva"

// Identity is the WireGuard key of this NVA.
type Identity struct {
	Public tunnel.Key
	File   string // with the private key
}

// Peer is another NVA that is reached through WireGuard.
type Peer struct {
	Public tunnel.Key
	// Host is its address or DNS name; empty: it is behind NAT and calls first.
	Host string
	// Port is where it listens for this NVA; 0: what follows from both keys.
	Port uint16
	// vm describes its VM, if its key is from a tag; otherwise it is zero.
	vm Remote
}

// ParsePeer reads KEY, KEY@HOST or KEY@HOST:PORT. Errors do not quote the key, which may be a
// private one.
func ParsePeer(text string) (p Peer, err error) {
	key, endpoint, both := strings.Cut(text, "@")
	if p.Public, err = tunnel.ParseKey(key); err != nil {
		return p, fmt.Errorf("want KEY@HOST, and before the \"@\" a public key as \"nvad public-key %s\" prints it there: %w", KeyName, err)
	}
	if !both {
		return p, nil
	}
	p.Host = endpoint
	if a, err := netip.ParseAddr(strings.Trim(endpoint, "[]")); err == nil {
		p.Host = a.String()
	} else if host, port, err := net.SplitHostPort(endpoint); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return p, fmt.Errorf("%s: %q is no UDP port", endpoint, port)
		}
		p.Host, p.Port = host, uint16(n)
	}
	if p.Host == "" {
		return p, fmt.Errorf("want an address or a DNS name after the \"@\"; leave the \"@\" out for a peer behind NAT")
	}
	return p, nil
}

// The addresses in WireGuard tunnels, two for each, are between 169.254.192.0 and
// 169.254.254.255. No VNet can use them, and no VXLAN tunnel of bootstrap does. Each tunnel has
// one of as many UDP ports.
var firstPair = netip.MustParseAddr("169.254.192.0")

const pairs = 63 * 128

// link is the tunnel to a peer.
type link struct {
	Peer
	number uint32 // of the pair of keys
	own    netip.Addr
	far    netip.Addr
}

func (l link) name() string { return fmt.Sprintf("wg%d", l.number) }
func (l link) port() uint16 { return config.DefaultListenPort + uint16(l.number) }

// linkTo returns the tunnel between two keys. Name, port and addresses depend on nothing but the
// keys, so both ends agree on them without asking each other.
func linkTo(own tunnel.Key, p Peer) link {
	low, high := own, p.Public
	if bytes.Compare(low[:], high[:]) > 0 {
		low, high = high, low
	}
	sum := sha256.Sum256(slices.Concat([]byte("nvad wireguard"), low[:], high[:]))
	l := link{Peer: p, number: uint32(uint64(binary.BigEndian.Uint32(sum[:])) * pairs >> 32)}
	base := firstPair.As4()
	first := binary.BigEndian.Uint32(base[:]) + 2*l.number
	for i, to := range []*netip.Addr{&l.own, &l.far} {
		if own != low {
			i = 1 - i
		}
		binary.BigEndian.PutUint32(base[:], first+uint32(i))
		*to = netip.AddrFrom4(base)
	}
	if l.Port == 0 {
		l.Port = l.port()
	}
	return l
}

// links returns the tunnels to the peers, without this NVA's own key, so that all NVAs can be given
// the same list.
func links(own tunnel.Key, peers []Peer) (list []link, err error) {
	for _, p := range peers {
		if p.Public == own {
			continue
		}
		l := linkTo(own, p)
		for _, o := range list {
			switch {
			case o.Public == l.Public:
				return nil, fmt.Errorf("--peer: %s is there twice; remove one", l.Public)
			case o.number == l.number:
				return nil, fmt.Errorf("--peer: the tunnels to %s and %s would both be %s; give one of these NVAs another key: move %s.key in its state directory away, and run \"nvad public-key %s\"",
					o.Public, l.Public, l.name(), KeyName, KeyName)
			}
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b link) int { return int(a.number) - int(b.number) })
	return list, nil
}

// pageLinks writes the WireGuard tunnels.
func pageLinks(b *bytes.Buffer, p plan) {
	if len(p.links) == 0 {
		return
	}
	fmt.Fprintf(b, `
# Encrypted tunnels to other NVAs. The public key of this one is
# %s
# Name, port and addresses follow from both keys, so both ends agree on them.
`, p.Identity.Public)
	for _, l := range p.links {
		fmt.Fprintf(b, `[[tunnel]]
name             = %s
type             = "wireguard"
public-key       = %s
`, tomlfile.Quote(l.name()), tomlfile.Quote(l.Public.String()))
		if l.Host != "" {
			fmt.Fprintf(b, "endpoint         = %s\n", tomlfile.Quote(config.Endpoint{Host: l.Host, Port: l.Port}.String()))
		}
		fmt.Fprintf(b, `listen-port      = %d
private-key-file = %s
address          = "%s/31"
`, l.port(), tomlfile.Quote(p.Identity.File), l.own)
	}
}
