package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestSpokeECMP: without the routes of peerings, a summary leads packets between peered spokes
// to the NVAs. Azure shares flows among the next hops of a user-defined route, goes on doing
// so after one has died, and stops only when the route changes. A drain changes it in time.
func TestSpokeECMP(t *testing.T) {
	t.Parallel()
	lab.RequireCommands(t, "curl")
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	role := configs(t, "azure", "role-operator.json")
	l := lab.UpOptions(t, lab.Options{Scenario: "spoke-ecmp", Manager: true, Role: role, NVAs: map[string]lab.NVA{
		"vm-hub00":   {Kind: lab.Nvad, Binary: lab.Build(t, "./cmd/nvad"), Config: write("hub00.toml", "[kernel]\nip-forward = true\n[drain]\nhold = 0\n")},
		"vm-hub00-2": {Kind: lab.Plain, Script: write("hub00-2.sh", "sysctl -qw net.ipv4.ip_forward=1\n")},
	}})
	wantEffective(t, l, "vm-spoke10", `
		Default | Active | 10.10.0.0/16 | Virtual network   | -        | -
		User    | Active | 10.0.0.0/8   | Virtual appliance | 10.0.0.4 | summary
		User    | Active | 10.0.0.0/8   | Virtual appliance | 10.0.0.6 | summary`)
	wantShares(t, l, "both live", true, true)

	l.Exec(t, "vm-hub00-2", "sysctl", "-qw", "net.ipv4.ip_forward=0")
	if got := answers(l); got == 0 || got == flows {
		t.Errorf("with a dead next hop, %d of %d flows get through", got, flows)
	}
	// The flows that failed took two seconds, and nobody has probed.
	if got := answers(l); got == 0 || got == flows {
		t.Errorf("two seconds later, %d of %d flows get through", got, flows)
	}
	l.Exec(t, "vm-hub00-2", "sysctl", "-qw", "net.ipv4.ip_forward=1")
	wantShares(t, l, "both live again", true, true)

	const udrs = " --azure-udr rg-nva/rt-spoke10-default/summary --azure-udr rg-nva/rt-spoke20-default/summary"
	out, err := l.Step(t.Context(), "vm-hub00# nvactl drain"+udrs)
	if err != nil || strings.Count(out, "10.0.0.4 is no next hop any more") != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	wantShares(t, l, "vm-hub00 drained", false, true)
	if got := answers(l); got != flows {
		t.Errorf("%d of %d flows get through while vm-hub00 is drained", got, flows)
	}
	out, err = l.Step(t.Context(), "vm-hub00# nvactl drain --azure-udr rg-nva/rt-spoke10-default/summary --azure-hop 10.0.0.6")
	if err == nil || !strings.Contains(out, "10.0.0.6 is its last next hop") {
		t.Errorf("%v: %s", err, out)
	}
	out, err = l.Step(t.Context(), "vm-hub00# nvactl drain --off"+udrs)
	if err != nil || strings.Count(out, "10.0.0.4 is a next hop again") != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	wantShares(t, l, "vm-hub00 back", true, true)
}

// flows is how many connections are tried. That all of them choose the same next hop of two
// has a probability of 2^-31.
const flows = 32

// answers tries connections between the spokes at the same time, and counts those that get
// through.
func answers(l *lab.Lab) int {
	command := fmt.Sprintf("for i in $(seq %d); do curl -s -m 2 http://10.20.0.4/ >/dev/null && echo through & done; wait", flows)
	out, _ := l.Output("vm-spoke10", "sh", "-c", command)
	return strings.Count(out, "through")
}

// wantShares waits until each NVA forwards or, if it should not, does not.
func wantShares(t *testing.T, l *lab.Lab, when string, want ...bool) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, func() error {
		var before, after [2]string
		for i, vm := range []string{"vm-hub00", "vm-hub00-2"} {
			before[i] = forwarded(t, l, vm)
		}
		answers(l)
		for i, vm := range []string{"vm-hub00", "vm-hub00-2"} {
			after[i] = forwarded(t, l, vm)
			if got := after[i] != before[i]; got != want[i] {
				return fmt.Errorf("%s: that %s forwards is %t, want %t", when, vm, got, want[i])
			}
		}
		return nil
	})
}

// forwarded returns a VM's count of forwarded packets.
func forwarded(t *testing.T, l *lab.Lab, vm string) string {
	t.Helper()
	return l.Exec(t, vm, "awk", "/^Ip: [0-9]/ {print $7}", "/proc/net/snmp")
}
