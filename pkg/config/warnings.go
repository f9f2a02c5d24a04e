package config

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Warning points out something in a valid configuration that its author has hardly
// intended.
type Warning struct {
	File string `json:"file"`
	Line int    `json:"line"` // from 1; 0 if the Config was not read from a file
	Key  string `json:"key"`  // as in Error.Key
	Code string `json:"code"` // the kind of warning: "unused"
	Msg  string `json:"message"`
}

// String returns "file:line: key: warning: message", without the parts that are unknown.
func (w Warning) String() string { return tomlfile.Place(w.File, w.Line, w.Key) + "warning: " + w.Msg }

// Warnings returns everything in cfg that deserves a second look. The order has no
// meaning.
func Warnings(cfg *Config) []Warning {
	w := &warner{cfg: cfg, src: &cfg.source}
	w.routeServers()
	for i := range cfg.Neighbors {
		w.neighbor(i)
	}
	for i := range cfg.Ranges {
		if cfg.firstOfGroup(i) {
			w.policy(len(cfg.Neighbors) + i)
		}
	}
	for i, t := range cfg.Tunnels {
		if t.BFD.Enabled && len(cfg.FarEnds(&t)) == 0 {
			w.warn("no-far-end", w.src.Elem("tunnel", i, t.Name)+".bfd",
				"BFD watches nothing: no static route has its gateway in a subnet of this tunnel; add one, or remove bfd")
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

// Warn returns a warning about something that shows only while cfg runs. It is placed at
// a key of a neighbor, or at the neighbor itself if key is empty.
func (c *Config) Warn(neighbor netip.Addr, key, code, format string, args ...any) Warning {
	w := &warner{cfg: c, src: &c.source}
	for i := range c.Neighbors {
		if c.Neighbors[i].Address == neighbor {
			own := w.src.Elem("neighbor", i, neighbor)
			if key != "" {
				own = w.cfg.places(i, key) + " " + own
			}
			w.warn(code, own, format, args...)
			return w.out[0]
		}
	}
	if n, ok := c.Dynamic(neighbor); ok {
		w.warn(code, "peer-group."+n.PeerGroup+"."+key+" peer-group."+n.PeerGroup+".listen-range", format, args...)
		return w.out[0]
	}
	w.warn(code, "neighbor", format, args...)
	return w.out[0]
}

// warner collects the warnings of a Config.
type warner struct {
	cfg *Config
	src *tomlfile.Source
	out []Warning
}

// warn reports at the first of keys, separated by spaces, that is in the file. A
// warning about a peer-group is reported once, not for each of its neighbors.
func (w *warner) warn(code, keys, format string, args ...any) {
	at := w.src.Errorf(keys, format, args...)
	warning := Warning{at.File, at.Line, at.Key, code, at.Msg}
	if !slices.Contains(w.out, warning) {
		w.out = append(w.out, warning)
	}
}
