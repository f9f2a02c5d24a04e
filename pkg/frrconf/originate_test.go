package frrconf

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nvad/nvad/pkg/config"
)

func TestOriginate(t *testing.T) {
	cfg, left := convert(t, bgpHead+`aggregate-address 10.0.0.0 255.0.0.0 summary-only
aggregate-address 10.16.0.0/12 route-map tag
redistribute static route-map tag
redistribute kernel
neighbor 10.0.0.9 default-originate
neighbor 10.0.0.9 maximum-prefix-out 7
neighbor 10.0.0.9 maximum-prefix 100 80 restart 5 force
neighbor 10.0.0.9 remove-private-AS all replace-AS
exit
route-map tag permit 10
`)
	for _, l := range left {
		if l.Kind != NoMeaning {
			t.Errorf("left over: %+v", l)
		}
	}
	same := cmpopts.EquateComparable(netip.Prefix{})
	aggregates := []config.Aggregate{
		{Prefix: netip.MustParsePrefix("10.0.0.0/8"), SummaryOnly: true},
		{Prefix: netip.MustParsePrefix("10.16.0.0/12"), RouteMap: "tag"},
	}
	if diff := cmp.Diff(aggregates, cfg.Aggregates, same); diff != "" {
		t.Errorf("aggregates (-want +got)\n%s", diff)
	}
	others := []config.Redistribute{{Source: "static", RouteMap: "tag"}, {Source: "kernel"}}
	if diff := cmp.Diff(others, cfg.Redistributes); diff != "" {
		t.Errorf("redistribution (-want +got)\n%s", diff)
	}
	n := cfg.Neighbors[0]
	if !n.DefaultOriginate || n.MaximumPrefixOut != 7 || n.MaximumPrefix != 100 || n.MaximumPrefixWarning != 80 ||
		n.MaximumPrefixRestart != 5*time.Minute || n.MaximumPrefixAction != config.ActionShutdown || !n.ReplacePrivateAS {
		t.Errorf("neighbor %+v", n.Settings)
	}
}
