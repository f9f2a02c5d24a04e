package ctl

import (
	"context"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

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
