package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/spf13/cobra"
)

// settleTime bounds how long the lab may take until its scenario works.
const settleTime = time.Minute

func names() []string {
	var list []string
	for _, s := range lab.Scenarios() {
		list = append(list, s.Name)
	}
	return list
}

func scenariosCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "scenarios",
		Short: "list the scenarios",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			var rows [][]string
			for _, s := range lab.Scenarios() {
				rows = append(rows, []string{s.Name, s.About})
			}
			fmt.Fprint(cmd.OutOrStdout(), lab.Table(rows))
		},
	}
}

func showCommand(prefix *string) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "wait until the lab works and print what its scenario is there to show",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := lab.Open(*prefix)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "%s: %s\n", l.Scenario.Name, l.Scenario.About)
			ctx, cancel := context.WithTimeout(cmd.Context(), settleTime)
			defer cancel()
			if err := l.Settle(ctx); err != nil {
				return err
			}
			if err := l.Show(cmd.Context(), out); err != nil {
				return err
			}
			fmt.Fprint(out, lookAround(l))
			return nil
		},
	}
}

// lookAround says what else there is to try.
func lookAround(l *lab.Lab) string {
	bin := filepath.Dir(l.Options.Emulator)
	text := "\nLook around, as root:\n"
	for _, v := range l.Topology.Hosts() {
		if l.Options.NVAs[v.Name].Kind == lab.Nvad {
			text += fmt.Sprintf("  %s --socket %s status\n", filepath.Join(bin, "nvactl"), l.NVASocket(v.Name))
		}
	}
	for _, v := range l.Topology.Hosts() {
		text += fmt.Sprintf("  ip netns exec %s bash\n", l.Namespace(v.Name))
	}
	return text + fmt.Sprintf(`  %[1]s status, %[1]s effective-routes, %[1]s --help
Logs are in %[2]s. "make lab-down" takes it all away.
`, filepath.Join(bin, "azure"), filepath.Join(l.Dir(), "log"))
}
