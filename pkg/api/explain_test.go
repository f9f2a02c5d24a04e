package api_test

import (
	"net/netip"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func TestExplainAnswers(t *testing.T) {
	prefix, far := netip.MustParsePrefix("10.110.0.0/16"), netip.MustParseAddr("169.254.0.2")
	as65515, replaced := &route.Attrs{ASPath: route.NewASPath(65515)}, &route.Attrs{ASPath: route.NewASPath(65001, 65001)}
	d := apitest.Hub00()
	d.Stories = map[netip.Prefix]api.Explanation{prefix: {
		Kernel: []fib.Status{{Prefix: prefix, State: fib.Installed}},
		Explanation: engine.Explanation{Explanation: rib.Explanation{
			Prefix: prefix, Known: true, Route: &fib.Route{Class: fib.BGP, Hops: []fib.NextHop{{Via: far, Link: 3}}},
			Paths: []rib.PathStory{{
				Path: rib.Path{Neighbor: far}, Evaluated: as65515, Checks: []rib.Check{{Name: "as-loop", Passed: true}},
				Steps: []policy.Step{{Object: "accept"}},
			}},
			Exports: []rib.Export{{Sent: replaced, Steps: []policy.Step{{Object: "prefix-list rs-hub00"}, {Object: "route-map to-azure"}}}},
		}},
	}}
	read := nvadv1.NewNvadClient(start(t, d))
	x, err := read.Explain(t.Context(), &nvadv1.ExplainRequest{Prefix: "10.110.1.2/16"})
	if err != nil {
		t.Fatal(err)
	}
	p, e := x.GetPaths()[0], x.GetExports()[0]
	if x.GetPrefix() != "10.110.0.0/16" || !x.GetKnown() || !p.GetAccepted() || !p.GetChecks()[0].GetPassed() || p.GetImport()[0].GetObject() != "accept" {
		t.Errorf("path: %v", p)
	}
	if !e.GetAdvertised() || e.GetSent().GetAsPath() != "65001 65001" || len(e.GetExport()) != 2 {
		t.Errorf("export: %v", e)
	}
	w := x.GetWanted()
	if x.GetKernel()[0].GetState() != "installed" || w.GetClass() != "bgp" || w.GetNextHops()[0].GetDevice() != "vxlan0" {
		t.Errorf("kernel: %v, wanted %v", x.GetKernel(), w)
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
	addr, far := netip.MustParseAddr("10.110.0.4"), netip.MustParseAddr("169.254.0.2")
	d := apitest.Hub00()
	d.Ways = map[netip.Addr]api.Lookup{addr: {
		Address: addr, Way: api.Way{Own: "bgp", Neighbor: far, Lookup: fib.Lookup{Via: far, Link: 3}},
		Tunnel: &api.Encapsulation{Status: d.Devices[0].Status, Outer: []api.Outer{{Remote: netip.MustParseAddr("10.10.0.4")}}},
	}}
	read := nvadv1.NewNvadClient(start(t, d))
	v, err := read.LookupAddress(t.Context(), &nvadv1.LookupRequest{Address: "::ffff:10.110.0.4"})
	if err != nil {
		t.Fatal(err)
	}
	if w := v.GetWay(); w.GetVia() != "169.254.0.2" || w.GetDevice() != "vxlan0" || w.GetNeighbor() != "169.254.0.2" || !w.GetOwn() {
		t.Errorf("way: %v", w)
	}
	if o := v.GetTunnel().GetOuter(); v.GetTunnel().GetVni() != 77 || len(o) != 1 || o[0].GetDestination() != "10.10.0.4" {
		t.Errorf("tunnel: %v", v.GetTunnel())
	}
}
