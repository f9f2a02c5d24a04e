package ctl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

const installed = "installed"

func (a *app) fibCommand() *cobra.Command {
	var failed bool
	cmd := &cobra.Command{
		Use:   "fib",
		Short: "Show the routes nvad wants in the kernel",
		Long: `Show every route that nvad wants in the kernel, with its state: installed,
pending, failed (the kernel refused it, nvad tries again), refused (nvad does
not install it, because it would cut something off), outranked (the prefix is
connected, or the operator has a route for it) or conflict (another routing
daemon has a route for it). A route that is not installed has a reason. "backup"
marks the next hops that the kernel uses if all others are dead.`,
		Example: `  nvactl routes fib
  nvactl routes fib --failed
  nvactl routes fib -o json | jq '.[] | select(.state != "installed")'`,
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			stream, err := c.read.ListFIB(ctx, &nvadv1.ListFIBRequest{Failed: failed})
			none := "No routes."
			if failed {
				none = "Every route is as it is wanted."
			}
			print, end := a.fibTable(none)
			return answerStream(a, stream, err, (*nvadv1.ListFIBResponse).GetRoutes, print, end)
		}),
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "only routes that are not in the kernel as wanted, or left over")
	return cmd
}

// fibTable returns functions that print a row and the end of a table.
func (a *app) fibTable(none string) (print func(*nvadv1.FIBRoute), end func()) {
	t := a.newTable(
		column{head: "Network", max: 19},
		column{head: "Class"},
		column{head: "State"},
		column{head: "Since", right: true},
		column{head: "Next hop", fit: wrapped})
	states := map[string]int{}
	return func(r *nvadv1.FIBRoute) {
			states[r.GetState()]++
			t.rowWithNote(when(r.GetState() != installed, r.GetReason()), r.GetPrefix(), fibClass(r), r.GetState(), a.age(r.GetSince()), fibHops(r))
		}, func() {
			if len(states) == 0 {
				line(a.Out, none)
				return
			}
			t.end()
			line(a.Out, "\n"+fibTotals(states))
		}
}

// fibClass returns the class of a route, with the distance if that is not the usual one.
func fibClass(r *nvadv1.FIBRoute) string {
	if r.GetDistance() > 1 {
		return r.GetClass() + "/" + decimal(r.GetDistance())
	}
	return r.GetClass()
}

// fibHops returns a line for each next hop, in the form of ip route.
func fibHops(r *nvadv1.FIBRoute) string {
	if r.GetKind() != "unicast" {
		return r.GetKind()
	}
	var lines []string
	for i, h := range slices.Concat(r.GetNextHops(), r.GetBackup()) {
		lines = append(lines, joined(" ", when(i >= len(r.GetNextHops()), "backup"), prefixed("via ", h.GetVia()), "dev "+h.GetDevice(),
			when(h.GetWeight() > 1, "weight "+decimal(h.GetWeight()))))
	}
	return strings.Join(lines, "\n")
}

func fibTotals(states map[string]int) string {
	total := 0
	var words []string
	for _, s := range slices.Sorted(maps.Keys(states)) {
		total += states[s]
		words = append(words, fmt.Sprintf("%d %s", states[s], s))
	}
	return count(total, "route") + ": " + strings.Join(words, ", ")
}

func (a *app) lookupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lookup ADDRESS",
		Short: "Show where a packet to an address goes",
		Long: `Ask the kernel where it would send a packet to an address: the route that
matches, the next hop and the device. If that is a tunnel of nvad's, also show
the outer packet and its route. With azure.poll, also show what Azure was last
seen to do with the longest prefix that contains the address.`,
		Example: `  nvactl routes lookup 10.110.0.4
  nvactl routes lookup 10.110.0.4 -o json | jq .tunnel`,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			v, err := c.read.LookupAddress(ctx, &nvadv1.LookupRequest{Address: args[0]})
			return answer(a, v, err, a.printLookup)
		}),
	}
}

func (a *app) printLookup(v *nvadv1.Lookup) {
	p := a.newPage()
	p.heading("%s", fateSentence(v.GetAddress(), v.GetWay()))
	wayFields(p, v.GetWay())
	if v.GetTunnel() != nil {
		encapsulationFields(p, v.GetTunnel())
	}
	if seen := v.GetAzure(); seen != nil {
		heading, fields := a.azureStory(seen)
		p.heading("%s", heading)
		for _, f := range fields {
			p.field(f.label, f.text)
		}
	}
	p.print()
}

func encapsulationFields(p *page, t *nvadv1.Encapsulation) {
	p.heading("Tunnel %s, %s", t.GetDevice(), network(t.GetEncrypted(), t.GetVni()))
	p.field("Source", t.GetSource())
	p.field("UDP port", decimal(t.GetPort()))
	p.field("MTU", mtu(t.GetMtu()))
	p.field("Remotes", when(len(t.GetOuter()) > 1 && !t.GetLearned() && !t.GetEncrypted(), "the right one is not learned yet: each gets a copy"))
	for _, o := range t.GetOuter() {
		p.heading("Outer packet: %s", fateSentence(o.GetDestination(), o.GetWay()))
		wayFields(p, o.GetWay())
	}
}

// fateSentence tells what happens to a packet.
func fateSentence(addr string, w *nvadv1.Way) string {
	switch w.GetFate() {
	case "unicast":
		if w.GetVia() == "" {
			return fmt.Sprintf("%s is on the link %s", addr, w.GetDevice())
		}
		return fmt.Sprintf("%s goes via %s dev %s", addr, w.GetVia(), w.GetDevice())
	case "local":
		return fmt.Sprintf("%s is an address of this machine, on %s", addr, w.GetDevice())
	case "blackhole":
		return addr + ": packets are dropped silently (blackhole)"
	case "unreachable":
		return addr + ": packets are answered with ICMP unreachable"
	case "prohibit":
		return addr + ": packets are answered with ICMP prohibited"
	case "no route":
		return addr + ": there is no route"
	}
	return fmt.Sprintf("%s is a %s address, on %s", addr, w.GetFate(), w.GetDevice())
}

func wayFields(p *page, w *nvadv1.Way) {
	if w.GetPrefix() == "" {
		p.field("Route", "none")
		return
	}
	by := "protocol " + w.GetProtocol()
	if w.GetOwn() {
		by = "by nvad (" + w.GetProtocol() + ")"
	}
	p.field("Route", fmt.Sprintf("%s, %s, metric %d", w.GetPrefix(), by, w.GetMetric()))
	p.field("Learned", when(w.GetNeighbor() != "", "from "+w.GetNeighbor()+", AS path "+w.GetAsPath()))
	p.field("Own source", when(w.GetFate() == "unicast", w.GetSource()))
}

func (a *app) natCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "nat",
		Short: "Show the rules of NAT and MSS clamp with their counters",
		Long: `Show the rules of masquerade, SNAT, DNAT and MSS clamp in the nftables table
nvad, in the order in which packets reach them, with their counters since the
table was last written. NAT rules count connections, since the first packet of a
connection decides for the others. MSS clamp counts TCP SYNs.`,
		Example: `  nvactl nat
  nvactl nat -o json | jq '.[] | select(.packets == 0) | .why'`,
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			r, err := c.read.ListNAT(ctx, &nvadv1.ListNATRequest{})
			return answerList(a, r.GetRules(), err, "No NAT and no MSS clamp is configured.", a.printNAT)
		}),
	}
}

func (a *app) printNAT(list []*nvadv1.NATRule) {
	t := a.newTable(
		column{head: "Chain"},
		column{head: "Packets", right: true},
		column{head: "Bytes", right: true},
		column{head: "Rule", min: readable, fit: wrapped})
	for _, r := range list {
		t.rowWithNote(when(r.GetMissing(), "not in the kernel"), r.GetChain(), decimal(r.GetPackets()), decimal(r.GetBytes()), r.GetRule())
	}
	t.end()
}
