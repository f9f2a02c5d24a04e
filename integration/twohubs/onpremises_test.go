package twohubs

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestOnPremises adds a site behind circuit01. Its private AS number is no reason to drop its
// route, which arrives at the far hub's Route Server and at the VNet behind it. The route came
// from the near Route Server, so neither of its two instances may get it back.
func TestOnPremises(t *testing.T) {
	const site, host = "192.168.100.0/24", "192.168.100.4"
	for _, p := range pairs {
		t.Run(p.String(), func(t *testing.T) {
			l := p.up(t, lab.Options{OnPremises: true})
			converge(t, l)
			lab.Eventually(t, 10*time.Second, func() error { return ping(l, "vm-hub110", host) })
			if path := advertised(t, l, near, 0, site).Path(); path != "65515 12076 64580" {
				t.Errorf("the near NVA is sent path %s", path)
			}
			for i := range 2 {
				if err := checkFar(t, l, i, site); err != nil {
					t.Error(err)
				}
				seen, err := l.RouteServer(near.vnet, i).Seen(t.Context(), near.address)
				if err != nil {
					t.Fatal(err)
				}
				if p.near == lab.Nvad && len(seen) != 1 {
					t.Errorf("instance %d of the near Route Server was sent %v, want only %s", i, seen, near.beyond)
				}
			}
			if p.near == lab.FRR && !slices.ContainsFunc([]int{0, 1}, func(i int) bool { return fedBack(t, l, i, site) }) {
				t.Error("the article's lists kept the site's route from going back; the lab does not show what nvad prevents")
			}
		})
	}
}

// checkFar checks the route for a prefix on an instance of the far Route Server.
func checkFar(t *testing.T, l *lab.Lab, instance int, prefix string) error {
	received, err := l.RouteServer(far.vnet, instance).Received(t.Context(), far.address)
	if err != nil {
		return err
	}
	if r, ok := find(received, prefix); !ok || r.Path() != "65001 65001 65001 65001" || !r.Accepted {
		return fmt.Errorf("instance %d of the far Route Server has %+v", instance, r)
	}
	return nil
}

// fedBack reports whether an instance of the near Route Server is sent a prefix that it has
// from its gateway.
func fedBack(t *testing.T, l *lab.Lab, instance int, prefix string) bool {
	t.Helper()
	received, err := l.RouteServer(near.vnet, instance).Received(t.Context(), near.address)
	if err != nil {
		t.Fatal(err)
	}
	_, ok := find(received, prefix)
	return ok
}
