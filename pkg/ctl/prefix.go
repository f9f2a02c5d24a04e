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
	return strings.Join(applying([]string{source}, trait{"internal", p.GetInternal()}, trait{"stale", p.GetStale()}, trait{"best", p.GetBest()},
		trait{"multipath", p.GetMultipath()}, trait{"not valid", !p.GetValid()}), ", ")
}

func (a *app) pathFields(p *page, path *nvadv1.Path) {
	at := path.GetAttributes()
	if !path.GetBest() {
		p.field("Not best", strings.TrimPrefix(path.GetReason(), "not best: "))
	} else {
		p.field("Decided by", strings.TrimPrefix(path.GetReason(), "best by "))
	}
	p.field("AS path", cmp.Or(at.GetAsPath(), "empty"))
	p.field("Next hop", nextHop(path))
	p.field("Attributes", strings.Join(scalars(at, path.GetWeight()), ", "))
	p.field("Communities", strings.Join(at.GetCommunities(), " "))
	p.field("Large", strings.Join(at.GetLargeCommunities(), " "))
	p.field("Extended", strings.Join(at.GetExtCommunities(), ", "))
	p.field("Aggregated", at.GetAggregator())
	p.field("Reflected", reflected(at))
	p.field("Unknown", unknown(at))
	if path.GetReceivedAt() != nil {
		p.field("Age", a.age(path.GetReceivedAt()))
	}
	if path.GetFib() {
		p.field("Kernel", "wanted (nvactl routes fib)")
	}
	if path.GetBest() {
		p.field("Advertised", orNone(path.GetAdvertisedTo(), "to nobody"))
	}
}

func nextHop(p *nvadv1.Path) string {
	return joined(", ", p.GetAttributes().GetNextHop(), strings.Join(p.GetNextHops(), ", "))
}

// scalars returns the attributes that have one value, and the weight.
func scalars(at *nvadv1.Attributes, weight uint32) []string {
	words := []string{"origin " + at.GetOrigin()}
	if at.Med != nil {
		words = append(words, "MED "+maybe(at.Med))
	}
	if at.LocalPref != nil {
		words = append(words, "local preference "+maybe(at.LocalPref))
	}
	if weight > 0 {
		words = append(words, "weight "+decimal(weight))
	}
	if at.GetAtomicAggregate() {
		words = append(words, "atomic aggregate")
	}
	if at.OnlyToCustomer != nil {
		words = append(words, "only to customer "+maybe(at.OnlyToCustomer))
	}
	return words
}

func reflected(at *nvadv1.Attributes) string {
	if at.GetOriginatorId() == "" {
		return ""
	}
	return fmt.Sprintf("originator %s, clusters %s", at.GetOriginatorId(), orNone(at.GetClusterList(), "none"))
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
	words := []string{"AS path " + at.GetAsPath()}
	if at.GetAsPath() == "" {
		words[0] = "empty AS path"
	}
	named := func(name, value string) string {
		if value == "" {
			return ""
		}
		return name + " " + value
	}
	return joined(", ", append(words, named("next hop", at.GetNextHop()), strings.Join(scalars(at, weight), ", "),
		named("communities", strings.Join(at.GetCommunities(), " ")),
		named("large communities", strings.Join(at.GetLargeCommunities(), " ")),
		named("extended communities", strings.Join(at.GetExtCommunities(), " ")),
		reflected(at), unknown(at), named("aggregator", at.GetAggregator()))...)
}
