package lab_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestCircuit: on the way to a site behind the circuit, the AS path of an NVA's routes loses
// Azure's number and private numbers, and with them the NVA's prepending. If the NVA announces
// a default route, all the VNet's NICs get it, including the NVA's own.
func TestCircuit(t *testing.T) {
	l := lab.Up(t, lab.Options{OnPremises: true, NVAs: map[string]lab.NVA{
		"vm-hub00": birdNVA(t, nva1, 65001,
			announcement{"10.200.0.0/16", ""},
			announcement{"10.201.0.0/16", "bgp_path.prepend(65001); bgp_path.prepend(65001);"},
			announcement{"10.202.0.0/16", "bgp_path.prepend(3333);"},
			announcement{"0.0.0.0/0", ""},
		),
	}})
	for prefix, want := range map[string]string{
		"10.0.0.0/16":   "12076",
		"10.200.0.0/16": "12076",
		"10.201.0.0/16": "12076",
		"10.202.0.0/16": "12076 3333",
	} {
		lab.Eventually(t, 30*time.Second, func() error {
			if got, out := pathAtSite(t, l, prefix); got != want {
				return fmt.Errorf("the site has %s with path %q, want %q\n%s", prefix, got, want, out)
			}
			return nil
		})
	}
	for _, vm := range []string{"vm-hub00", "vm-hub00-b"} {
		if hops, _ := effective(t, l, vm, "0.0.0.0/0"); hops != nva1.String() {
			t.Errorf("%s: the default route has next hops %q", vm, hops)
		}
	}
}

var asPath = regexp.MustCompile(`(?i)as_path: (.*)`)

// pathAtSite returns the AS path of a prefix on the router of the site behind circuit01, and
// what its routing daemon prints about the prefix.
func pathAtSite(t *testing.T, l *lab.Lab, prefix string) (path, out string) {
	t.Helper()
	socket := filepath.Join(l.Dir(), "sock", "site-circuit01")
	out, err := l.Output("site-circuit01", "birdc", "-s", socket, "show", "route", prefix, "all")
	if err != nil {
		return "", err.Error()
	}
	if m := asPath.FindStringSubmatch(out); m != nil {
		path = strings.TrimSpace(m[1])
	}
	return path, out
}
