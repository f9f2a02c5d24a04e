package ctl

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

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
