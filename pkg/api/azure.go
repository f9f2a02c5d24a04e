package api

import (
	"context"
	"net/netip"

	"github.com/nvad/nvad/pkg/azure"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// BeginAzurePoll implements nvadv1.NvadControlServer.
func (s *controlServer) BeginAzurePoll(ctx context.Context, _ *nvadv1.BeginAzurePollRequest) (*nvadv1.BeginAzurePollResponse, error) {
	notDue, err := s.controller.BeginAzurePoll(ctx)
	return &nvadv1.BeginAzurePollResponse{Due: err == nil && notDue == "", Reason: notDue}, err
}

// ReportAzurePoll implements nvadv1.NvadControlServer.
func (s *controlServer) ReportAzurePoll(ctx context.Context, req *nvadv1.ReportAzurePollRequest) (*nvadv1.ReportAzurePollResponse, error) {
	if (req.GetPoll() == nil) == (req.GetError() == "") {
		return nil, Invalid("want either what Azure said or why it said nothing")
	}
	if err := pollText("error", req.GetError()); err != nil {
		return nil, err
	}
	seen, err := parsePoll(req.GetPoll())
	if err != nil {
		return nil, err
	}
	return &nvadv1.ReportAzurePollResponse{}, s.controller.EndAzurePoll(ctx, seen, req.GetError())
}

// parsePoll reads a poll and checks its bounds, as nvad keeps it. The size of a request
// bounds the octets.
func parsePoll(m *nvadv1.AzurePoll) (azure.Poll, error) {
	p := azure.Poll{LeftOut: int(m.GetLeftOut()), Findings: int(m.GetFindings()), NotRead: int(m.GetNotRead())}
	if m == nil {
		return p, nil
	}
	if m.GetTaken().CheckValid() != nil {
		return p, Invalid("taken is not a time")
	}
	p.Taken = m.GetTaken().AsTime()
	seen := map[netip.Prefix]bool{}
	for _, f := range m.GetFates() {
		fate, err := parseFate(f)
		if err != nil {
			return p, err
		}
		for _, prefix := range fate.Prefixes {
			if seen[prefix] {
				return p, Invalid("%s is in the poll twice", prefix)
			}
			if seen[prefix] = true; len(seen) > azure.MaxPolled {
				return p, Invalid("the poll has more than %d prefixes", azure.MaxPolled)
			}
		}
		p.Fates = append(p.Fates, fate)
	}
	return p, nil
}

func parseFate(m *nvadv1.AzureFate) (f azure.Fate, err error) {
	if len(m.GetPrefixes()) == 0 {
		return f, Invalid("a fate has no prefix")
	}
	if err := pollText("effective", m.GetEffective()); err != nil {
		return f, err
	}
	f.Effective = m.GetEffective()
	for _, s := range m.GetPrefixes() {
		p, err := parsePrefix(s)
		if err != nil {
			return f, err
		}
		f.Prefixes = append(f.Prefixes, p)
	}
	if f.Learned, err = pollInstances(m.GetLearnedBy()); err != nil {
		return f, err
	}
	if f.Unlearned, err = pollInstances(m.GetNotLearnedBy()); err != nil {
		return f, err
	}
	if n := len(m.GetFindings()); n > azure.MaxPollTexts {
		return f, Invalid("%s has %d findings, at most %d are allowed", f.Prefixes[0], n, azure.MaxPollTexts)
	}
	for _, c := range m.GetFindings() {
		if err := pollText("finding", c.GetCode()+c.GetReason()); err != nil {
			return f, err
		}
		f.Findings = append(f.Findings, azure.Cause{Code: c.GetCode(), Reason: c.GetReason()})
	}
	return f, nil
}

func pollInstances(list []string) (out []netip.Addr, err error) {
	if n := len(list); n > azure.MaxPollTexts {
		return nil, Invalid("a prefix has %d instances, at most %d are allowed", n, azure.MaxPollTexts)
	}
	for _, s := range list {
		addr, err := parseAddress(s)
		if err != nil {
			return nil, err
		}
		out = append(out, addr)
	}
	return out, nil
}

func pollText(what, s string) error {
	if n := len(s); n > azure.MaxPollText {
		return Invalid("%s of the poll has %d bytes, at most %d are allowed", what, n, azure.MaxPollText)
	}
	return nil
}

func azureState(s *AzureState) *nvadv1.AzureState {
	if s == nil {
		return nil
	}
	return &nvadv1.AzureState{
		IntervalSeconds: seconds(s.Interval), Taken: stamp(s.Taken), Stale: s.Stale, Prefixes: uint32(s.Prefixes),
		Findings: uint32(s.Findings), NotRead: uint32(s.NotRead), FailedAt: stamp(s.FailedAt), Error: printable(s.Failure),
	}
}

func azureView(v *AzureView) *nvadv1.AzureView {
	if v == nil {
		return nil
	}
	out := &nvadv1.AzureView{Taken: stamp(v.Taken), Stale: v.Stale, LeftOut: uint32(v.LeftOut)}
	if v.Fate != nil {
		out.Fate = FateMessage(*v.Fate)
	}
	return out
}

// FateMessage turns f into the message of the interface.
func FateMessage(f azure.Fate) *nvadv1.AzureFate {
	return &nvadv1.AzureFate{
		Prefixes: convert(f.Prefixes, text[netip.Prefix]), LearnedBy: convert(f.Learned, text[netip.Addr]),
		NotLearnedBy: convert(f.Unlearned, text[netip.Addr]), Effective: printable(f.Effective),
		Findings: convert(f.Findings, func(c azure.Cause) *nvadv1.AzureFinding {
			return &nvadv1.AzureFinding{Code: printable(c.Code), Reason: printable(c.Reason)}
		}),
	}
}
