package frrconf

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/config/tomlfile"
	wg "github.com/nvad/nvad/pkg/tunnel"
)

// File is a file with its name in leftovers.
type File struct {
	Name string
	Data []byte
}

// wgQuick is one file of wg-quick: a device with its peers.
type wgQuick struct {
	name      string // of the device: wg-quick takes it from the file's
	table     string // where wg-quick puts the routes of AllowedIPs; empty: table main
	addresses []netip.Prefix
	device    config.Tunnel
	peers     []*wgPeer
	commands  []wgCommand
}

type wgPeer struct {
	config.WireGuard
	line    *line // [Peer]
	shared  *line // with the preshared key; nil: none
	allowed []wgAllowed
}

// wgAllowed is one of the AllowedIPs of a peer.
type wgAllowed struct {
	prefix netip.Prefix
	line   *line
}

// wgCommand is a command that wg-quick runs for the device.
type wgCommand struct {
	text string
	line *line
}

// readWGQuick reads a file of wg-quick. As wg-quick does, it ignores what follows "#", and whether
// letters are capitals.
func (c *converter) readWGQuick(name string, lines []*line) {
	q := &wgQuick{name: strings.TrimSuffix(filepath.Base(name), ".conf")}
	if tomlfile.Interface(q.name) != nil || q.name == filepath.Base(name) {
		q.name = "wg0"
	}
	q.device = config.Tunnel{Type: config.TunnelWireGuard, WireGuard: config.WireGuard{Keepalive: 25 * time.Second, Roaming: true}}
	q.device.WireGuard.PrivateKeyFile = keyFile(q.name, "key")
	section := attention("a line before the first [Interface] or [Peer]")
	var read func(l *line, key, value string) outcome
	for _, l := range lines {
		text, _, _ := strings.Cut(l.text, "#")
		text = strings.TrimSpace(text)
		key, value, isSetting := strings.Cut(text, "=")
		switch heading := strings.ToLower(text); {
		case text == "":
			l.fate = empty
		case heading == "[interface]":
			l.settle(carried)
			read = q.setting
		case heading == "[peer]":
			l.settle(carried)
			p := &wgPeer{line: l, WireGuard: q.device.WireGuard}
			q.peers = append(q.peers, p)
			read = p.setting
		case strings.HasPrefix(text, "["):
			section, read = unsupported("wg-quick has no such section"), nil
			l.settle(section)
		case read == nil:
			l.settle(section)
		case !isSetting:
			l.settle(attention("want KEY = VALUE"))
		default:
			l.settle(read(l, strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)))
		}
	}
	if len(q.peers) == 0 {
		c.note(attention("%s has no [Peer], and so no tunnel leads anywhere", printable(name)))
	}
	c.wgQuicks = append(c.wgQuicks, q)
}

// keyFile returns where somebody has to put a key of a device.
func keyFile(device, extension string) string { return "/etc/nvad/" + device + "." + extension }

// setting reads a line of [Interface].
func (q *wgQuick) setting(l *line, key, value string) outcome {
	switch key {
	case "address":
		return eachOf(value, func(s string) outcome {
			p, ok := prefixOf(s)
			if !ok {
				return attention("%s is no address", s)
			}
			if !slices.ContainsFunc(q.addresses, func(o netip.Prefix) bool { return o.Addr() == p.Addr() }) {
				q.addresses = append(q.addresses, p)
			}
			return carried
		})
	case "listenport":
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return attention("%s is no UDP port", value)
		}
		q.device.WireGuard.ListenPort = uint16(n)
	case "privatekey":
		return attention("write the key, and nothing else, into %s, which only root and the group nvad may read (chown root:nvad, chmod 640)", q.device.WireGuard.PrivateKeyFile)
	case "mtu":
		n, err := strconv.Atoi(value)
		if err != nil || n < 576 || n > 65535 {
			return attention("%s is no MTU from 576 to 65535", value)
		}
		q.device.MTU = n
	case "table":
		if q.table = strings.ToLower(value); q.table == "auto" {
			q.table = ""
		} else if q.table != "off" {
			return unsupported("routes of one tunnel in a table of their own; the routes of AllowedIPs are left out, too")
		}
	case "dns":
		return attention("nvad does not change the resolver: set DNS servers by netplan or systemd-resolved")
	case "preup", "postup":
		q.commands = append(q.commands, wgCommand{value, l})
	case "predown", "postdown":
		return meaningless("nvad runs no commands, and removes by itself what it made")
	case "saveconfig":
		return meaningless("nvad never writes its file")
	case "fwmark":
		if n, err := strconv.ParseUint(value, 0, 32); value != "off" && (err != nil || n != 0) {
			return unsupported("a mark on the outer packets")
		}
	default:
		return unsupported("nvad has no such setting of a tunnel")
	}
	return carried
}

// setting reads a line of [Peer].
func (p *wgPeer) setting(l *line, key, value string) (o outcome) {
	switch key {
	case "publickey":
		k, err := wg.ParseKey(value)
		if err != nil {
			return attention("this is no public key of WireGuard")
		}
		p.PublicKey = k
	case "presharedkey":
		p.shared = l
	case "endpoint":
		host, port, err := net.SplitHostPort(value)
		n, perr := strconv.ParseUint(port, 10, 16)
		if err != nil || perr != nil || n == 0 || host == "" {
			return attention("want HOST:PORT")
		}
		p.Endpoint = config.Endpoint{Host: host, Port: uint16(n)}
	case "allowedips":
		return eachOf(value, func(s string) outcome {
			prefix, ok := prefixOf(s)
			if !ok {
				return attention("%s is no prefix", s)
			}
			p.allowed = append(p.allowed, wgAllowed{prefix.Masked(), l})
			return carried
		})
	case "persistentkeepalive":
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil && value != "off" {
			return attention("%s is no number of seconds", value)
		}
		p.Keepalive = time.Duration(n) * time.Second
		if n == 0 {
			return attention("without keepalives nvad does not notice that the peer is dead")
		}
	default:
		return unsupported("nvad has no such setting of a peer")
	}
	return carried
}

// eachOf reads a list with commas, and returns the first outcome that is not carried.
func eachOf(list string, read func(string) outcome) outcome {
	result := carried
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		if o := read(s); o != carried && result == carried {
			result = o
		}
	}
	return result
}

// prefixOf reads an address with or without its length.
func prefixOf(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if a, aerr := netip.ParseAddr(s); aerr == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	return p, err == nil && !p.Addr().Is4In6() && p.Addr().Zone() == ""
}

// finishWGQuick makes a tunnel of each peer.
func (c *converter) finishWGQuick() {
	for _, q := range c.wgQuicks {
		for i, p := range q.peers {
			t := &tunnel{line: p.line, Tunnel: q.device}
			t.Name, t.WireGuard, t.Addresses = q.tunnelName(i), p.WireGuard, q.tunnelAddresses()
			if p.shared != nil {
				t.WireGuard.PresharedKeyFile = keyFile(t.Name, "psk")
				p.shared.leave(attention("write the key, and nothing else, into %s, which only root and the group nvad may read", t.WireGuard.PresharedKeyFile))
			}
			t.WireGuard.ListenPort = q.port(i, p)
			c.tunnels = append(c.tunnels, t)
			c.routes(q, p, t)
		}
		for _, command := range q.commands {
			c.wgCommand(q, command)
		}
	}
}

// tunnelName returns the name of the tunnel to peer i: that of the device, with a number if there are
// several.
func (q *wgQuick) tunnelName(i int) string {
	if len(q.peers) == 1 {
		return q.name
	}
	suffix := fmt.Sprintf("-%d", i+1)
	return q.name[:min(len(q.name), 15-len(suffix))] + suffix
}

// tunnelAddresses returns the addresses of each tunnel. With several peers they share no subnet, since
// each has a device of its own.
func (q *wgQuick) tunnelAddresses() (list []netip.Prefix) {
	for _, a := range q.addresses {
		if len(q.peers) > 1 {
			a = netip.PrefixFrom(a.Addr(), a.Addr().BitLen())
		}
		list = append(list, a)
	}
	return list
}

// port returns where the tunnel to peer i listens. Each device needs a port of its own.
func (q *wgQuick) port(i int, p *wgPeer) uint16 {
	first := q.device.WireGuard.ListenPort
	switch {
	case first == 0 && p.Endpoint == (config.Endpoint{}):
		p.line.leave(attention("neither end could call the other: set listen-port, or endpoint"))
		return 0
	case i == 0 || first == 0:
		return first
	}
	port := int(first) + i
	if port > 65535 {
		p.line.leave(attention("each tunnel has a UDP port of its own in nvad, and there is none after 65535: set listen-port, and let the other end call it"))
		return 0
	}
	p.line.leave(attention("each tunnel has a device and a UDP port of its own in nvad: let the other end call port %d instead of %d", port, first))
	return uint16(port)
}

// routes turns the AllowedIPs of a peer into static routes, as wg-quick does.
func (c *converter) routes(q *wgQuick, p *wgPeer, t *tunnel) {
	for _, a := range p.allowed {
		if a.prefix.Bits() > 0 {
			c.note(attention("AllowedIPs also says which source addresses a peer may use. nvad has no such limit: if a peer is not trusted, filter with nftables"))
		}
		switch {
		case q.table != "": // wg-quick adds none to table main
		case a.prefix.Bits() == 0:
			a.line.leave(attention("a default route into the tunnel would also take the tunnel's own packets, and those to Azure: add a [[static-route]] for each prefix beyond it, or let BGP do it"))
		case slices.ContainsFunc(t.Addresses, func(own netip.Prefix) bool { return own.Masked() == a.prefix }):
			// the kernel makes that route
		default:
			c.statics = append(c.statics, &static{line: a.line, Static: config.Static{Prefix: a.prefix, Device: t.Name, Distance: 1}})
		}
	}
}

// wgCommand carries over a command that wg-quick runs, if nvad has a key for what it does.
func (c *converter) wgCommand(q *wgQuick, command wgCommand) {
	l := command.line
	if strings.Contains(command.text, "%i") && len(q.peers) != 1 {
		l.drop(attention("nvad runs no commands, and this one is about one of several tunnels here"))
		return
	}
	l.settle(c.shell(l, strings.ReplaceAll(command.text, "%i", q.name)))
}
