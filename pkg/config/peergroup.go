package config

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Group has the settings of a peer-group, including defaults. Keepalive and Families are
// zero if the group does not set them, since their defaults depend on the neighbor.
type Group struct {
	Name   string
	Preset string       // preset that the settings are based on; empty: none
	Listed []netip.Addr // neighbors without a table of their own
	// ListenRanges are the prefixes of its dynamic neighbors, and ListenLimit is how many
	// there may be at a time; 0: DefaultListenLimit.
	ListenRanges []netip.Prefix
	ListenLimit  int
	Settings
}

func (g *Group) listenLimit() int { return cmp.Or(g.ListenLimit, DefaultListenLimit) }

// listKey is the key of Group.Listed.
const listKey = "neighbors"

// groupFields are the keys that only a peer-group has.
func groupFields(g *Group) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "preset", Value: tomlfile.OneOf(&g.Preset, presetNames()...), Example: `"azure-route-server"`,
			Doc: "Kind of the neighbors, which sets everything that such a neighbor needs: " + tomlfile.OrList(presetNames()) +
				". Keys set here or in a neighbor take precedence. `nvactl config show --expanded` shows all that a preset sets."},
		{Key: listKey, Value: tomlfile.Addresses(&g.Listed), Example: `["10.0.210.4", "10.0.210.5"]`,
			Doc: "Addresses of neighbors that need no table of their own."},
		{Key: "listen-range", Value: tomlfile.Prefixes(&g.ListenRanges), Impact: SessionReset, Example: `["10.1.0.0/24"]`,
			Doc: "Prefixes from which routers may connect without being configured, such as the subnet of a scale set. Each " +
				"becomes a dynamic neighbor with the settings of the peer-group: nvad never connects to it, and forgets it when " +
				"its session has ended. A neighbor that is configured by its address is not affected. In ranges that overlap, the " +
				"longest prefix decides."},
		{Key: "listen-limit", Value: tomlfile.Number(&g.ListenLimit, 1, mostListenLimit),
			Doc: "Maximum number of dynamic neighbors of this peer-group at a time; further ones are refused. A lower limit ends no " +
				"session. The limits of all peer-groups add up to 1000 at most."},
	}
}

func (r *neighborReader) group(name string, c tomlfile.Cell) {
	checkNameOf(c, name)
	t, ok := c.Table()
	if !ok {
		return
	}
	g := Group{Name: name}
	tomlfile.ReadFields(t, groupFields(&g))
	g.Settings = presetSettings(g.Preset)
	tomlfile.ReadFields(t, settingsFields(&g.Settings))
	t.Done()
	if r.cfg.Groups == nil {
		r.cfg.Groups = map[string]Group{}
	}
	r.cfg.Groups[name], r.groups[name] = g, t
}

// listed adds the neighbors that a group lists. Faults of the list were reported when the
// group was read.
func (r *neighborReader) listed(group string) {
	g := r.cfg.Groups[group]
	if len(g.Listed) == 0 {
		return
	}
	c, _ := r.groups[group].Get(listKey)
	cells, _ := c.Items("")
	left := slices.Clone(g.Listed) // an address that is listed twice is added once
	for _, item := range cells {
		text, _ := item.Val.(string)
		addr, err := netip.ParseAddr(text)
		i := slices.Index(left, addr)
		if err != nil || i < 0 {
			continue
		}
		left = slices.Delete(left, i, i+1)
		c.Doc.Element("neighbor", item)
		r.add(Neighbor{Address: addr, PeerGroup: group, Settings: g.Settings}, nil)
	}
}
