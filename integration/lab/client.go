package lab

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/nvad/nvad/integration/lab/emulator/router"
	"github.com/nvad/nvad/integration/lab/emulator/rpc"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// Speaker reads the tables of an emulated BGP speaker.
type Speaker struct {
	Name   string
	socket string
}

// RouteServer returns one of the two Route Server instances of a VNet.
func (l *Lab) RouteServer(vnet string, instance int) Speaker {
	return l.speaker(rsNode(vnet, instance))
}

// Gateway returns the ExpressRoute gateway of a VNet.
func (l *Lab) Gateway(vnet string) Speaker { return l.speaker(gatewayNode(vnet)) }

func (l *Lab) speaker(node string) Speaker { return Speaker{Name: node, socket: l.socket(node)} }

// CircuitRoutes lists what the gateway of a VNet learned from its circuit's MSEE.
func (l *Lab) CircuitRoutes(ctx context.Context, vnet string) ([]router.Route, error) {
	v, _ := l.Topology.vnet(vnet)
	return l.Gateway(vnet).Received(ctx, l.mseeAddress(v))
}

// Speakers lists all emulated BGP speakers.
func (l *Lab) Speakers() []Speaker {
	var list []Speaker
	for _, v := range l.Topology.VNets {
		for i := range v.RouteServers() {
			list = append(list, l.RouteServer(v.Name, i))
		}
		if v.Circuit != "" {
			list = append(list, l.Gateway(v.Name))
		}
	}
	return list
}

// Sessions lists the speaker's sessions.
func (s Speaker) Sessions(ctx context.Context) ([]router.Session, error) {
	return rpc.Get[[]router.Session](ctx, s.socket, "/sessions")
}

// Session returns the session with one neighbor.
func (s Speaker) Session(ctx context.Context, neighbor netip.Addr) (router.Session, error) {
	sessions, err := s.Sessions(ctx)
	if err != nil {
		return router.Session{}, err
	}
	for _, session := range sessions {
		if session.Neighbor == neighbor {
			return session, nil
		}
	}
	return router.Session{}, fmt.Errorf("%s has no neighbor %s", s.Name, neighbor)
}

// Received lists what a neighbor announced, as it was on the wire, whether it was accepted or
// not.
func (s Speaker) Received(ctx context.Context, neighbor netip.Addr) ([]router.Route, error) {
	return rpc.Get[[]router.Route](ctx, s.socket, "/received?neighbor="+neighbor.String())
}

// Advertised lists what the speaker announces to a neighbor.
func (s Speaker) Advertised(ctx context.Context, neighbor netip.Addr) ([]router.Route, error) {
	return rpc.Get[[]router.Route](ctx, s.socket, "/advertised?neighbor="+neighbor.String())
}

// Seen lists every prefix that a neighbor of a Route Server instance has ever announced, so
// that a test can tell "never sent" from "withdrawn since".
func (s Speaker) Seen(ctx context.Context, neighbor netip.Addr) ([]netip.Prefix, error) {
	updates, err := s.Updates(ctx, neighbor)
	var seen []netip.Prefix
	for _, u := range updates {
		seen = append(seen, u.Announced...)
	}
	slices.SortFunc(seen, netip.Prefix.Compare)
	return slices.Compact(seen), err
}

// Updates lists every UPDATE that a neighbor of a Route Server instance has sent, in
// order.
func (s Speaker) Updates(ctx context.Context, neighbor netip.Addr) ([]router.Update, error) {
	return rpc.Get[[]router.Update](ctx, s.socket, "/updates?neighbor="+neighbor.String())
}

// Lost lists the prefixes that disappeared from the speaker's table, with one entry for each
// time.
func (s Speaker) Lost(ctx context.Context) ([]netip.Prefix, error) {
	return rpc.Get[[]netip.Prefix](ctx, s.socket, "/lost")
}

// RouteServerPeers lists the NVAs that the Route Server of a VNet peers with.
func (l *Lab) RouteServerPeers(vnet string) []VM {
	v, _ := l.Topology.vnet(vnet)
	return l.Topology.peersOfRouteServer(v)
}

// EffectiveRoutes returns the effective routes of the NIC of a VM or of an emulated part.
func (l *Lab) EffectiveRoutes(ctx context.Context, vm string) ([]sdn.EffectiveRoute, error) {
	for _, v := range l.Topology.VNets {
		for _, nic := range v.nics() {
			if nic.name == vm {
				return rpc.Get[[]sdn.EffectiveRoute](ctx, l.socket(routerNode(v.Name)), "/effective?nic="+nic.address.String())
			}
		}
	}
	return nil, fmt.Errorf("no VM %q", vm)
}

// EffectiveTable prints effective routes as the portal does, one row for each next hop, but
// within 80 columns: it leaves out the state if all routes are active, and puts the name of a
// user-defined route beside the source.
func EffectiveTable(routes []sdn.EffectiveRoute) string {
	rows := [][]string{{"Source", "State", "Address prefix", "Next hop type", "Next hop IP"}}
	for _, r := range routes {
		for _, hop := range hopTexts(r.NextHops) {
			source := strings.TrimSpace(r.Source + " " + r.Name)
			rows = append(rows, []string{source, r.State, r.Prefix.String(), r.NextHopType, hop})
		}
	}
	return Table(without(rows, "State", "Active"))
}

// without leaves out a column that contains the same value in every row.
func without(rows [][]string, head, value string) [][]string {
	i := slices.Index(rows[0], head)
	if slices.ContainsFunc(rows[1:], func(row []string) bool { return row[i] != value }) {
		return rows
	}
	for n, row := range rows {
		rows[n] = slices.Delete(row, i, i+1)
	}
	return rows
}

func hopTexts(hops []netip.Addr) []string {
	if len(hops) == 0 {
		return []string{"-"}
	}
	var texts []string
	for _, hop := range hops {
		texts = append(texts, hop.String())
	}
	return texts
}

// RouteTable prints a speaker's routes, with a column for each attribute that at least one of
// them has.
func RouteTable(routes []router.Route) string {
	rows := [][]string{{"Prefix", "Next Hop", "MED", "LocPrf", "AS Path", "Communities", "Verdict"}}
	for _, r := range routes {
		verdict := "rejected"
		if r.Accepted {
			verdict = "accepted"
		}
		rows = append(rows, []string{
			r.Prefix.String(), r.NextHop.String(), number(r.MED), number(r.LocalPref),
			r.Path(), cmp.Or(strings.Join(r.Communities, " "), "-"), verdict,
		})
	}
	for _, head := range []string{"MED", "LocPrf", "Communities"} {
		rows = without(rows, head, "-")
	}
	return Table(rows)
}

func number(n *uint32) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

// Table aligns rows in columns.
func Table(rows [][]string) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush()
	return text.String()
}
