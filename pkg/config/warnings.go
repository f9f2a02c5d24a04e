package config

import (
	"fmt"
	"net/netip"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// Warning is something that a configuration may say, but that its author
// hardly means.
type Warning struct {
	File string
	Line int    // from 1; 0 if the Config was not read from a file
	Key  string // as in Error.Key
	Code string // what kind of warning, as one word: "unused"
	Msg  string
}

// String is "file:line: key: warning: message", without what is not known.
func (w Warning) String() string { return place(w.File, w.Line, w.Key) + "warning: " + w.Msg }

// Warnings is what deserves a second look in cfg, in no order that matters.
func Warnings(cfg *Config) []Warning {
	w := &warner{cfg: cfg, src: &cfg.source}
	w.routeServers()
	for i := range cfg.Neighbors {
		w.neighbor(i)
	}
	for i, t := range cfg.Tunnels {
		if t.BFD.Enabled && len(cfg.FarEnds(&t)) == 0 {
			w.warn("no-far-end", w.src.elem("tunnel", i, t.Name)+".bfd",
				"BFD has nobody to watch: no static route has its gateway in a subnet of this tunnel; add one, or remove bfd")
		}
		w.tunnel(i)
		w.unboundPeers(i)
		w.sharedSubnets(i)
	}
	w.forwarding()
	w.originated()
	w.privateASNs()
	p := newProber(cfg)
	w.serverLoops(p)
	w.defaultToServer(p)
	w.bogonPatterns()
	w.strangers()
	w.unreached()
	w.unused()
	return w.out
}

// Warn is a warning of what shows only while cfg runs, at a key of a neighbor, or
// at the neighbor itself if key is empty.
func (c *Config) Warn(neighbor netip.Addr, key, code, format string, args ...any) Warning {
	w := &warner{cfg: c, src: &c.source}
	for i := range c.Neighbors {
		if c.Neighbors[i].Address == neighbor {
			own := w.src.elem("neighbor", i, neighbor)
			if key != "" {
				own = w.places(i, key) + " " + own
			}
			w.warn(code, own, format, args...)
			return w.out[0]
		}
	}
	w.warn(code, "neighbor", format, args...)
	return w.out[0]
}

type warner struct {
	cfg *Config
	src *source
	out []Warning
}

// warn reports at the first of keys, separated by spaces, that stands in the
// file.
func (w *warner) warn(code, keys, format string, args ...any) {
	key := w.src.given(keys)
	warning := Warning{w.src.file, w.src.line(key), key, code, fmt.Sprintf(format, args...)}
	for _, other := range w.out {
		if other == warning {
			return // a group's, told for another neighbor
		}
	}
	w.out = append(w.out, warning)
}

// places is the keys under which a neighbor's setting may stand.
func (w *warner) places(i int, key string) string {
	n := &w.cfg.Neighbors[i]
	own := w.src.elem("neighbor", i, n.Address)
	group := " peer-group." + n.PeerGroup + "."
	return own + "." + key + group + key + group + "preset"
}

func (w *warner) neighbor(i int) {
	n := &w.cfg.Neighbors[i]
	if n.RemoteASN == routeServerASN {
		w.routeServer(i)
	}
	w.outsideTunnel(i)
	if n.Address.Is4() && n.Families.Has(route.IPv6) {
		w.warn("family", w.places(i, "families"), "IPv6 routes over an IPv4 session have no usable next hop unless a route-map sets one")
	}
	if n.RemoteASN == n.OwnASN(w.cfg) {
		return
	}
	w.noPolicy(i, "import", n.Import)
	w.noPolicy(i, "export", n.Export)
}

// noPolicy reports an eBGP neighbor whose import or export nobody gives;
// "deny" is a policy.
func (w *warner) noPolicy(i int, key string, c policy.Chain) {
	given := w.src.lines[w.src.given(w.places(i, key))] > 0
	if c == (policy.Chain{}) && !given {
		own := w.src.elem("neighbor", i, w.cfg.Neighbors[i].Address)
		effect := "accepted from"
		if key == "export" {
			effect = "sent to"
		}
		w.warn("no-policy", own+"."+key, "no route is %s an eBGP neighbor without %s policy (RFC 8212); set %[2]s", effect, key)
	}
}
