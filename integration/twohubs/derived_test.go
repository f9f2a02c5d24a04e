package twohubs

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// testDerived: nvad shows the settings that it derived itself, and there are no warnings.
func testDerived(t *testing.T, l *lab.Lab) {
	nvactl := lab.Build(t, "./cmd/nvactl")
	ask := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(nvactl, append([]string{"--socket", l.NVASocket(near.nva)}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("nvactl %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	expanded := ask("config", "show", "--expanded")
	for _, want := range []string{
		"router-id = \"" + near.address.String() + "\"\n", `domain = "ars-10.0.210.0"`, "remote-asn = 65515\n",
		"prefix = \"10.0.210.4/32\"\nvia = \"10.0.0.1\"\ndevice = \"eth0\"\n", "prefix = \"10.0.210.5/32\"\n",
	} {
		if !strings.Contains(expanded, want) {
			t.Errorf("expanded, without %q:\n%s", want, expanded)
		}
	}
	if plain := ask("config", "show"); strings.Contains(plain, "router-id") || !strings.Contains(plain, `preset = "azure-route-server"`) {
		t.Errorf("config show:\n%s", plain)
	}
	if fib := ask("routes", "fib"); strings.Count(fib, " derived ") != 2 {
		t.Errorf("routes fib does not show two routes as derived:\n%s", fib)
	}
	if status := ask("status"); !strings.Contains(status, "router ID 10.0.0.4") || strings.Contains(status, "Warnings") {
		t.Errorf("status:\n%s", status)
	}
}
