package web

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func TestRoutes(t *testing.T) {
	f := &fake{}
	for i := range 10000 {
		f.paths = append(f.paths, pathTo(i))
	}
	f.paths = append(f.paths, &nvadv1.Path{Prefix: "10.3.0.0/16", Neighbor: "10.0.210.4", Source: "bgp"}, &nvadv1.Path{Prefix: "fd00::/8", Source: "static"})
	slices.SortFunc(f.paths, func(a, b *nvadv1.Path) int {
		return netip.MustParsePrefix(a.GetPrefix()).Compare(netip.MustParsePrefix(b.GetPrefix()))
	})
	b := open(t, NVA{Name: "one", Client: f.client(t)}, NVA{Name: "two", Client: (&fake{paths: []*nvadv1.Path{pathTo(800)}}).client(t)},
		NVA{Name: "gone", Client: dial(t, "unix:/nowhere/nvad.sock")})
	for q, want := range map[string]struct {
		total int
		match string
		first string
	}{
		"":                                {10003, "all", "10.0.0.0/24"},
		"q=10.3.0.0/16":                   {258, "prefix", "10.3.0.0/16"},
		"q=10.3.0.0/16&nva=one":           {257, "prefix", "10.3.0.0/16"},
		"q=10.3.32.77":                    {2, "address", "10.3.32.0/24"},
		"q=10.3.32.77&nva=two":            {1, "address", "10.3.32.0/24"},
		"q=192.0.2.1":                     {0, "address", ""},
		"q=fd00::1":                       {1, "address", "fd00::/8"},
		"q=10.39.16.0/24":                 {0, "prefix", ""},
		"q=STATIC":                        {1, "text", "fd00::/8"},
		"q=12076%2064513&nva=one&limit=1": {1429, "text", "10.0.1.0/24"},
		"q=10.3.32":                       {2, "text", "10.3.32.0/24"},
		"nva=two":                         {1, "all", "10.3.32.0/24"},
		"neighbor=10.0.210.5":             {5000, "all", "10.0.1.0/24"},
		"neighbor=10.0.210.5&q=10.3.32.7": {0, "address", ""},
	} {
		t.Run(q, func(t *testing.T) {
			got := settled[routesAnswer](b, "api/routes?"+q)
			if got.Total != want.total || got.Match != want.match || got.Total > 0 && got.Rows[0].Prefix != want.first || got.LeftOut > 0 {
				t.Errorf("got %d rows, match %s, %+v", got.Total, got.Match, got.Rows[:min(1, len(got.Rows))])
			}
		})
	}
	seen := map[string]bool{}
	for from := 0; ; from += 1000 {
		got := settled[routesAnswer](b, fmt.Sprintf("api/routes?nva=one&offset=%d&limit=1000", from))
		for _, r := range got.Rows {
			seen[r.Prefix] = true
		}
		if len(got.Rows) == 0 {
			break
		}
	}
	if len(seen) != 10002 {
		t.Errorf("pages have %d prefixes", len(seen))
	}
	if got := settled[routesAnswer](b, "api/routes"); len(got.Errors) != 1 || got.Errors[0].NVA != "gone" || len(got.Rows) != usualRows {
		t.Errorf("errors %+v, %d rows", got.Errors, len(got.Rows))
	}
	for _, bad := range []string{"nva=three", "limit=1001", "offset=-1", "limit=x", "at=1"} {
		b.get("api/routes?"+bad, 400)
	}
}

// TestTableBound: a table that is too large is kept in part, and the daemon searches the rest.
func TestTableBound(t *testing.T) {
	f := &fake{paths: []*nvadv1.Path{pathTo(0), pathTo(1)}}
	long := make([]string, 1000)
	for i := range long {
		long[i] = fmt.Sprintf("65001:%d", 10000+i)
	}
	for i := range 5000 {
		p := pathTo(2 + i)
		p.Attributes.Communities = long
		f.paths = append(f.paths, p)
	}
	nvas := []NVA{{Name: "one", Client: f.client(t)}}
	for i := range 31 {
		nvas = append(nvas, NVA{Name: fmt.Sprint(i), Client: dial(t, "unix:/nowhere/nvad.sock")})
	}
	b := open(t, nvas...)
	got := settled[routesAnswer](b, "api/routes?nva=one&limit=1")
	if got.LeftOut == 0 || got.Total == 0 || got.Total > mostOctets/len(nvas)/(1000*27) {
		t.Errorf("%d rows, left out: %d", got.Total, got.LeftOut)
	}
}

// TestRoutesThen lists the routes of an earlier time.
func TestRoutesThen(t *testing.T) {
	f := &fake{}
	f.record(routeEvent(0, start), routeEvent(2, start.Add(1000)))
	f.events[0].Time = timestamppb.New(start)
	b := open(t, NVA{Name: "one", Client: f.client(t)})
	got := settled[routesAnswer](b, "api/routes?at="+start.Add(500).Format("2006-01-02T15:04:05.999999999Z07:00"))
	if got.Total != 1 || got.Rows[0].Prefix != "10.0.0.0/24" || got.Rows[0].ASPath != "65515 12076" {
		t.Errorf("got %+v", got.Rows)
	}
}
