package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/spf13/cobra"
)

// demoShow lists what the demonstration runs, in place of the scenario's commands. hub10
// announces 10.66.0.0/16, which hub00's configuration rejects.
var demoShow = []string{
	"vm-hub00# nvactl neighbors",
	"vm-hub00# nvactl routes received 10.0.210.4",
	"vm-hub00# nvactl routes received 169.254.0.2",
	"vm-hub00# nvactl routes advertised 10.0.210.4",
	"vm-hub00# nvactl routes rejected 169.254.0.2",
	"vm-hub00# nvactl explain 10.66.0.0/16",
	"vm-hub00# ip route",
	"vm-hub100# traceroute -n -q 1 -w 1 10.110.0.4",
	"vm-hub100# ping -c 5 -i 0.2 10.110.0.4",
	"vm-hub110# ping -c 5 -i 0.2 10.100.0.4",
}

// traceNote explains the output of traceroute.
const traceNote = `
On the path, a hop that answers is an NVA or a VM. "*" are the VNets, which
forward and do not answer, and hub10's NVA: its answer starts from 169.254.0.2,
and a VNet drops link-local sources.
`

// demoCommand replaces the lab of an earlier demonstration. The lab stays up.
func demoCommand(prefix *string) *cobra.Command {
	var noWeb bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "build the two hubs with nvad in them and show that they talk",
		Long:  "Build the two hubs with nvad in them and show that they talk. The last line is the address of a page that shows both.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			if err := takeDown(*prefix); err != nil {
				return err
			}
			nva := func(config string) lab.NVA {
				return lab.NVA{Kind: lab.Nvad, Binary: beside("nvad"), Config: beside("../configs/demo/" + config)}
			}
			start := time.Now()
			l, err := lab.Create(cmd.Context(), lab.Options{
				Scenario: "two-hubs", Prefix: *prefix, Emulator: self,
				NVAs: map[string]lab.NVA{"vm-hub00": nva("hub00.toml"), "vm-hub10": nva("hub10.toml")},
			})
			if err != nil {
				return err
			}
			l.Scenario.Show = demoShow
			out := cmd.OutOrStdout()
			fmt.Fprintln(out, "Two hubs, four VNets, two ExpressRoute circuits, four Route Server instances")
			if err := settle(cmd.Context(), l); err != nil {
				return err
			}
			fmt.Fprintf(out, "The networks behind the circuits reach each other after %.1f s.\n", time.Since(start).Seconds())
			if err := l.Show(cmd.Context(), out); err != nil {
				return err
			}
			fmt.Fprint(out, traceNote, lookAround(l))
			if noWeb {
				return nil
			}
			return openPage(cmd.Context(), out, l)
		},
	}
	cmd.Flags().BoolVar(&noWeb, "no-web", false, "serve no page")
	return cmd
}

// webPatience bounds the time until the page is served.
const webPatience = 15 * time.Second

// openPage serves the page of the lab and prints its address.
func openPage(ctx context.Context, out io.Writer, l *lab.Lab) error {
	ctx, cancel := context.WithTimeout(ctx, webPatience)
	defer cancel()
	address, err := l.StartWeb(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nSee both hubs in a browser: %s\n", address)
	return nil
}
