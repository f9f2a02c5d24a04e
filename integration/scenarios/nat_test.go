package scenarios

import (
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// TestNAT: hosts on-premises reach the spoke's services through the hub's NVA, and the
// services see the NVA's address. The spoke reaches no host on-premises.
func TestNAT(t *testing.T) {
	t.Parallel()
	l := lab.UpScenario(t, "nat")
	show(t, l)
	t.Run("there", func(t *testing.T) {
		for _, vm := range []string{"vm-hub100", "vm-hub101"} {
			for port, want := range map[string]string{"8080": "80", "9000": "9000", "9009": "9009"} {
				out := step(t, l, vm+"# curl -sS -m 5 http://10.0.0.4:"+port+"/")
				if got := strings.TrimSpace(out); got != "10.0.0.4 asked 10.10.0.4:"+want {
					t.Errorf("%s on port %s: %q", vm, port, got)
				}
			}
		}
	})
	t.Run("nothing else", func(t *testing.T) {
		for _, command := range []string{
			"vm-hub100# curl -sS -m 1 http://10.0.0.4:8081/",
			"vm-hub100# curl -sS -m 1 http://10.10.0.4/",
			"vm-spoke10# ping -c 1 -W 0.5 10.100.0.4",
		} {
			if out, err := l.Step(t.Context(), command); err == nil {
				t.Errorf("%s got an answer:\n%s", command, out)
			}
		}
	})
	t.Run("effective routes", func(t *testing.T) {
		wantEffective(t, l, "vm-spoke10", `
			Default | Active | 10.10.0.0/16 | Virtual network | - | -
			Default | Active | 10.0.0.0/16  | VNet peering    | - | -`)
		wantEffective(t, l, "vm-hub100", `
			Default                 | Active | 10.100.0.0/16 | Virtual network         | -           | -
			Virtual network gateway | Active | 10.0.0.0/16   | Virtual network gateway | 10.2.146.76 | -
			Virtual network gateway | Active | 10.0.0.0/16   | Virtual network gateway | 10.2.146.77 | -`)
	})
}
