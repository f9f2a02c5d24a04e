package ctl

import (
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "policy",
		GroupID: groupShow,
		Short:   "Try policies, and count what their rules did",
		Args:    rootArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		SuggestionsMinimumDistance: suggestionDistance,
	}
	cmd.AddCommand(a.policyTestCommand(), a.policyHitsCommand())
	return cmd
}

// trial is the flags of policy test.
type trial struct {
	file, route, neighbor, direction, from string
}

func (a *app) policyTestCommand() *cobra.Command {
	t := &trial{}
	cmd := &cobra.Command{
		Use:   "test --route ROUTE --neighbor ADDRESS --direction in|out",
		Short: "Try a route on a configuration file, without a daemon",
		Long: `Tell what a configuration file would make of a route that a neighbor sends, or
that it is to be sent: every check and rule with what it looked at, the
attributes before and after, and what goes on the wire. No daemon is asked: what
neither the route nor the file gives, such as the next hop, is assumed, and the
output names it. The exit code is 0 also for a route that is denied.

A route is written as
  ` + routeGrammar,
		Example: `  nvactl policy test --config new.toml --neighbor 10.0.210.4 --direction in \
      --route '10.1.0.0/16 as-path "65515 12076"'
  nvactl policy test --config new.toml --neighbor 10.0.210.4 --direction out \
      --route '10.1.0.0/16 as-path "65515 12076" med 50' -o json`,
		Args: between(0, 0),
		RunE: a.offline(func([]string) error { return a.policyTest(t) }),
	}
	f := cmd.Flags()
	f.StringVarP(&t.file, "config", "c", defaultConfig, "configuration `FILE`")
	f.StringVar(&t.route, "route", "", "the `ROUTE` to try")
	f.StringVar(&t.neighbor, "neighbor", "", "`ADDRESS` of the neighbor it comes from or goes to")
	f.StringVar(&t.direction, "direction", "", "`WAY` it goes: in or out")
	f.StringVar(&t.from, "from", "", "with out: `ADDRESS` of the neighbor it was learned from")
	for _, name := range []string{"route", "neighbor", "direction"} {
		_ = cmd.MarkFlagRequired(name)
	}
	_ = cmd.RegisterFlagCompletionFunc("direction", cobra.FixedCompletions([]string{"in", "out"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) policyTest(t *trial) error {
	run, err := t.parse()
	if err != nil {
		return err
	}
	cfg, err := loadConfig(t.file)
	if err != nil {
		return err
	}
	x, err := engine.Try(cfg, run)
	if err != nil {
		return err
	}
	m := api.ExplanationMessage(x)
	if a.json() {
		return writeJSON(a.Out, m)
	}
	return a.printTrial(m, run.Export)
}

// parse reads the flags.
func (t *trial) parse() (run engine.Trial, err error) {
	if run.Prefix, run.Attrs, err = parseRoute(t.route); err != nil {
		return run, fmt.Errorf("--route: %w", err)
	}
	if run.Neighbor, err = netip.ParseAddr(t.neighbor); err != nil {
		return run, fmt.Errorf("--neighbor: %q is not an address", t.neighbor)
	}
	switch t.direction {
	case "in":
		if t.from != "" {
			return run, fmt.Errorf("--from is for --direction out: a route that comes in is from --neighbor")
		}
	case "out":
		run.Export = true
	default:
		return run, fmt.Errorf("--direction: want in or out, not %q", t.direction)
	}
	if t.from != "" {
		if run.From, err = netip.ParseAddr(t.from); err != nil {
			return run, fmt.Errorf("--from: %q is not an address", t.from)
		}
	}
	return run, nil
}

// printTrial tells what became of the route of a trial.
func (a *app) printTrial(x *nvadv1.Explanation, export bool) error {
	s := &story{out: a.Out, width: a.Width}
	for _, p := range x.GetPaths() {
		if export {
			s.heading(fmt.Sprintf("%s, learned from %s", x.GetPrefix(), p.GetNeighbor()))
			s.field("Before", sentence(p.GetAttributes(), p.GetWeight()))
			continue
		}
		verdict := "accepted"
		if !p.GetAccepted() {
			verdict = "rejected: " + p.GetRule()
		}
		s.heading(fmt.Sprintf("%s from %s%s: %s", x.GetPrefix(), p.GetNeighbor(), inGroup(p.GetPeerGroup()), verdict))
		s.field("Received", sentence(p.GetReceived(), 0))
		importStory(s, p)
	}
	for _, text := range x.GetAssumed() {
		s.field("Assumed", text)
	}
	exportStories(s, x.GetExports())
	return s.err
}

// loadConfig reads a file; each fault has a line of its own.
func loadConfig(file string) (*config.Config, error) {
	cfg, err := config.Load(file)
	if err != nil {
		return nil, fmt.Errorf("not a valid configuration:\n%w", err)
	}
	return cfg, nil
}
