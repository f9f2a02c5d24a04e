package site

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config"
)

// configs compares the configuration of each NVA of a hub with that of the first.
func (d *differ) configs(hub []*nva) {
	first := hub[0]
	base, err := config.Parse(first.Name, []byte(first.Config))
	if err != nil {
		d.notJudged = append(d.notJudged, fmt.Sprintf("The configuration of %s can't be read here, so it is not compared: %.200s.", first.Name, err))
		return
	}
	for _, n := range hub[1:] {
		other, err := config.Parse(n.Name, []byte(n.as(first)))
		if err != nil { // the addresses of one are part of something else of the other
			other, err = config.Parse(n.Name, []byte(n.Config))
		}
		if err != nil {
			d.notJudged = append(d.notJudged, fmt.Sprintf("The configuration of %s can't be read here, so it is not compared: %.200s.", n.Name, err))
			continue
		}
		var words []string
		for _, c := range config.Diff(base, other) {
			if matters(c, base, other) {
				what, _, _ := strings.Cut(c.What, ", used by ")
				words = append(words, c.Object+": "+what)
			}
		}
		if len(words) == 0 {
			continue
		}
		d.find(PairConfigDiffers, Warning, "configuration", []*nva{first, n},
			fmt.Sprintf("%s and %s of the same hub are configured differently, so they may treat the same routes differently. From %s to %s: %s.",
				first.Name, n.Name, first.Name, n.Name, listed(words, "; ")),
			"If you do not want it, change one of them; nvactl config show --expanded prints the configuration of each.")
	}
}

var token = regexp.MustCompile(`[0-9A-Fa-f:.]+`)

// as returns the configuration that n would have in the place of m: with the addresses of
// the two swapped.
func (n *nva) as(m *nva) string {
	swap := map[netip.Addr]netip.Addr{}
	for _, e := range n.ends {
		i := slices.IndexFunc(m.ends, func(f *end) bool { return f.t.GetName() == e.t.GetName() })
		if i < 0 {
			continue
		}
		f := m.ends[i]
		swapped(swap, e.local, f.local)
		for j, p := range e.inner {
			if j < len(f.inner) {
				swapped(swap, p.Addr(), f.inner[j].Addr())
			}
		}
	}
	for _, v := range n.Neighbors {
		for _, w := range m.Neighbors {
			if v.GetAddress() == w.GetAddress() {
				swapped(swap, address(v.GetLocalAddress()), address(w.GetLocalAddress()))
			}
		}
	}
	return token.ReplaceAllStringFunc(n.Config, func(word string) string {
		if to := swap[address(word)]; to.IsValid() {
			return to.String()
		}
		if at, err := netip.ParseAddrPort(word); err == nil && swap[at.Addr()].IsValid() {
			return netip.AddrPortFrom(swap[at.Addr()], at.Port()).String()
		}
		return word
	})
}

func swapped(swap map[netip.Addr]netip.Addr, a, b netip.Addr) {
	if a.IsValid() && b.IsValid() && a != b {
		swap[a], swap[b] = b, a
	}
}

// tunnelKeys are the keys of a tunnel that all NVAs of a hub should have alike. Others say
// where this one is, or the two ends of the tunnel are compared by them.
var tunnelKeys = []string{"mss-clamp", "ttl", "learning", "bfd", "keepalive"}

// ownKeys are keys of other tables that each NVA has for itself.
var ownKeys = []string{
	"router-id", "description", "peer-group", "local-address", "password", "password-file", "listen", "memory", "poll", "via", "device", "source", "metric", "protected",
}

// matters reports whether a difference changes what the NVAs of a hub do with routes.
func matters(c config.Change, a, b *config.Config) bool {
	table, name, _ := strings.Cut(c.Object, " ")
	key, _, isKey := strings.Cut(c.What, ":")
	switch {
	case slices.Contains([]string{"daemon", "api", "metrics", "nic", "snat"}, table) || strings.HasSuffix(c.What, "not in use"):
		return false
	case table == "tunnel":
		return isKey && slices.Contains(tunnelKeys, key)
	case table == "neighbor" && !isKey: // only one has it: those within tunnels are its own
		return inDomain(a, name) || inDomain(b, name)
	}
	return !isKey || !slices.Contains(ownKeys, key)
}

// inDomain reports whether a neighbor of a configuration is in a loop domain, such as an
// instance of a Route Server.
func inDomain(c *config.Config, addr string) bool {
	return slices.ContainsFunc(c.Neighbors, func(n config.Neighbor) bool { return n.Address.String() == addr && n.Domain != "" })
}
