package frrconf

import (
	"net/netip"
	"slices"
	"strings"
)

// hosts holds the addresses of this machine that the input mentions.
type hosts struct {
	given    map[string][]netip.Prefix // by the interfaces file, which stays in force
	pending  []deviceAddress
	complete bool // the interfaces file gives every address
	loopback []netip.Addr
	others   []netip.Addr
}

// deviceAddress is a line that gives a device an address.
type deviceAddress struct {
	line    *line
	device  string
	address netip.Prefix
}

// add records an address. FRR chooses no loopback, multicast or link-local address as its
// router-id.
func (h *hosts) add(device string, p netip.Prefix) {
	a := p.Addr()
	switch {
	case !a.Is4(), a.IsLoopback(), a.IsMulticast(), a.IsLinkLocalUnicast(), a.IsUnspecified():
	case device == "lo":
		h.loopback = append(h.loopback, a)
	default:
		h.others = append(h.others, a)
	}
}

// routerID returns the one that FRR chooses: the highest address of the loopback device,
// or of all devices.
func (h *hosts) routerID() netip.Addr {
	from := h.loopback
	if len(from) == 0 {
		from = h.others
	}
	if len(from) == 0 {
		return netip.Addr{}
	}
	return slices.MaxFunc(from, netip.Addr.Compare)
}

// finishIdentity decides the ASN and the router-id.
func (c *converter) finishIdentity() {
	c.cfg.ASN = c.bgp.asn
	if c.cfg.ASN == 0 {
		c.cfg.ASN = placeholderASN
		c.note(noASN)
	}
	switch {
	case c.bgp.routerID.IsValid():
		c.cfg.RouterID = c.bgp.routerID
	case c.in.RouterID.IsValid():
		c.cfg.RouterID = c.in.RouterID
	case c.hosts.complete && c.hosts.routerID().IsValid():
		c.cfg.RouterID = c.hosts.routerID()
	default:
		c.cfg.RouterID = placeholderRouterID
		c.note(noRouterID)
	}
}

// readInterfaces reads /etc/network/interfaces. Lines that are not carried over stay in
// force.
func (c *converter) readInterfaces(lines []*line) {
	c.hosts.complete = len(lines) > 0
	var device string
	var address netip.Prefix
	settle := func() {
		if address.IsValid() {
			c.hosts.add(device, address)
			c.hosts.given[device] = append(c.hosts.given[device], address)
		}
		address = netip.Prefix{}
	}
	for _, l := range lines {
		l.fate = inForce
		if l.text == "" || l.text[0] == '#' {
			l.fate = empty
			continue
		}
		switch l.words[0] {
		case "iface", "auto", "mapping", "source", "source-directory":
			settle()
			device = c.interfaceStanza(l, device)
		case "address":
			address = c.staticAddress(l)
		case "netmask":
			address = withMask(address, l.words)
		case "up", "post-up", "pre-up":
			c.hook(l)
		}
	}
	settle()
}

// interfaceStanza returns the device of the following lines. An alias such as bond0:0 is
// another address of the device.
func (c *converter) interfaceStanza(l *line, device string) string {
	switch {
	case l.words[0] == "source", l.words[0] == "source-directory":
		c.hosts.complete = false // there is more in other files
	case l.words[0] == "iface" && len(l.words) >= 4:
		if method := l.words[3]; l.words[2] == "inet" && method != "static" && method != "manual" && method != "loopback" {
			c.hosts.complete = false // the address is not known before it is up
		}
		device, _, _ = strings.Cut(l.words[1], ":")
	}
	return device
}

// staticAddress reads the address of a stanza, as a host if it has no length.
func (c *converter) staticAddress(l *line) netip.Prefix {
	if len(l.words) > 1 {
		if p, err := netip.ParsePrefix(l.words[1]); err == nil {
			return p
		}
		if a, err := netip.ParseAddr(l.words[1]); err == nil {
			return netip.PrefixFrom(a, a.BitLen())
		}
	}
	c.hosts.complete = false
	return netip.Prefix{}
}

// withMask returns the address with the length of a netmask line.
func withMask(address netip.Prefix, words []string) netip.Prefix {
	if len(words) < 2 || !address.IsValid() {
		return address
	}
	if bits, ok := maskBits(words[1]); ok {
		return netip.PrefixFrom(address.Addr(), bits)
	}
	return address
}

// hook reads a command of the interfaces file. nvad takes over one that creates a tunnel,
// which must then be removed from the file.
func (c *converter) hook(l *line) {
	command := l.words[1:]
	if !c.aboutTunnels(command) {
		return
	}
	l.fate = refused
	if o := c.command(l, command); o != carried {
		l.leave(o)
		return
	}
	l.fate = taken
	l.leave(attention("nvad creates this now: remove it here"))
}
