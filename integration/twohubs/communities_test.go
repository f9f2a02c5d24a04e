package twohubs

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestCommunities runs the scenario with tags in place of prefixes. Everything is as the
// article shows. A VNet that is then connected to the second circuit can be reached, with the
// same processes and the same files.
func TestCommunities(t *testing.T) {
	l := lab.UpScenario(t, "two-hubs-communities")
	converge(t, l)
	testArticle(t, l, pair{lab.Nvad, lab.Nvad})
	before := untouched(t, l)
	if err := l.Connect("hub120"); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, 10*time.Second, func() error {
		if err := ping(l, "vm-hub100", "10.120.0.4"); err != nil {
			return err
		}
		return ping(l, "vm-hub120", vm100)
	})
	t.Run("told once", func(t *testing.T) { testNewSpoke(t, l, "10.120.0.0/16") })
	if after := untouched(t, l); !slices.Equal(before, after) {
		t.Errorf("NVAs were %v, are %v", before, after)
	}
	routes, err := l.EffectiveRoutes(t.Context(), "vm-hub100")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("vm-hub100 with the new spoke:\n%s", lab.EffectiveTable(routes))
}

// testNewSpoke: the near Route Server gets the prefix, with the same path as an existing
// spoke. The far one, whose gateway learned the prefix, never gets it from its NVA.
func testNewSpoke(t *testing.T, l *lab.Lab, prefix string) {
	for i := range 2 {
		received, err := l.RouteServer(near.vnet, i).Received(t.Context(), near.address)
		if err != nil {
			t.Fatal(err)
		}
		fresh, _ := find(received, prefix)
		known, _ := find(received, near.beyond)
		if !fresh.Accepted || fresh.Path() != known.Path() || len(fresh.Communities) > 0 {
			t.Errorf("instance %d has %+v, want the same as %+v, without tags", i, fresh, known)
		}
		seen, err := l.RouteServer(far.vnet, i).Seen(t.Context(), far.address)
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) != 1 || seen[0].String() != far.beyond {
			t.Errorf("instance %d of the far Route Server was at some time sent %v", i, seen)
		}
	}
}

// untouched identifies the NVAs' processes and the contents of their files.
func untouched(t *testing.T, l *lab.Lab) []string {
	t.Helper()
	var state []string
	for _, vm := range []string{near.nva, far.nva} {
		data, err := os.ReadFile(l.Options.NVAs[vm].Config)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := l.NVAProcess(vm)
		if err != nil {
			t.Fatal(err)
		}
		state = append(state, fmt.Sprintf("%s pid %d file %x", vm, pid, sha256.Sum256(data)))
	}
	return state
}
