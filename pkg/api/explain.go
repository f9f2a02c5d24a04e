package api

import (
	"context"
	"net/netip"

	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// LookupAddress implements nvadv1.NvadServer.
func (s *readServer) LookupAddress(ctx context.Context, req *nvadv1.LookupRequest) (*nvadv1.Lookup, error) {
	addr, err := parseAddress(req.GetAddress())
	if err != nil {
		return nil, err
	}
	links, err := s.reader.Links(ctx)
	if err != nil {
		return nil, err
	}
	l, err := s.reader.Lookup(ctx, addr)
	if err != nil {
		return nil, err
	}
	return namesOf(links).lookup(l), nil
}

func parseAddress(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return addr, Invalid("%q is not an address (want one like 10.110.0.4)", s)
	}
	return addr.Unmap(), nil
}

// Explain implements nvadv1.NvadServer.
func (s *readServer) Explain(ctx context.Context, req *nvadv1.ExplainRequest) (*nvadv1.Explanation, error) {
	q, err := parseExplain(req)
	if err != nil {
		return nil, err
	}
	x, err := s.reader.Explain(ctx, q)
	if err != nil {
		return nil, err
	}
	links, err := s.reader.Links(ctx)
	if err != nil {
		return nil, err
	}
	return ExplanationMessage(x, links), nil
}

func parseExplain(req *nvadv1.ExplainRequest) (q rib.ExplainQuery, err error) {
	if q.Prefix, err = parsePrefix(req.GetPrefix()); err != nil {
		return q, err
	}
	if q.Neighbor, err = parseSelection(req.GetNeighbor()); err != nil {
		return q, err
	}
	q.ExportTo, err = parseSelection(req.GetExportTo())
	return q, err
}

func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, Invalid("%q is not a prefix (want one like 10.0.0.0/16)", s)
	}
	return p.Masked(), nil
}

// ExplanationMessage turns x into the message of the interface. Links may be nil if
// x has no routes of the kernel.
func ExplanationMessage(x Explanation, links []fib.Link) *nvadv1.Explanation {
	names := namesOf(links)
	return &nvadv1.Explanation{
		Prefix:       text(x.Prefix),
		Known:        x.Known,
		CoveredBy:    text(x.Covering),
		Undecided:    x.Undecided,
		Paths:        convert(x.Paths, pathStory),
		Exports:      convert(x.Exports, exportStory),
		NotWanted:    x.NoRoute,
		Assumed:      x.Assumed,
		Statics:      convert(x.Statics, staticStory),
		Unoriginated: x.Unoriginated,
		Azure:        azureView(x.Azure),
		Wanted:       names.wanted(x.Prefix, x.Route),
		Kernel:       convert(x.Kernel, fibMessage),
		Others:       convert(x.Others, fibMessage),
		Malformed: convert(x.Malformed, func(t engine.Treated) *nvadv1.MalformedAnnouncement {
			return &nvadv1.MalformedAnnouncement{Neighbor: text(t.Neighbor), At: stamp(t.At), Reason: t.Reason}
		}),
	}
}

func staticStory(s rib.StaticStory) *nvadv1.StaticStory {
	return &nvadv1.StaticStory{
		Via: text(s.Via), Device: s.Device, Blackhole: s.Blackhole, Distance: uint32(s.Distance), Metric: s.Metric,
		InUse: s.InUse, Reason: s.Why,
	}
}

func pathStory(s rib.PathStory) *nvadv1.PathStory {
	return &nvadv1.PathStory{
		Neighbor:   text(s.Neighbor),
		PeerGroup:  s.PeerGroup,
		Source:     s.Source.String(),
		ReceivedAt: stamp(s.At),
		Internal:   s.Internal,
		Stale:      s.Stale,
		Valid:      s.Valid,
		Best:       s.Best,
		Multipath:  s.Multipath,
		Received:   attributesMessage(s.Received),
		Checks: convert(s.Checks, func(c rib.Check) *nvadv1.Check {
			return &nvadv1.Check{Name: c.Name, Value: c.Value, Passed: c.Passed}
		}),
		Import:     convert(s.Steps, policyStep),
		Accepted:   s.Evaluated != nil,
		Rule:       s.Rule,
		Attributes: attributesMessage(s.Evaluated),
		Weight:     s.Weight,
		Pending:    pendingImport(s),
		NextHops:   s.Via,
		Metric:     s.Metric,
		Unresolved: s.Unresolved,
		Lost:       comparison(s.Lost),
	}
}

// pendingImport says which result is still in force while a changed policy is being
// applied to the table.
func pendingImport(s rib.PathStory) string {
	switch {
	case !s.Differs:
		return ""
	case s.Accepted == nil:
		return "rejected"
	case s.Evaluated == nil:
		return "accepted"
	}
	return "accepted with other attributes"
}

func policyStep(s policy.Step) *nvadv1.PolicyStep {
	return &nvadv1.PolicyStep{
		Depth:   uint32(s.Depth),
		Object:  s.Object,
		Rule:    s.Rule,
		Value:   s.Value,
		Verdict: s.Verdict.String(),
		Changes: convert(s.Changes, func(c policy.Change) *nvadv1.AttributeChange {
			return &nvadv1.AttributeChange{Attribute: c.Attribute, Before: c.Before, After: c.After}
		}),
	}
}

func comparison(c *rib.Comparison) *nvadv1.Comparison {
	if c == nil {
		return nil
	}
	return &nvadv1.Comparison{
		Step:     c.Step.String(),
		Best:     text(c.Best),
		BeatenBy: text(c.Beaten),
		RunnerUp: c.RunnerUp,
		Steps: convert(c.Rows, func(r rib.Compared) *nvadv1.ComparedStep {
			return &nvadv1.ComparedStep{Step: r.Step.String(), Best: r.Best, Other: r.Other}
		}),
	}
}

func exportStory(x rib.Export) *nvadv1.ExportStory {
	return &nvadv1.ExportStory{
		Neighbor:   text(x.Neighbor),
		PeerGroup:  x.PeerGroup,
		Advertised: x.Sent != nil,
		Sent:       attributesMessage(x.Sent),
		Held:       x.Held,
		Rule:       x.Rule,
		Export:     convert(x.Steps, policyStep),
		Originated: x.Originated,
		Pending:    pendingExport(x),
	}
}

// pendingExport says what will be sent once a changed policy has been applied to the
// table.
func pendingExport(x rib.Export) string {
	switch {
	case !x.Differs:
		return ""
	case x.Evaluated == nil:
		return "a withdrawal"
	case x.Sent == nil:
		return "an announcement"
	}
	return "other attributes"
}
