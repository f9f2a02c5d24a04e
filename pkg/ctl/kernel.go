package ctl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

const installed = "installed"

func (a *app) fibCommand() *cobra.Command {
	var failed bool
	cmd := &cobra.Command{
		Use:   "fib",
		Short: "Show the routes nvad wants in the kernel",
		Long: `Show every route that nvad wants in the kernel: installed, pending, failed (the
kernel refused it, nvad tries again), refused (nvad does not install it, since
it would cut off something), outranked (the prefix is connected, or the operator
has set a route for it by other means) or in conflict with a route of another
routing daemon. Those not installed say why. A route that has a backup shows
where its traffic goes should every next hop die: the kernel has that at hand.`,
		Example: `  nvactl routes fib
  nvactl routes fib --failed
  nvactl routes fib -o json | jq '.[] | select(.state != "installed")'`,
		Args: between(0, 0),
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			stream, err := c.read.ListFIB(ctx, &nvadv1.ListFIBRequest{Failed: failed})
			if a.json() {
				return a.fibJSON(receiveFIB(stream, err))
			}
			none := "No routes."
			if failed {
				none = "Every route is as it is wanted."
			}
			return a.fibTable(receiveFIB(stream, err), none)
		}),
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "only routes that are not in the kernel as wanted, or left over")
	return cmd
}

// fibRows calls yield with each route of a stream.
type fibRows func(yield func(*nvadv1.FIBRoute) error) error

func receiveFIB(stream grpc.ServerStreamingClient[nvadv1.ListFIBResponse], err error) fibRows {
	return func(yield func(*nvadv1.FIBRoute) error) error {
		return receive(stream, err, func(m *nvadv1.ListFIBResponse) error {
			for _, r := range m.GetRoutes() {
				if err := yield(r); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func (a *app) fibJSON(rows fibRows) error {
	arr := jsonArray{out: a.Out}
	if err := rows(func(r *nvadv1.FIBRoute) error { return arr.add(r) }); err != nil {
		return err
	}
	return arr.end()
}

func (a *app) fibTable(rows fibRows, none string) error {
	t := newTable(a.Out, a.Width,
		column{head: "Network", max: 19},
		column{head: "Class"},
		column{head: "State"},
		column{head: "Since", right: true},
		column{head: "Next hop", fit: wrapped})
	states := map[string]int{}
	err := rows(func(r *nvadv1.FIBRoute) error {
		states[r.GetState()]++
		note := ""
		if r.GetState() != installed {
			note = r.GetReason()
		}
		t.rowWithNote(note, r.GetPrefix(), r.GetClass(), r.GetState(), a.age(r.GetSince()), fibHops(r))
		return t.err
	})
	if err != nil {
		return err
	}
	if len(states) == 0 {
		return line(a.Out, none)
	}
	if err := t.end(); err != nil {
		return err
	}
	return line(a.Out, "\n"+fibTotals(states))
}

// fibHops is one line for each next hop, as ip route prints them.
func fibHops(r *nvadv1.FIBRoute) string {
	if r.GetKind() != "unicast" {
		return r.GetKind()
	}
	var lines []string
	for i, h := range slices.Concat(r.GetNextHops(), r.GetBackup()) {
		s := "dev " + h.GetDevice()
		if h.GetVia() != "" {
			s = "via " + h.GetVia() + " " + s
		}
		if h.GetWeight() > 1 {
			s += " weight " + decimal(h.GetWeight())
		}
		if i >= len(r.GetNextHops()) {
			s = "backup " + s
		}
		lines = append(lines, s)
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
		Short: "Tell what becomes of a packet",
		Long: `Ask the kernel where a packet for an address goes: the route that matches, next
hop and device; if that is a tunnel of nvad's, also the packet around the packet
and the route that one takes.`,
		Example: `  nvactl routes lookup 10.110.0.4
  nvactl routes lookup 10.110.0.4 -o json | jq .tunnel`,
		Args: between(1, 1),
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			v, err := c.read.LookupAddress(ctx, &nvadv1.LookupRequest{Address: args[0]})
			switch {
			case err != nil:
				return err
			case a.json():
				return writeJSON(a.Out, v)
			}
			return a.printLookup(v)
		}),
	}
}

func (a *app) printLookup(v *nvadv1.Lookup) error {
	p := newPage(a.Out, a.Width)
	p.heading("%s", fateSentence(v.GetAddress(), v.GetWay()))
	wayFields(p, v.GetWay())
	t := v.GetTunnel()
	if t == nil {
		return p.print()
	}
	p.heading("Tunnel %s, VNI %d", t.GetDevice(), t.GetVni())
	p.field("Source", t.GetSource())
	p.field("UDP port", decimal(t.GetPort()))
	if t.GetMtu() > 0 {
		p.field("MTU", decimal(t.GetMtu()))
	}
	if len(t.GetOuter()) > 1 && !t.GetLearned() {
		p.field("Remotes", "not learned yet which one it is: each gets a copy")
	}
	for _, o := range t.GetOuter() {
		p.heading("Outer packet: %s", fateSentence(o.GetDestination(), o.GetWay()))
		wayFields(p, o.GetWay())
	}
	return p.print()
}

// fateSentence says what becomes of a packet.
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
		return fmt.Sprintf("%s: packets are dropped without a word (blackhole)", addr)
	case "unreachable":
		return fmt.Sprintf("%s: packets are answered with ICMP unreachable", addr)
	case "prohibit":
		return fmt.Sprintf("%s: packets are answered with ICMP prohibited", addr)
	case "no route":
		return fmt.Sprintf("%s: there is no route", addr)
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
	if w.GetNeighbor() != "" {
		p.field("Learned", "from "+w.GetNeighbor()+", AS path "+w.GetAsPath())
	}
	if w.GetFate() == "unicast" {
		p.field("Own source", w.GetSource())
	}
}

func (a *app) natCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "nat",
		GroupID: groupShow,
		Short:   "Show the rules of NAT and MSS clamp with their counters",
		Long: `Show what masquerade, SNAT, DNAT and MSS clamp have put into the nftables table
nvad, in the order in which packets meet it, and how often each rule was met
since the table was written last. Rules of NAT count connections: the first
packet decides for all that follow. MSS clamp counts the SYNs of TCP.`,
		Example: `  nvactl nat
  nvactl nat -o json | jq '.[] | select(.packets == 0) | .why'`,
		Args: between(0, 0),
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			r, err := c.read.ListNAT(ctx, &nvadv1.ListNATRequest{})
			if err != nil {
				return err
			}
			if a.json() {
				return writeArray(a.Out, r.GetRules())
			}
			return a.printNAT(r.GetRules())
		}),
	}
}

func (a *app) printNAT(list []*nvadv1.NATRule) error {
	if len(list) == 0 {
		return line(a.Out, "No NAT and no MSS clamp is configured.")
	}
	t := newTable(a.Out, a.Width,
		column{head: "Chain"},
		column{head: "Packets", right: true},
		column{head: "Bytes", right: true},
		column{head: "Rule", min: readable, fit: wrapped})
	for _, r := range list {
		note := ""
		if r.GetMissing() {
			note = "not in the kernel"
		}
		t.rowWithNote(note, r.GetChain(), decimal(r.GetPackets()), decimal(r.GetBytes()), r.GetRule())
	}
	return t.end()
}
