package lifecycle

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestAzureInterrupted: nvactl ends at once when its user ends it, and at its timeout, while
// Azure does not answer.
func TestAzureInterrupted(t *testing.T) {
	t.Parallel()
	asked := make(chan net.Conn, 10)
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	go func() {
		for {
			conn, err := proxy.Accept()
			if err != nil {
				return
			}
			asked <- conn // and never answered
		}
	}()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(args ...string) (*exec.Cmd, *strings.Builder) {
		cmd := exec.Command(lab.Build(t, "./cmd/nvactl"), append(strings.Fields("azure show --identity workload --cloud AzurePublicCloud"), args...)...)
		cmd.Env = append(cmd.Environ(), "HTTPS_PROXY=http://"+proxy.Addr().String(), "AZURE_CLIENT_ID=a", "AZURE_TENANT_ID=b", "AZURE_FEDERATED_TOKEN_FILE="+token)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, &out
	}

	cmd, out := start()
	conn := <-asked
	defer conn.Close()
	begin := time.Now()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if took := time.Since(begin); took > 2*time.Second || cmd.ProcessState.ExitCode() != 1 || out.String() != "nvactl: canceled\n" {
		t.Errorf("after %v, exit code %d: %s", took, cmd.ProcessState.ExitCode(), out)
	}

	cmd, out = start("--timeout", "300ms")
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || !strings.HasSuffix(out.String(), " (--timeout is 300ms)\n") {
		t.Errorf("exit code %d: %s", cmd.ProcessState.ExitCode(), out)
	}
}
