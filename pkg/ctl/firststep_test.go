package ctl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFirstStep: on a machine without a configuration nvactl says what writes one,
// and where there is one, how to start nvad.
func TestFirstStep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nvad.toml")
	if got := firstStep(DefaultSocket, file); !strings.Contains(got, `there is no `+file+` yet, in Azure "sudo nvad bootstrap"`) {
		t.Errorf("without a file: %q", got)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := firstStep(DefaultSocket, file); got != ": sudo systemctl start nvad" {
		t.Errorf("with a file: %q", got)
	}
	if got := firstStep("/tmp/other.sock", file); got != "" {
		t.Errorf("for another socket: %q", got)
	}
}

// TestStopFlushWithoutDaemon: what is left is another command's to remove.
func TestStopFlushWithoutDaemon(t *testing.T) {
	r := nvactl(t, filepath.Join(t.TempDir(), "nvad.sock"), "stop", "--flush")
	if r.code != 1 || !strings.Contains(r.err, `nvad is not running: what it left in the kernel is removed by "sudo nvad flush"`) {
		t.Errorf("%+v", r)
	}
}
