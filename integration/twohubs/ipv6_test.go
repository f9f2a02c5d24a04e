package twohubs

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// TestIPv6 runs the scenario with IPv6 in the tunnel beside IPv4. What the article shows stays
// the same, and networks that Azure does not know reach each other.
func TestIPv6(t *testing.T) {
	l := lab.UpScenario(t, "two-hubs-ipv6")
	converge(t, l)
	testArticle(t, l, pair{lab.Nvad, lab.Nvad})
	for _, line := range []string{
		"vm-hub00# ping -q -c 20 -i 0.02 -W 1 -I fd00::1 fd00:10::1",
		"vm-hub10# ping -q -c 20 -i 0.02 -W 1 -I fd00:10::1 fd00::1",
	} {
		if out, err := l.Step(t.Context(), line); err != nil || !strings.Contains(out, " 0% packet loss") {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
	for line, want := range map[string]string{
		"vm-hub00# ip -6 route show proto bgp": `(?s)fd00:10::/64 .*via fd77::2 dev vxlan0`,
		"vm-hub10# ip -6 route show proto bgp": `(?s)fd00::/64 .*via fd77::1 dev vxlan0`,
		"vm-hub00# nvactl neighbors":           `fd77::2 +65001 +Established +[0-9:]+ +1 +1 +1`,
	} {
		out, err := l.Step(t.Context(), line)
		if err != nil || !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s: %v, no %q in\n%s", line, err, want, out)
		}
	}
}
