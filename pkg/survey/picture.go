package survey

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/drawing"
)

// Member is an NVA of a site: its state, and why it does not answer, if so.
type Member struct {
	Name  string
	State *NVA
	Error string // then State is the last one that is known
}

// Picture returns what a drawing of the site shows. The caption has the time.
func Picture(members []Member, at time.Time) *drawing.Site {
	p := &painter{members: members}
	site := &drawing.Site{Title: "Picture of " + names(members), Caption: at.UTC().Format("2006-01-02 15:04:05 UTC")}
	for _, hub := range p.hubs() {
		site.Hubs = append(site.Hubs, p.hub(hub))
	}
	site.Tunnels = p.tunnels()
	return site
}

func names(members []Member) string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = "NVA " + m.Name
	}
	return strings.Join(list, ", ")
}

type painter struct{ members []Member }

// hubs groups the NVAs that have a Route Server in common.
func (p *painter) hubs() [][]*Member {
	var hubs [][]*Member
	place := map[string]int{} // hub of each instance
	for i := range p.members {
		m := &p.members[i]
		at := len(hubs)
		for _, n := range m.State.Neighbors {
			if k, ok := place[n.Address]; ok && n.RouteServer {
				at = k
				break
			}
		}
		if at == len(hubs) {
			hubs = append(hubs, nil)
		}
		hubs[at] = append(hubs[at], m)
		for _, n := range m.State.Neighbors {
			if n.RouteServer {
				place[n.Address] = at
			}
		}
	}
	return hubs
}

func (p *painter) hub(members []*Member) drawing.Hub {
	var h drawing.Hub
	var vnets []string
	for _, m := range members {
		for _, v := range m.State.VNets {
			if !slices.Contains(vnets, v) {
				vnets = append(vnets, v)
			}
		}
		h.NVAs = append(h.NVAs, p.nva(m))
	}
	h.Title = prefixed("Hub VNet ", strings.Join(vnets, ", "))
	h.Behind = behindParts(members)
	h.Groups = serverGroups(members)
	return h
}

// behindParts has what is behind the Route Servers of a hub, as the NVA sees it that sees most.
func behindParts(members []*Member) (parts []drawing.Part) {
	index := map[string]int{}
	most := map[string]int{}
	for _, m := range members {
		for _, b := range m.State.Behind {
			key := b.Kind + " " + b.Name
			part := drawing.Part{Kind: b.Kind, NVA: m.Name, Name: b.Name, Title: b.Name, Detail: listed(b.Prefixes, b.Total), Word: counted(b.Total, "prefix")}
			if b.Kind == "expressroute" {
				part.Title = "ExpressRoute"
				if b.Name != part.Title {
					part.Detail = b.Name + ": " + part.Detail
				}
			}
			if i, ok := index[key]; !ok {
				index[key] = len(parts)
				parts = append(parts, part)
			} else if b.Total > most[key] {
				parts[i] = part
			}
			most[key] = max(most[key], b.Total)
		}
	}
	return parts
}

// listed returns the first elements, and how many more there are.
func listed(list []string, total int) string {
	const shown = 3
	text := strings.Join(list[:min(len(list), shown)], ", ")
	if more := total - min(len(list), shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// serverGroups has a group for each Route Server, with the sessions of every NVA of the hub.
func serverGroups(members []*Member) (groups []drawing.Group) {
	index := map[string]int{}
	for _, m := range members {
		for i := range m.State.Neighbors {
			n := &m.State.Neighbors[i]
			if !n.RouteServer {
				continue
			}
			name := serverName(n)
			g, ok := index[name]
			if !ok {
				g = len(groups)
				index[name] = g
				groups = append(groups, drawing.Group{Title: name, Detail: fmt.Sprintf("AS %d", n.ASN)})
			}
			part := session(m, n)
			if len(members) > 1 {
				part.Title += " to " + m.Name
			}
			groups[g].Rows = append(groups[g].Rows, part)
		}
	}
	for i := range groups {
		slices.SortStableFunc(groups[i].Rows, func(a, b drawing.Part) int { return cmp.Compare(a.Name, b.Name) })
	}
	return groups
}

func serverName(n *Neighbor) string {
	name := cmp.Or(n.Domain, n.PeerGroup)
	if strings.HasPrefix(name, "Route Server") {
		return name
	}
	return strings.TrimSpace("Route Server " + name)
}

func (p *painter) nva(m *Member) drawing.NVA {
	s := m.State
	out := drawing.NVA{Part: drawing.Part{Kind: "nva", NVA: m.Name, Name: m.Name, Title: cmp.Or(m.Name, s.Host), State: drawing.Up, Word: "in sync"}}
	out.Detail = joined(", ", prefixed("AS ", number(s.ASN)), s.RouterID, counted(int(s.Prefixes), "prefix"), fmt.Sprintf("kernel %d/%d", s.Installed, s.FIBWanted))
	switch {
	case m.Error != "":
		out.State, out.Word, out.Lines = drawing.Unknown, "no answer", []string{m.Error}
		if s.Version == "" {
			out.Detail = "its state is not known"
		}
	case s.Draining != nil:
		out.State, out.Word = drawing.Waiting, "draining"
	case !s.InSync:
		out.State, out.Word = drawing.Waiting, "not in sync"
	default:
		if n := severe(s.Problems); n > 0 {
			out.State, out.Word = drawing.Waiting, counted(n, "problem")
		}
	}
	for _, l := range s.Links {
		addresses := slices.DeleteFunc(slices.Clone(l.Addresses), func(a string) bool { return strings.HasPrefix(a, "fe80:") })
		if l.Name != "lo" && len(addresses) > 0 && !p.isTunnel(s, l.Name) {
			down := ""
			if !l.Up {
				down = ", down"
			}
			out.Lines = append(out.Lines, l.Name+" "+strings.Join(addresses[:min(2, len(addresses))], ", ")+down)
		}
	}
	out.Lines = out.Lines[:min(len(out.Lines), mostLines)]
	for i := range s.Neighbors {
		if n := &s.Neighbors[i]; !n.RouteServer && n.Tunnel == "" {
			part := session(m, n)
			part.Title = joined(" ", n.Address, n.Description)
			out.Rows = append(out.Rows, part)
		}
	}
	return out
}

// mostLines bounds the interfaces that an NVA shows.
const mostLines = 6

func (p *painter) isTunnel(s *NVA, link string) bool {
	return slices.ContainsFunc(s.Tunnels, func(t Tunnel) bool { return t.Name == link })
}

// session returns the part of a BGP session.
func session(m *Member, n *Neighbor) drawing.Part {
	part := drawing.Part{Kind: "neighbor", NVA: m.Name, Name: n.Address, Title: n.Address}
	part.State, part.Word = drawing.Down, "down"
	switch {
	case m.Error != "":
		part.State, part.Word = drawing.Unknown, "not known"
	case n.Up:
		part.State, part.Word = drawing.Up, "up"
		if n.Received+n.Advertised > 0 {
			part.Detail = fmt.Sprintf("%d in, %d out", n.Accepted, n.Advertised)
		}
	case n.Shutdown:
		part.State, part.Word = drawing.Waiting, "shut down"
	default:
		part.Detail = n.State
	}
	return part
}

func number(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// counted returns "1 prefix", "2 prefixes" or "2 problems".
func counted(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "x"):
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// severe counts the problems that are not only warnings.
func severe(list []Problem) (n int) {
	for _, p := range list {
		if p.Severity == "problem" {
			n++
		}
	}
	return n
}

// joined returns the parts that are not empty, separated by sep.
func joined(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}
