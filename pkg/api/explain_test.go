package api_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/api/apitest"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func TestExplainAnswers(t *testing.T) {
	read := nvadv1.NewNvadClient(start(t, apitest.Hub00()))
	x, err := read.Explain(t.Context(), &nvadv1.ExplainRequest{Prefix: "10.110.1.2/16"})
	if err != nil {
		t.Fatal(err)
	}
	p, e := x.GetPaths()[0], x.GetExports()[0]
	if x.GetPrefix() != "10.110.0.0/16" || !x.GetKnown() || !p.GetAccepted() || len(p.GetChecks()) != 3 || len(p.GetImport()) != 1 {
		t.Errorf("path: %v", p)
	}
	if !e.GetAdvertised() || e.GetSent().GetAsPath() != "65001 65001 65001 65001" || len(e.GetExport()) != 3 {
		t.Errorf("export: %v", e)
	}
	if x.GetKernel()[0].GetState() != "installed" || x.GetWanted().GetClass() != "bgp" {
		t.Errorf("kernel: %v, wanted %v", x.GetKernel(), x.GetWanted())
	}
}

func TestExplainRefuses(t *testing.T) {
	read := nvadv1.NewNvadClient(start(t, apitest.Hub00()))
	for _, c := range []struct {
		req  *nvadv1.ExplainRequest
		want codes.Code
	}{
		{&nvadv1.ExplainRequest{Prefix: "10.110.0.4"}, codes.InvalidArgument},
		{&nvadv1.ExplainRequest{Prefix: "10.110.0.0/16", Neighbor: "x"}, codes.InvalidArgument},
		{&nvadv1.ExplainRequest{Prefix: "10.110.0.0/16", Neighbor: "10.9.9.9"}, codes.NotFound},
		{&nvadv1.ExplainRequest{Prefix: "10.110.0.0/16", ExportTo: "10.9.9.9"}, codes.NotFound},
	} {
		if _, err := read.Explain(t.Context(), c.req); status.Code(err) != c.want {
			t.Errorf("%v: %v, want %v", c.req, err, c.want)
		}
	}
	for _, addr := range []string{"", "10.0.0.0/8", "fe80::1%eth0"} {
		if _, err := read.LookupAddress(t.Context(), &nvadv1.LookupRequest{Address: addr}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

func TestLookupAnswers(t *testing.T) {
	read := nvadv1.NewNvadClient(start(t, apitest.Hub00()))
	v, err := read.LookupAddress(t.Context(), &nvadv1.LookupRequest{Address: "::ffff:10.110.0.4"})
	if err != nil {
		t.Fatal(err)
	}
	if w := v.GetWay(); w.GetVia() != "169.254.0.2" || w.GetNeighbor() != "169.254.0.2" || !w.GetOwn() {
		t.Errorf("way: %v", w)
	}
	if o := v.GetTunnel().GetOuter(); v.GetTunnel().GetVni() != 77 || len(o) != 1 || o[0].GetDestination() != "10.10.0.4" {
		t.Errorf("tunnel: %v", v.GetTunnel())
	}
}
