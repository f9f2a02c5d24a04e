package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

var around = netip.MustParsePrefix("10.1.0.0/16")

// choices select some of the routes of TestRoutesChosen.
var choices = []struct {
	q           Query
	communities string
	asPath      string
	want        string
}{
	{Query{}, "", "", "10.0.0.0/8 10.1.0.0/16 10.1.2.0/24 10.2.0.0/16"},
	{Query{Address: netip.MustParseAddr("10.1.2.3")}, "", "", "10.1.2.0/24"},
	{Query{Address: netip.MustParseAddr("10.9.2.3")}, "", "", "10.0.0.0/8"},
	{Query{Address: netip.MustParseAddr("192.0.2.1")}, "", "", "no route covers the address"},
	{Query{Prefix: around}, "", "", "10.1.0.0/16"},
	{Query{Prefix: around, Longer: true}, "", "", "10.1.0.0/16 10.1.2.0/24"},
	{Query{Table: AdjRIBIn, Neighbor: farNVA, Prefix: around, Longer: true}, "", "", "10.1.0.0/16 10.1.2.0/24"},
	{Query{}, "graceful-shutdown", "", "10.1.0.0/16 10.1.2.0/24"},
	{Query{}, "65515:7,graceful-shutdown", "", "10.1.0.0/16 10.1.2.0/24"},
	{Query{}, "65515:8", "", ""},
	{Query{}, "1:2:3", "", "10.0.0.0/8"},
	{Query{}, "soo 65001:7", "", "10.2.0.0/16"},
	{Query{}, "", "_12076_", "10.1.0.0/16 10.1.2.0/24"},
	{Query{Prefix: around}, "", "^645", ""},
	{Query{Filter: Filter{From: farNVA}}, "", "^645", "10.0.0.0/8 10.2.0.0/16"},
	{Query{Filter: Filter{From: routeServer}}, "", "", ""},
	{Query{Filter: Filter{From: netip.MustParseAddr("1.2.3.4")}}, "", "", "neighbor 1.2.3.4 is not configured"},
}

// Readers select routes by address, prefix, community, AS path and neighbor, and by
// combinations.
func TestRoutesChosen(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(farNVA, true, false)
		send := func(a route.Attrs, prefixes ...string) {
			a.NextHop = farNVA
			u := speaker.Update{From: speaker.From{Peer: farNVA}, Attrs: e.opt.Interner.Intern(a)}
			for _, s := range prefixes {
				u.Announced = append(u.Announced, netip.MustParsePrefix(s))
			}
			p.events <- u
		}
		send(route.Attrs{ASPath: route.NewASPath(65515, 12076), Communities: []route.Community{route.GracefulShutdown, 65515<<16 | 7}},
			"10.1.0.0/16", "10.1.2.0/24")
		send(route.Attrs{ASPath: route.NewASPath(64500), LargeCommunities: []route.LargeCommunity{{Global: 1, Local1: 2, Local2: 3}}}, "10.0.0.0/8")
		send(route.Attrs{ASPath: route.NewASPath(64501), ExtCommunities: []route.ExtCommunity{route.SiteOfOrigin(65001, 7)}}, "10.2.0.0/16")
		if err := e.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, tt := range choices {
			f, err := NewFilter(strings.FieldsFunc(tt.communities, func(r rune) bool { return r == ',' }), tt.asPath)
			if err != nil {
				t.Fatal(err)
			}
			f.From = tt.q.Filter.From
			tt.q.Filter = f
			var got []string
			err = e.Routes(t.Context(), tt.q, func(v Path) error {
				got = append(got, v.Prefix.String())
				return nil
			})
			if err != nil {
				got = append(got, err.Error())
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("%+v %s %s: got %q, want %q", tt.q, tt.communities, tt.asPath, s, tt.want)
			}
		}
	})
}

// Each filter that can't be read has an error of its own.
func TestFilterTellsWhatIsWrong(t *testing.T) {
	for communities, want := range map[string]string{
		"65001": "not a community", "1:2:x": "not a large community", "rt x": "not an extended community", "0x1": "not an extended community",
	} {
		if _, err := NewFilter([]string{communities}, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", communities, err)
		}
	}
	if _, err := NewFilter(slices.Repeat([]string{"1:1"}, maxCommunities+1), ""); err == nil {
		t.Error("any number of communities is taken")
	}
	if _, err := NewFilter(nil, "["); err == nil || fmt.Sprint(err) == "" {
		t.Error("an expression that is none is taken")
	}
}

// The import policy counts the routes that a neighbor announced.
func TestPolicyHits(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		p.establish(farNVA, true, false)
		p.announce(farNVA, prefix)
		hits, err := e.PolicyHits(t.Context(), farNVA)
		if err != nil || len(hits) != 2 || hits[0].Export || !hits[1].Export {
			t.Fatalf("%+v, %v", hits, err)
		}
		if r := hits[0].Rules; len(r) != 1 || r[0].Rule != "accept" || r[0].Hits != 1 {
			t.Errorf("%+v", r)
		}
		if _, err := e.PolicyHits(t.Context(), netip.MustParseAddr("1.2.3.4")); err == nil {
			t.Error("an unknown neighbor is no error")
		}
	})
}
