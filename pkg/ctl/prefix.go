package ctl

import (
	"context"
	"fmt"
	"strings"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// showPrefix prints the paths of one prefix that req asks for, which fit in memory.
func (a *app) showPrefix(ctx context.Context, c *client, place string, req *nvadv1.ListRoutesRequest) error {
	var paths []*nvadv1.Path
	stream, err := c.read.ListRoutes(ctx, req)
	err = receive(stream, err, func(m *nvadv1.ListRoutesResponse) error {
		paths = append(paths, m.GetPaths()...)
		return nil
	})
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("no route to %s", place)
	}
	if a.json() {
		return writeArray(a.Out, paths)
	}
	return a.printPrefix(paths)
}

func (a *app) printPrefix(paths []*nvadv1.Path) error {
	p := newPage(a.Out, a.Width)
	p.heading("%s, %s", paths[0].GetPrefix(), count(len(paths), "path"))
	for i, path := range paths {
		p.heading("%d. %s", i+1, pathTitle(path))
		a.pathFields(p, path)
	}
	return p.print()
}

// pathTitle says where a path is from and what became of it.
func pathTitle(p *nvadv1.Path) string {
	words := []string{"local, " + p.GetSource()}
	if p.GetNeighbor() != "" {
		words[0] = "from " + p.GetNeighbor()
	}
	for _, w := range []struct {
		word string
		is   bool
	}{
		{"internal", p.GetInternal()},
		{"stale", p.GetStale()},
		{"best", p.GetBest()},
		{"multipath", p.GetMultipath()},
		{"not valid", !p.GetValid()},
	} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ", ")
}

func (a *app) pathFields(p *page, path *nvadv1.Path) {
	at := path.GetAttributes()
	if !path.GetBest() {
		p.field("Not best", strings.TrimPrefix(path.GetReason(), "not best: "))
	} else {
		p.field("Decided by", strings.TrimPrefix(path.GetReason(), "best by "))
	}
	asPath := at.GetAsPath()
	if asPath == "" {
		asPath = "empty"
	}
	p.field("AS path", asPath)
	p.field("Next hop", nextHop(path))
	p.field("Attributes", scalars(path))
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
	hop := p.GetAttributes().GetNextHop()
	if len(p.GetNextHops()) == 0 {
		return hop
	}
	resolved := strings.Join(p.GetNextHops(), ", ")
	if hop == "" {
		return resolved
	}
	return hop + ", " + resolved
}

func scalars(p *nvadv1.Path) string {
	return strings.Join(scalarWords(p.GetAttributes(), p.GetWeight()), ", ")
}

func scalarWords(at *nvadv1.Attributes, weight uint32) []string {
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
