package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/route"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) policyCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "policy",
		Short: "Try policies, and show how often their rules decided",
	}, a.policyTestCommand(), a.policyHitsCommand())
}

// trial holds the flags of policy test.
type trial struct {
	file, route, neighbor, from string
	direction                   choice
}

func (a *app) policyTestCommand() *cobra.Command {
	t := &trial{direction: choice{allowed: []string{"in", "out"}}}
	cmd := &cobra.Command{
		Use:   "test --route ROUTE --neighbor ADDRESS --direction in|out",
		Short: "Try a route on a configuration file, without a daemon",
		Long: `Evaluate the policies of a configuration file on a route that a neighbor sends
(in), or that is to be sent to it (out). Show every check and rule with the
value it looked at, the attributes before and after, and those on the wire. This
needs no daemon: nvactl assumes values that neither the route nor the file
gives, such as the next hop, and lists them. The exit code is 0 even if the
route is denied.

A route is written as
  ` + routeGrammar,
		Example: `  nvactl policy test --config new.toml --neighbor 10.0.210.4 --direction in \
      --route '10.1.0.0/16 as-path "65515 12076"'
  nvactl policy test --config new.toml --neighbor 10.0.210.4 --direction out \
      --route '10.1.0.0/16 as-path "65515 12076" med 50' -o json`,
		RunE: a.offline(func([]string) error { return a.policyTest(t) }),
	}
	f := cmd.Flags()
	f.StringVarP(&t.file, "config", "c", defaultConfig, "configuration `FILE`")
	f.StringVar(&t.route, "route", "", "the `ROUTE` to try")
	f.StringVar(&t.neighbor, "neighbor", "", "`ADDRESS` of the neighbor it comes from or goes to")
	f.Var(&t.direction, "direction", "`WAY` it goes: in or out")
	f.StringVar(&t.from, "from", "", "with out: `ADDRESS` of the neighbor it was learned from")
	for _, name := range []string{"route", "neighbor", "direction"} {
		_ = cmd.MarkFlagRequired(name)
	}
	completeFixed(cmd, "direction", t.direction.allowed...)
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
	return answer(a, api.ExplanationMessage(api.Explanation{Explanation: x}, nil), nil, func(m *nvadv1.Explanation) { a.printTrial(m, run.Export) })
}

// parse checks the flags.
func (t *trial) parse() (run engine.Trial, err error) {
	if run.Prefix, run.Attrs, err = parseRoute(t.route); err != nil {
		return run, fmt.Errorf("--route: %w", err)
	}
	if run.Neighbor, err = netip.ParseAddr(t.neighbor); err != nil {
		return run, fmt.Errorf("--neighbor: %q is not an address", t.neighbor)
	}
	run.Export = t.direction.value == "out"
	if t.from == "" {
		return run, nil
	}
	if !run.Export {
		return run, errors.New("--from needs --direction out: a route that comes in is learned from --neighbor")
	}
	if run.From, err = netip.ParseAddr(t.from); err != nil {
		return run, fmt.Errorf("--from: %q is not an address", t.from)
	}
	return run, nil
}

// printTrial explains the result of a trial.
func (a *app) printTrial(x *nvadv1.Explanation, export bool) {
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
}

// loadConfig reads a file. The error has a line for each fault.
func loadConfig(file string) (*config.Config, error) {
	cfg, err := config.Load(file)
	if err != nil {
		return nil, fmt.Errorf("not a valid configuration:\n%w", err)
	}
	return cfg, nil
}

// routeGrammar is the grammar of parseRoute.
const routeGrammar = `PREFIX [as-path "N N ..."] [next-hop ADDRESS] [med N] [local-pref N]
  [origin igp|egp|incomplete] [community "N:N ..."]
  [large-community "N:N:N ..."] [ext-community "rt N:N, ..."]`

// routeKeys parse one attribute each.
var routeKeys = map[string]func(a *route.Attrs, text string) error{
	"as-path": func(a *route.Attrs, text string) (err error) {
		a.ASPath, err = route.ParseASPath(text)
		return err
	},
	"next-hop": func(a *route.Attrs, text string) (err error) {
		if a.NextHop, err = netip.ParseAddr(text); err != nil || a.NextHop.Zone() != "" {
			return fmt.Errorf("%q is not an address", text)
		}
		return nil
	},
	"med":        func(a *route.Attrs, text string) error { return parseOptional(&a.MED, text) },
	"local-pref": func(a *route.Attrs, text string) error { return parseOptional(&a.LocalPref, text) },
	"origin": func(a *route.Attrs, text string) (err error) {
		a.Origin, err = route.ParseOrigin(text)
		return err
	},
	"community": func(a *route.Attrs, text string) (err error) {
		a.Communities, err = parseList(strings.Fields(text), route.ParseCommunity)
		a.Communities = route.SortedSet(a.Communities)
		return err
	},
	"large-community": func(a *route.Attrs, text string) (err error) {
		a.LargeCommunities, err = parseList(strings.Fields(text), route.ParseLargeCommunity)
		a.LargeCommunities = route.SortedLargeSet(a.LargeCommunities)
		return err
	},
	"ext-community": func(a *route.Attrs, text string) (err error) {
		a.ExtCommunities, err = parseList(strings.Split(text, ","), route.ParseExtCommunity)
		a.ExtCommunities = route.SortedSet(a.ExtCommunities)
		return err
	},
}

// parseRoute parses the value of --route.
func parseRoute(text string) (netip.Prefix, route.Attrs, error) {
	var a route.Attrs
	words, err := splitQuoted(text)
	if err != nil {
		return netip.Prefix{}, a, err
	}
	if len(words) == 0 {
		return netip.Prefix{}, a, errors.New("no route given, want\n  " + routeGrammar)
	}
	prefix, err := netip.ParsePrefix(words[0])
	if err != nil {
		return prefix, a, fmt.Errorf("%q is not a prefix, want\n  %s", words[0], routeGrammar)
	}
	given := map[string]bool{}
	for rest := words[1:]; len(rest) > 0; rest = rest[2:] {
		set := routeKeys[rest[0]]
		switch {
		case given[rest[0]]:
			return prefix, a, fmt.Errorf("%s is given twice", rest[0])
		case set == nil:
			return prefix, a, fmt.Errorf("%q is not a key of a route, want\n  %s", rest[0], routeGrammar)
		case len(rest) == 1:
			return prefix, a, fmt.Errorf("%s has no value", rest[0])
		}
		if err := set(&a, rest[1]); err != nil {
			return prefix, a, fmt.Errorf("%s: %w", rest[0], err)
		}
		given[rest[0]] = true
	}
	return prefix.Masked(), a, nil
}

// splitQuoted splits at spaces outside quotes.
func splitQuoted(text string) ([]string, error) {
	var words []string
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		quote := rest[0]
		if quote != '"' && quote != '\'' {
			end := strings.IndexAny(rest+" ", " \t")
			words, rest = append(words, rest[:end]), rest[end:]
			continue
		}
		end := strings.IndexByte(rest[1:], quote)
		if end < 0 {
			return nil, fmt.Errorf("%s has no closing quote", rest)
		}
		words, rest = append(words, rest[1:1+end]), rest[end+2:]
	}
	return words, nil
}

func parseOptional(o *route.Optional, text string) error {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return fmt.Errorf("%q is not a number from 0 to 4294967295", text)
	}
	*o = route.Some(uint32(n))
	return nil
}

func parseList[T any](words []string, parse func(string) (T, error)) ([]T, error) {
	var out []T
	for _, w := range words {
		v, err := parse(strings.TrimSpace(w))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (a *app) policyHitsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hits ADDRESS",
		Short: "Show how often each rule decided",
		Long: `Show how often each rule of a neighbor's policies decided: entries of lists and
clauses of route-maps, including those that never did. The counters are reset
when nvad starts, and when a reload changes the policy. A route that is
evaluated again, as after reset --soft in, counts again.`,
		Example: `  nvactl policy hits 10.0.210.4
  nvactl policy hits 10.0.210.4 -o json | jq '.[] | select(.hits == null)'`,
		ValidArgsFunction: a.completeNeighbors,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			stream, err := c.read.ListPolicyHits(ctx, &nvadv1.ListPolicyHitsRequest{Address: args[0]})
			t := a.newTable(column{head: "Way"}, column{head: "Hits", right: true}, column{head: "Rule", fit: wrapped})
			return answerStream(a, stream, err, (*nvadv1.ListPolicyHitsResponse).GetRules, func(r *nvadv1.PolicyHits) {
				t.row(r.GetDirection(), decimal(r.GetHits()), r.GetRule())
			}, t.end)
		}),
	}
}
