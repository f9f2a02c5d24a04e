// Command azure brings labs up and down and shows their state. It is also the program that the
// lab starts for each emulated part of Azure.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/echo"
	"github.com/nvad/nvad/integration/lab/emulator/gateway"
	"github.com/nvad/nvad/integration/lab/emulator/routeserver"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command().ExecuteContext(ctx)
	// An error that is not wrapped comes from a command that the user asked to run, which has
	// printed its own message.
	if child, ok := err.(*exec.ExitError); ok {
		os.Exit(child.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "azure:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "azure",
		Short:         "Azure in network namespaces",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	prefix := root.PersistentFlags().String("prefix", lab.DefaultPrefix, "names the lab and all it owns")
	root.AddCommand(demoCommand(prefix), upCommand(prefix), downCommand(prefix), execCommand(prefix), runCommand())
	root.AddCommand(scenariosCommand(), showCommand(prefix), connectCommand(prefix))
	root.AddCommand(showCommands(prefix)...)
	return root
}

// roles are the emulated parts that this program can run as.
var roles = map[string]func(ctx context.Context, file string) error{
	"sdn":          role(sdn.Run),
	"route-server": role(routeserver.Run),
	"gateway":      role(gateway.Run),
	"echo":         role(echo.Run),
	"arm":          role(lab.RunManager),
}

// role reads a part's configuration and runs it. It is no error if the part is told to end.
func role[C any](run func(context.Context, C) error) func(context.Context, string) error {
	return func(ctx context.Context, file string) error {
		var config C
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &config); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := run(ctx, config); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
			return err
		}
		return nil
	}
}

func runCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "run ROLE CONFIG",
		Short:  "be one emulated part of Azure",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, ok := roles[args[0]]
			if !ok {
				return fmt.Errorf("unknown role %q", args[0])
			}
			return run(cmd.Context(), args[1])
		},
	}
}

// settle waits until the lab's scenario works.
func settle(ctx context.Context, l *lab.Lab) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return l.Settle(ctx)
}

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
	short := "wait until the lab works and print what its scenario is there to show"
	return onLab(prefix, "show", short, cobra.NoArgs, func(cmd *cobra.Command, l *lab.Lab, _ []string) error {
		out := cmd.OutOrStdout()
		fmt.Fprintf(out, "%s: %s\n", l.Scenario.Name, l.Scenario.About)
		if l.Scenario.Note != "" {
			fmt.Fprintf(out, "\n%s\n", l.Scenario.Note)
		}
		if err := settle(cmd.Context(), l); err != nil {
			return err
		}
		if err := l.Show(cmd.Context(), out); err != nil {
			return err
		}
		fmt.Fprint(out, lookAround(l))
		return nil
	})
}

// lookAround returns hints about what else to try.
func lookAround(l *lab.Lab) string {
	bin := filepath.Dir(l.Options.Emulator)
	text := "\nLook around, as root:\n"
	for _, v := range l.Topology.Hosts() {
		if l.Options.NVAs[v.Name].Kind.IsNvad() {
			text += fmt.Sprintf("  %s --socket %s status\n", filepath.Join(bin, "nvactl"), l.NVASocket(v.Name))
		}
	}
	if _, err := os.Stat(l.SitePath()); err == nil {
		text += fmt.Sprintf("  %s --site %s status\n", filepath.Join(bin, "nvactl"), l.SitePath())
		text += fmt.Sprintf("  %s --site %s web\n", filepath.Join(bin, "nvactl"), l.SitePath())
	}
	for _, v := range l.Topology.Hosts() {
		if l.Options.Manager && l.Options.NVAs[v.Name].Kind.IsNvad() && l.InAzure(v.Name) {
			text += fmt.Sprintf("  %s exec %s %s --socket %s azure diff\n", filepath.Join(bin, "azure"), v.Name, filepath.Join(bin, "nvactl"), l.NVASocket(v.Name))
		}
	}
	for _, v := range l.Topology.Hosts() {
		text += fmt.Sprintf("  ip netns exec %s bash\n", l.Namespace(v.Name))
	}
	return text + fmt.Sprintf(`  %[1]s status, %[1]s effective-routes, %[1]s --help
Logs are in %[2]s. "make lab-down" takes it all away.
`, filepath.Join(bin, "azure"), filepath.Join(l.Dir(), "log"))
}
