package api_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/azure"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// goodPoll is a report with everything in it.
func goodPoll() *nvadv1.ReportAzurePollRequest {
	return &nvadv1.ReportAzurePollRequest{Poll: &nvadv1.AzurePoll{
		Taken: timestamppb.New(apitest.Now), LeftOut: 1, Findings: 3,
		Fates: []*nvadv1.AzureFate{{
			Prefixes: []string{"10.1.0.0/16", "10.2.0.0/16"}, LearnedBy: []string{"10.0.210.4"}, NotLearnedBy: []string{"10.0.210.5"},
			Effective: "none", Findings: []*nvadv1.AzureFinding{{Code: "not-learned", Reason: "because"}},
		}},
	}}
}

func TestPollArrives(t *testing.T) {
	d := apitest.Hub00()
	control := nvadv1.NewNvadControlClient(start(t, d))
	if r, err := control.BeginAzurePoll(t.Context(), &nvadv1.BeginAzurePollRequest{}); err != nil || !r.GetDue() || r.GetReason() != "" {
		t.Fatalf("begin: %v, %v", r, err)
	}
	if _, err := control.ReportAzurePoll(t.Context(), goodPoll()); err != nil {
		t.Fatal(err)
	}
	p := d.Polled()
	if len(p.Fates) != 1 || len(p.Fates[0].Prefixes) != 2 || p.LeftOut != 1 || p.Findings != 3 || !p.Taken.Equal(apitest.Now) {
		t.Fatalf("got %+v", p)
	}
	f := p.Fates[0]
	if f.Learned[0] != netip.MustParseAddr("10.0.210.4") || f.Unlearned[0] != netip.MustParseAddr("10.0.210.5") || f.Effective != "none" ||
		f.Findings[0] != (azure.Cause{Code: "not-learned", Reason: "because"}) {
		t.Errorf("got %+v", f)
	}
	if _, err := control.ReportAzurePoll(t.Context(), &nvadv1.ReportAzurePollRequest{Error: "no identity"}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(d.Commands()); !strings.Contains(got, `"no identity"`) {
		t.Errorf("got %s", got)
	}
	d.NotDue = "later"
	if r, err := control.BeginAzurePoll(t.Context(), &nvadv1.BeginAzurePollRequest{}); err != nil || r.GetDue() || r.GetReason() != "later" {
		t.Errorf("not due: %v, %v", r, err)
	}
}

// many returns n prefixes.
func many(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("10.%d.%d.0/24", i>>8, i&0xff))
	}
	return out
}

// instances returns n addresses.
func instances(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("10.0.0.%d", i))
	}
	return out
}

var long = strings.Repeat("x", azure.MaxPollText+1)

// badPolls break one bound each.
var badPolls = map[string]struct {
	change func(*nvadv1.ReportAzurePollRequest, *nvadv1.AzureFate)
	code   codes.Code
	want   string
}{
	"prefixes": {func(_ *nvadv1.ReportAzurePollRequest, f *nvadv1.AzureFate) { f.Prefixes = many(azure.MaxPolled + 1) },
		codes.InvalidArgument, "more than 2000 prefixes"},
	"prefixes of several fates": {func(r *nvadv1.ReportAzurePollRequest, f *nvadv1.AzureFate) {
		all := many(azure.MaxPolled + 1)
		f.Prefixes = all[:1000]
		r.Poll.Fates = append(r.Poll.Fates, &nvadv1.AzureFate{Prefixes: all[1000:]})
	}, codes.InvalidArgument, "more than 2000 prefixes"},
	"fates without prefixes": {func(r *nvadv1.ReportAzurePollRequest, _ *nvadv1.AzureFate) {
		r.Poll.Fates = append(r.Poll.Fates, &nvadv1.AzureFate{})
	}, codes.InvalidArgument, "no prefix"},
	"twice": {func(r *nvadv1.ReportAzurePollRequest, _ *nvadv1.AzureFate) {
		r.Poll.Fates = append(r.Poll.Fates, &nvadv1.AzureFate{Prefixes: []string{"10.1.7.0/16"}})
	}, codes.InvalidArgument, "10.1.0.0/16 is in the poll twice"},
	"no prefix": {func(_ *nvadv1.ReportAzurePollRequest, f *nvadv1.AzureFate) { f.Prefixes[1] = "ten" },
		codes.InvalidArgument, `"ten" is not a prefix`},
	"instances": {func(_ *nvadv1.ReportAzurePollRequest, f *nvadv1.AzureFate) { f.LearnedBy = instances(17) },
		codes.InvalidArgument, "17 instances"},
	"instances that learned nothing": {func(_ *nvadv1.ReportAzurePollRequest, f *nvadv1.AzureFate) { f.NotLearnedBy = instances(17) },
		codes.InvalidArgument, "17 instances"},
	"no instance": {func(_ *nvadv1.ReportAzurePollRequest, f *nvadv1.AzureFate) { f.LearnedBy = []string{"x"} },
		codes.InvalidArgument, `"x" is not an address`},
	"findings": {func(_ *nvadv1.ReportAzurePollRequest, f *nvadv1.AzureFate) {
		f.Findings = make([]*nvadv1.AzureFinding, 17)
	},
		codes.InvalidArgument, "17 findings"},
	"a long finding": {func(_ *nvadv1.ReportAzurePollRequest, f *nvadv1.AzureFate) { f.Findings[0].Reason = long },
		codes.InvalidArgument, "at most 1000"},
	"a long effect": {func(_ *nvadv1.ReportAzurePollRequest, f *nvadv1.AzureFate) { f.Effective = long }, codes.InvalidArgument, "at most 1000"},
	"a long error": {func(r *nvadv1.ReportAzurePollRequest, _ *nvadv1.AzureFate) { r.Poll, r.Error = nil, long },
		codes.InvalidArgument, "at most 1000"},
	"both":    {func(r *nvadv1.ReportAzurePollRequest, _ *nvadv1.AzureFate) { r.Error = "x" }, codes.InvalidArgument, "either"},
	"neither": {func(r *nvadv1.ReportAzurePollRequest, _ *nvadv1.AzureFate) { r.Poll = nil }, codes.InvalidArgument, "either"},
	"no time": {func(r *nvadv1.ReportAzurePollRequest, _ *nvadv1.AzureFate) { r.Poll.Taken = nil }, codes.InvalidArgument, "taken"},
	"octets": {func(_ *nvadv1.ReportAzurePollRequest, f *nvadv1.AzureFate) {
		f.LearnedBy = []string{strings.Repeat("1", 65<<10)}
	}, codes.ResourceExhausted, "larger than max"},
}

// nvad keeps what a poll reports, so that every part of it has a bound.
func TestPollIsBounded(t *testing.T) {
	d := apitest.Hub00()
	control := nvadv1.NewNvadControlClient(start(t, d))
	for name, c := range badPolls {
		t.Run(name, func(t *testing.T) {
			req := goodPoll()
			c.change(req, req.Poll.Fates[0])
			_, err := control.ReportAzurePoll(t.Context(), req)
			if s := status.Convert(err); s.Code() != c.code || !strings.Contains(s.Message(), c.want) {
				t.Errorf("got %v, want %v %q", err, c.code, c.want)
			}
		})
	}
	if got := d.Commands(); len(got) != 0 {
		t.Errorf("something was kept: %v", got)
	}
	req := goodPoll()
	req.Poll.Fates[0].Prefixes = many(azure.MaxPolled)
	if _, err := control.ReportAzurePoll(t.Context(), req); err != nil {
		t.Errorf("%d prefixes: %v", azure.MaxPolled, err)
	}
	if n := len(d.Polled().Fates[0].Prefixes); n != azure.MaxPolled {
		t.Errorf("%d prefixes are kept", n)
	}
}
