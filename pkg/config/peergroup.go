package config

import (
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Group is a peer-group's settings, the defaults filled in. Keepalive and
// Families are zero if the group does not give them: they follow from the
// neighbor's hold time and address.
type Group struct {
	Name   string
	Preset string       // what its settings started from; empty: the defaults
	Listed []netip.Addr // those of Neighbors that give nothing themselves
	Settings
}

// listKey is the key of Group.Listed.
const listKey = "neighbors"

// groupFields are the keys that only a peer-group has.
var groupFields = []tomlfile.Field[Group]{
	{
		Key: "preset", Example: `"azure-route-server"`,
		Doc: "What the neighbors are, which says all that they need: " + tomlfile.OrList(presetNames()) + ". A key that is given here or in a neighbor " +
			"counts before the preset's. `nvactl config show --expanded` writes it out.",
		Bind: func(g *Group) tomlfile.Value { return tomlfile.OneOf(&g.Preset, presetNames()...) },
	},
	{
		Key: listKey, Example: `["10.0.210.4", "10.0.210.5"]`,
		Doc:  "Addresses of neighbors that need no table of their own.",
		Bind: func(g *Group) tomlfile.Value { return tomlfile.Addresses(&g.Listed) },
	},
}

func (r *neighborReader) group(name string, c tomlfile.Cell) {
	checkNameOf(c, name)
	t, ok := c.Table()
	if !ok {
		return
	}
	g := Group{Name: name}
	tomlfile.ReadFields(t, &g, groupFields)
	g.Settings = presetSettings(g.Preset)
	tomlfile.ReadFields(t, &g.Settings, settingsFields)
	t.Done()
	if r.cfg.Groups == nil {
		r.cfg.Groups = map[string]Group{}
	}
	r.cfg.Groups[name], r.groups[name] = g, t
}

// listed adds the neighbors that a group lists. What is wrong with the list was
// told when it was read.
func (r *neighborReader) listed(group string) {
	g := r.cfg.Groups[group]
	if len(g.Listed) == 0 {
		return
	}
	c, _ := r.groups[group].Get(listKey)
	cells, _ := c.Items("")
	left := slices.Clone(g.Listed) // one that is listed twice has its fault already
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
