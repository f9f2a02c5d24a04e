package config

import (
	"net/netip"
	"strings"
)

// tunnelPeers is a list of REMOTE=ADDRESS, as --remote-nva of "nvad bootstrap" takes
// them.
type tunnelPeers struct{ p *[]TunnelPeer }

const whatPeer = "REMOTE=ADDRESS-IN-THE-TUNNEL (10.10.0.4=169.254.0.2)"

func (v tunnelPeers) set(c cell) {
	cells, ok := c.items("a list of " + whatPeer)
	if !ok {
		return
	}
	var out []TunnelPeer
	seen := map[netip.Addr]bool{}
	for _, item := range cells {
		s, ok := item.text(whatPeer)
		if !ok {
			continue
		}
		remote, inner, _ := strings.Cut(s, "=")
		a, err := netip.ParseAddr(remote)
		b, err2 := netip.ParseAddr(inner)
		switch {
		case err != nil || err2 != nil || a.Is4In6() || b.Is4In6() || a.Zone()+b.Zone() != "":
			item.want(whatPeer)
		case seen[b]:
			item.fail("%s is listed twice", b)
		default:
			seen[b] = true
			out = append(out, TunnelPeer{a, b})
		}
	}
	*v.p = out
}

func (tunnelPeers) kind() string { return "list of REMOTE=ADDRESS" }

func (v tunnelPeers) toml() string {
	return list(*v.p, func(p TunnelPeer) string { return quote(p.String()) })
}
