package ctl

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func (a *app) routesCommand() *cobra.Command {
	req, at := &nvadv1.ListRoutesRequest{}, &past{moment{now: a.Now}}
	cmd := &cobra.Command{
		Use:   "routes [PREFIX|ADDRESS]",
		Short: "Show routes",
		Long: `Show every accepted path of every neighbor; ">" marks the best path of a prefix.
With PREFIX, show all paths of one prefix in detail; with ADDRESS, those of the
longest prefix that contains the address. The subcommands show the routes that a
neighbor sent or was sent, and the routes in the kernel. The table prints
communities below their path, extended ones only in detail.

The flags select paths; with several flags, a path must match all of them.
EXPRESSION is as in an as-path-list: "_65515_" matches paths through AS 65515.

With --at, show the best paths of that moment, from the journal.
` + helpOfMoments + ``,
		Example: `  nvactl routes
  nvactl routes 10.110.0.0/16
  nvactl routes 10.110.0.4
  nvactl routes 10.0.0.0/8 --longer --as-path '_65515_'
  nvactl routes --community graceful-shutdown --neighbor 169.254.0.2
  nvactl routes received 10.0.210.4
  nvactl routes rejected 10.0.210.4
  nvactl routes fib
  nvactl routes lookup 10.110.0.4
  nvactl routes --at 03:12`,
		Args: a.prefixArg,
		RunE: a.run(func(ctx context.Context, c *client, args []string) error {
			switch _, notAddr := netip.ParseAddr(strings.Join(args, "")); {
			case notAddr == nil:
				req.Address = args[0]
			case len(args) == 1:
				req.Prefix = args[0]
			}
			if at.given != "" {
				if err := refusePast(at, req.GetAddress() != "", "an address"); err != nil {
					return err
				}
				if err := refusePast(at, len(req.GetCommunities()) > 0 || req.GetAsPath() != "", "--community and --as-path"); err != nil {
					return err
				}
				return a.routesAt(ctx, c, req, at)
			}
			if len(args) == 1 && !req.Longer {
				return a.showPrefix(ctx, c, args[0], req)
			}
			return a.listRoutes(ctx, c, req, a.pathTable(true), "No routes.")
		}),
		ValidArgsFunction: a.completePrefixes(req),

		SuggestionsMinimumDistance: suggestionDistance,
	}
	chooseFlags(cmd, req)
	cmd.Flags().StringVar(&req.Neighbor, "neighbor", "", "only paths from the neighbor `ADDRESS`")
	cmd.Flags().Var(at, "at", "show the best paths as they were at `TIME`")
	a.completeNeighborFlags(cmd, "neighbor")
	cmd.AddCommand(a.tableCommands()...)
	cmd.AddCommand(a.fibCommand(), a.lookupCommand())
	return cmd
}

// chooseFlags gives cmd the flags that select paths.
func chooseFlags(cmd *cobra.Command, req *nvadv1.ListRoutesRequest) {
	f := cmd.Flags()
	f.StringArrayVar(&req.Communities, "community", nil, "only paths with this `COMMUNITY`; may be repeated")
	f.StringVar(&req.AsPath, "as-path", "", "only paths whose AS path `EXPRESSION` matches")
	f.BoolVar(&req.Longer, "longer", false, "with PREFIX: also the prefixes within it")
}

// prefixArg checks a prefix or address. Any other word is a misspelled subcommand.
func (a *app) prefixArg(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && !isPlace(args[0]) {
		return rootArgs(cmd, args)
	}
	if err := usageArgs(cmd, args); err != nil || len(args) == 0 {
		return err
	}
	if p, err := netip.ParsePrefix(args[0]); err == nil {
		args[0] = p.Masked().String() // explain clears host bits, too
		return nil
	}
	if _, err := netip.ParseAddr(args[0]); err == nil {
		return nil
	}
	return fmt.Errorf("%q is not a prefix (want one like 10.110.0.0/16)", args[0])
}

func (a *app) tableCommands() []*cobra.Command {
	table := func(kind nvadv1.RouteKind, word, short, long, none string) *cobra.Command {
		req := &nvadv1.ListRoutesRequest{Kind: kind}
		cmd := &cobra.Command{
			Use:               word + " ADDRESS [PREFIX]",
			Short:             short,
			Long:              long,
			Example:           "  nvactl routes " + word + " 10.0.210.4\n  nvactl routes " + word + " 10.0.210.4 -o json | jq length",
			ValidArgsFunction: a.completeNeighbors,
			RunE: a.run(func(ctx context.Context, c *client, args []string) error {
				t := a.pathTable(false)
				if kind == nvadv1.RouteKind_ROUTE_KIND_REJECTED {
					t.notes = true
				}
				req.Neighbor, req.Prefix = args[0], strings.Join(args[1:], "")
				return a.listRoutes(ctx, c, req, t, fmt.Sprintf(none, args[0]))
			}),
		}
		chooseFlags(cmd, req)
		return cmd
	}
	return []*cobra.Command{
		table(nvadv1.RouteKind_ROUTE_KIND_RECEIVED, "received", "Show the routes a neighbor sent, before policy",
			"Show every route that a neighbor sent, as it was received, before the import\npolicy.",
			"Nothing received from %s."),
		table(nvadv1.RouteKind_ROUTE_KIND_ACCEPTED, "accepted", "Show the routes the import policy accepted",
			"Show the routes of a neighbor that its import policy accepted, as changed by the\npolicy.",
			"Nothing accepted from %s."),
		table(nvadv1.RouteKind_ROUTE_KIND_REJECTED, "rejected", "Show the routes the import policy rejected, and why",
			"Show the routes of a neighbor that its import policy rejected, as they were\nreceived, each with the rule that decided.",
			"Nothing rejected from %s."),
		table(nvadv1.RouteKind_ROUTE_KIND_ADVERTISED, "advertised", "Show the routes sent to a neighbor",
			"Show every route that was sent to a neighbor, after the export policy. An \"h\"\nmarks routes that maximum-prefix-out holds back.",
			"Nothing advertised to %s."),
	}
}

// listRoutes prints a table of routes as they arrive.
func (a *app) listRoutes(ctx context.Context, c *client, q *nvadv1.ListRoutesRequest, t *pathTable, none string) error {
	stream, err := c.read.ListRoutes(ctx, q)
	return answerStream(a, stream, err, (*nvadv1.ListRoutesResponse).GetPaths, t.add, func() {
		if t.paths == 0 {
			line(a.Out, none)
			return
		}
		t.finish()
	})
}

// pathTable prints routes in the form of "show ip bgp".
type pathTable struct {
	*table
	weights  bool   // print the weights, which only Loc-RIB has
	notes    bool   // print the reason below each path
	last     string // prefix of the row before
	prefixes int
	paths    int
	held     int    // paths that are held back
	reason   string // why the last one is
	seen     [len(statusCodes)]bool
}

// statusCodes are the letters before a route, in the order of the legend.
var statusCodes = [...]struct {
	code string
	word string
	is   func(*nvadv1.Path) bool
}{
	{"*", "valid", func(p *nvadv1.Path) bool { return p.GetValid() && !p.GetStale() }},
	{"h", "held back", (*nvadv1.Path).GetHeldBack},
	{"S", "stale", (*nvadv1.Path).GetStale},
	{">", "best", (*nvadv1.Path).GetBest},
	{"=", "multipath", func(p *nvadv1.Path) bool { return p.GetMultipath() && !p.GetBest() }},
	{"i", "internal", (*nvadv1.Path).GetInternal},
}

func (a *app) pathTable(weights bool) *pathTable {
	columns := []column{
		{head: "    Network", max: 26, min: 22},
		{head: "Next hop", max: 20, min: 15},
		{head: "MED", right: true},
		{head: "LocPrf", right: true},
		{head: "Weight", right: true},
		{head: "AS path", fit: wrapped},
	}
	if !weights {
		columns = append(columns[:4], columns[5])
	}
	return &pathTable{table: a.newTable(columns...), weights: weights}
}

func (t *pathTable) add(p *nvadv1.Path) {
	network := p.GetPrefix()
	if network == t.last {
		network = ""
	} else {
		t.prefixes++
	}
	t.last = p.GetPrefix()
	t.paths++
	if p.GetHeldBack() {
		t.held, t.reason = t.held+1, p.GetReason()
	}
	at := p.GetAttributes()
	cells := []string{t.codes(p) + network, at.GetNextHop(), maybe(at.Med), maybe(at.LocalPref)}
	if t.weights {
		cells = append(cells, decimal(p.GetWeight()))
	}
	t.rowWithNote(joined("; ", when(t.notes, p.GetReason()), communityNote(at)), append(cells, pathCell(at))...)
}

// maxNoted bounds how many communities of a path a table shows.
const maxNoted = 8

// communityNote lists the communities of a path. It leaves out extended ones: nvad
// adds one to every route between NVAs.
func communityNote(at *nvadv1.Attributes) string {
	list := slices.Concat(at.GetCommunities(), at.GetLargeCommunities())
	if n := len(list) - maxNoted; n > 0 {
		list = append(list[:maxNoted], fmt.Sprintf("and %d more", n))
	}
	return prefixed("communities ", strings.Join(list, " "))
}

// codes returns the status codes; valid, best and internal have a column each.
func (t *pathTable) codes(p *nvadv1.Path) string {
	slots := [...]int{0, 0, 0, 1, 1, 2}
	out := []byte("    ")
	for i, c := range statusCodes {
		if c.is(p) {
			out[slots[i]] = c.code[0]
			t.seen[i] = true
		}
	}
	return string(out)
}

// finish prints the legend of the codes that were used, and the totals.
func (t *pathTable) finish() {
	t.end()
	var legend []string
	for i, c := range statusCodes {
		legend = append(legend, when(t.seen[i], c.code+" "+c.word))
	}
	totals := count(t.prefixes-t.held, "prefix") + when(t.paths != t.prefixes, ", "+count(t.paths, "path")) +
		when(t.held > 0, fmt.Sprintf(" advertised, %d %s", t.held, t.reason))
	line(t.out, "\n"+joined("\n", joined(", ", legend...), totals))
}

// maxASNs bounds how many ASNs of an AS path a table shows.
const maxASNs = 24

// pathCell returns the AS path and the letter of the origin. A mark replaces the
// middle of a very long path.
func pathCell(at *nvadv1.Attributes) string {
	asns := strings.Fields(at.GetAsPath())
	if n := len(asns); n > maxASNs {
		mark := fmt.Sprintf("...%d-more...", n-maxASNs)
		asns = append(append(asns[:maxASNs-4:maxASNs-4], mark), asns[n-4:]...)
	}
	origin := cmp.Or(map[string]string{"igp": "i", "egp": "e"}[at.GetOrigin()], "?")
	return strings.Join(append(asns, origin), " ")
}

// showPrefix prints the paths of one prefix in detail.
func (a *app) showPrefix(ctx context.Context, c *client, place string, req *nvadv1.ListRoutesRequest) error {
	var paths []*nvadv1.Path
	stream, err := c.read.ListRoutes(ctx, req)
	err = receive(stream, err, func(m *nvadv1.ListRoutesResponse) error {
		paths = append(paths, m.GetPaths()...)
		return nil
	})
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("no route to %s", place)
	}
	return answerList(a, paths, err, "", a.printPrefix)
}

func (a *app) printPrefix(paths []*nvadv1.Path) {
	p := a.newPage()
	p.heading("%s, %s", paths[0].GetPrefix(), count(len(paths), "path"))
	for i, path := range paths {
		p.heading("%d. %s", i+1, pathTitle(path))
		a.pathFields(p, path)
	}
	p.print()
}

// pathTitle returns the origin of a path and its state.
func pathTitle(p *nvadv1.Path) string {
	source := cmp.Or(prefixed("from ", p.GetNeighbor()), "local, "+p.GetSource())
	return joined(", ", source, when(p.GetInternal(), "internal"), when(p.GetStale(), "stale"), when(p.GetBest(), "best"),
		when(p.GetMultipath(), "multipath"), when(!p.GetValid(), "not valid"))
}

func (a *app) pathFields(p *page, path *nvadv1.Path) {
	at := path.GetAttributes()
	p.field("Not best", when(!path.GetBest(), strings.TrimPrefix(path.GetReason(), "not best: ")))
	p.field("Decided by", when(path.GetBest(), strings.TrimPrefix(path.GetReason(), "best by ")))
	p.field("AS path", cmp.Or(at.GetAsPath(), "empty"))
	p.field("Next hop", joined(", ", append([]string{at.GetNextHop()}, path.GetNextHops()...)...))
	p.field("Attributes", scalars(at, path.GetWeight()))
	p.field("Communities", strings.Join(at.GetCommunities(), " "))
	p.field("Large", strings.Join(at.GetLargeCommunities(), " "))
	p.field("Extended", strings.Join(at.GetExtCommunities(), ", "))
	p.field("Aggregated", at.GetAggregator())
	p.field("Reflected", reflected(at))
	p.field("Unknown", unknown(at))
	p.field("Age", when(path.GetReceivedAt() != nil, a.age(path.GetReceivedAt())))
	p.field("Kernel", when(path.GetFib(), "wanted (nvactl routes fib)"))
	p.field("Advertised", when(path.GetBest(), orNone(path.GetAdvertisedTo(), "to nobody")))
}

// scalars returns the attributes that have one value, and the weight.
func scalars(at *nvadv1.Attributes, weight uint32) string {
	return joined(", ", "origin "+at.GetOrigin(), prefixed("MED ", maybe(at.Med)), prefixed("local preference ", maybe(at.LocalPref)),
		when(weight > 0, "weight "+decimal(weight)), when(at.GetAtomicAggregate(), "atomic aggregate"),
		prefixed("only to customer ", maybe(at.OnlyToCustomer)))
}

func reflected(at *nvadv1.Attributes) string {
	return when(at.GetOriginatorId() != "", fmt.Sprintf("originator %s, clusters %s", at.GetOriginatorId(), orNone(at.GetClusterList(), "none")))
}

func unknown(at *nvadv1.Attributes) string {
	var out []string
	for _, u := range at.GetUnknown() {
		out = append(out, fmt.Sprintf("type %d (flags 0x%02x, %s)", u.GetType(), u.GetFlags(), count(len(u.GetValue()), "byte")))
	}
	return strings.Join(out, ", ")
}

// sentence returns a set of attributes in words.
func sentence(at *nvadv1.Attributes, weight uint32) string {
	if at == nil {
		return ""
	}
	return joined(", ", cmp.Or(prefixed("AS path ", at.GetAsPath()), "empty AS path"), prefixed("next hop ", at.GetNextHop()), scalars(at, weight),
		prefixed("communities ", strings.Join(at.GetCommunities(), " ")),
		prefixed("large communities ", strings.Join(at.GetLargeCommunities(), " ")),
		prefixed("extended communities ", strings.Join(at.GetExtCommunities(), " ")),
		reflected(at), unknown(at), prefixed("aggregator ", at.GetAggregator()))
}
