package azure

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	fake "github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/arm/rules"
	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/config"
)

// mend does in the world what a finding's mend says, step by step. A command, an option, a
// key or a sentence that nobody knows is an error.
func (w *world) mend(f azure.Finding) error {
	if len(f.Mend) == 0 {
		return fmt.Errorf("%s has no mend", f.Code)
	}
	for _, s := range f.Mend {
		var err error
		switch s.In {
		case azure.InShell:
			err = w.shell(s.Text)
		case azure.InFile:
			err = w.nva.edit(s.Text)
		case azure.InWords:
			err = w.understand(s.Text)
		default:
			err = fmt.Errorf("a step in %q", s.In)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", f.Code, s.Text, err)
		}
	}
	return nil
}

// nvactlCommands are the commands of nvactl that mends may have.
var nvactlCommands = map[string]usage{"nvactl reset ADDRESS": {"soft", ""}, "nvactl neighbors ADDRESS": {}}

func (w *world) shell(line string) error {
	c, err := parseCommand(line)
	if err != nil {
		return err
	}
	if strings.HasPrefix(c.verb, "az ") {
		return w.az(c)
	}
	words := strings.Fields(c.verb)
	if last := words[len(words)-1]; len(words) > 2 {
		if _, err := netip.ParseAddr(last); err != nil {
			return err
		}
		c.verb = strings.TrimSuffix(c.verb, last) + "ADDRESS"
	}
	u, ok := nvactlCommands[c.verb]
	if !ok {
		return fmt.Errorf("there is no command %q", c.verb)
	}
	return u.check(c)
}

// edit puts lines into the peer-group of Route Server, in place of those with the same keys,
// and reloads nvad.
func (n *nva) edit(text string) error {
	lines := strings.Split(text, "\n")
	head := lines[0]
	if !strings.HasPrefix(head, "# In the peer-group of Route Server ") && head != "[peer-group.route-server]" {
		return fmt.Errorf("%q does not say where the lines belong", head)
	}
	for _, line := range lines[1:] {
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("%q sets no key", line)
		}
		n.group[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return n.reload()
}

// text is nvad.toml.
func (n *nva) text() string {
	keys := map[string]string{"preset": `"azure-route-server"`, "neighbors": quoted(n.neighbors)}
	if n.asn != n.ownASN {
		keys["local-asn"] = fmt.Sprint(n.asn)
	}
	maps.Copy(keys, n.group)
	text := fmt.Sprintf("asn = %d\nrouter-id = %q\n[peer-group.route-server]\n", n.ownASN, n.address)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		text += key + " = " + keys[key] + "\n"
	}
	return text
}

func quoted(addrs []netip.Addr) string {
	var list []string
	for _, a := range addrs {
		list = append(list, fmt.Sprintf("%q", a))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// reload puts nvad.toml into force: nvad's own reader says what it means.
func (n *nva) reload() error {
	cfg, err := config.Parse("nvad.toml", []byte(n.text()))
	if err != nil {
		return err
	}
	n.neighbors = nil
	for _, peer := range cfg.Neighbors {
		n.neighbors = append(n.neighbors, peer.Address)
	}
	s := cfg.Neighbors[0].Settings
	n.asn = cfg.ASN
	if s.LocalASN != 0 {
		n.asn = s.LocalASN
	}
	n.routes = exported(n.routes, s, n.asn)
	return nil
}

// exported applies the settings of a peer-group to routes: it drops those that they keep back.
func exported(routes []rules.Route, s config.Settings, asn uint32) []rules.Route {
	var out []rules.Route
	for _, r := range routes {
		within := func(p netip.Prefix) bool { return p.Bits() <= r.Prefix.Bits() && p.Contains(r.Prefix.Addr()) }
		if slices.ContainsFunc(s.VNet, within) {
			continue
		}
		r.ASPath = slices.Clone(r.ASPath)
		for i, hop := range r.ASPath {
			if s.ASOverride && hop == s.RemoteASN {
				r.ASPath[i] = asn
			}
		}
		out = append(out, r)
	}
	if s.MaximumPrefixOut > 0 {
		out = out[:min(len(out), s.MaximumPrefixOut)]
	}
	return out
}

// sentences has, for each sentence that a mend uses where no command helps, what a reader
// then does. They are found by their beginnings.
var sentences = map[string]func(*world){
	"To lead traffic of a VNet to the NVA all the same,": func(*world) {},
	"If the NVA is to win, let the AS path decide:":      func(*world) {},
	"If that is not intended, remove the community in the export route-map.": func(w *world) {
		w.each(func(r *rules.Route) { r.NoAdvertise = false })
	},
	"Remove set.next-hop from the export route-map,": func(w *world) {
		w.each(func(r *rules.Route) { r.NextHop = w.nva.address })
	},
	"To share the traffic, send AS paths of the same length:": func(w *world) {
		w.each(func(r *rules.Route) { r.ASPath = r.ASPath[:1] })
	},
	"Remove import, export and other keys that only one of them sets.": func(w *world) { w.nva.omits = netip.Prefix{} },
	"Make VPN gateway ergw-vpn active-active:": func(w *world) {
		fake.Change(w.state, w.ids.vpn, func(g *armnetwork.VirtualNetworkGateway) { g.Properties.Active = to.Ptr(true) })
	},
	"Bring one of the next hops back:":                                      func(w *world) { w.others = newWorld().others },
	"Delete the BGP peers of NVAs that are gone, or":                        (*world).deleteSpares,
	"Delete the BGP peer of an NVA that is gone (":                          (*world).deleteSpares,
	"Send fewer routes: announce":                                           (*world).aggregate,
	"Announce aggregates instead of the prefixes in them, or":               (*world).aggregate,
	"Announce prefixes that do not contain 192.168.100.4, or":               (*world).narrow,
	"If the NVA does not reach the address, look for a missing route":       func(w *world) { w.nva.astray = "" },
	"Delete the user-defined route to-elsewhere from the route table of su": (*world).deleteRoutes,
}

func (w *world) understand(text string) error {
	for beginning, do := range sentences {
		if strings.HasPrefix(text, beginning) {
			do(w)
			return nil
		}
	}
	return fmt.Errorf("nobody knows what to do")
}

// each changes all routes that nvad sends.
func (w *world) each(change func(*rules.Route)) {
	w.nva.routes = slices.Clone(w.nva.routes)
	for i := range w.nva.routes {
		change(&w.nva.routes[i])
	}
}

// deleteSpares deletes the connections of NVAs that are gone.
func (w *world) deleteSpares() {
	for i := range fake.MaxPeers {
		w.state.Delete(fmt.Sprintf("%s/bgpConnections/spare-%d", w.ids.rs, i))
	}
}

// aggregate makes all NVAs send aggregates in place of prefixes of the range that faults use.
func (w *world) aggregate() {
	less := func(routes []rules.Route) []rules.Route {
		many := netip.MustParsePrefix("20.0.0.0/6")
		return slices.DeleteFunc(slices.Clone(routes), func(r rules.Route) bool { return many.Contains(r.Prefix.Addr()) })
	}
	w.nva.routes = less(w.nva.routes)
	for s, a := range w.others {
		a.Routes = less(a.Routes)
		w.others[s] = a
	}
}

// narrow makes nvad announce nothing that contains the remote of the tunnel of a fault.
func (w *world) narrow() {
	w.nva.routes = slices.DeleteFunc(slices.Clone(w.nva.routes), func(r rules.Route) bool { return r.Prefix.Contains(onPremises) })
}

func (w *world) deleteRoutes() { w.state.Delete(w.ids.spokeTable + "/routes/to-elsewhere") }
