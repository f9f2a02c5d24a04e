package lifecycle

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// mostInit bounds what the packages of Azure allocate before a command begins, in octets.
// They made 72 kB of 720 kB when this was written.
const mostInit = 200_000

// TestAzureSDKWaits: commands that do not ask Azure do not pay for its SDK. What a package
// does before main begins, every command waits for.
func TestAzureSDKWaits(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(lab.Build(t, "./cmd/nvactl"), "--help")
	cmd.Env = append(cmd.Environ(), "GODEBUG=inittrace=1")
	var trace strings.Builder
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, trace.String())
	}
	all, azure := 0, 0
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) .* (\d+) bytes,`).FindAllStringSubmatch(trace.String(), -1) {
		n, _ := strconv.Atoi(m[2])
		all += n
		if strings.Contains(m[1], "/Azure") || strings.HasSuffix(m[1], "/pkg/azure/arm") {
			azure += n
		}
	}
	t.Logf("%d of %d octets", azure, all)
	if azure == 0 || azure > mostInit {
		t.Errorf("the packages of Azure allocate %d octets before main, want 1 to %d", azure, mostInit)
	}
}
