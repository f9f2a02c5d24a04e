package ctl

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

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
	source := "local, " + p.GetSource()
	if p.GetNeighbor() != "" {
		source = "from " + p.GetNeighbor()
	}
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
