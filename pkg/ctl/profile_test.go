package ctl

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/api/apitest"
)

func TestProfile(t *testing.T) {
	socket := serve(t, apitest.Hub00())
	for _, name := range profiles {
		file := filepath.Join(t.TempDir(), name)
		if r := nvactl(t, socket, "profile", name, "--duration", "1s", "-o", file); r.code != 0 || r.out != file+"\n" {
			t.Fatalf("got %+v", r)
		}
		if b, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) { // gzip, as pprof wants it
			t.Errorf("%s begins with % x: %v", name, b[:min(len(b), 4)], err)
		}
	}
	for _, args := range [][]string{{"cpu", "--duration", "1h"}, {"cpu", "--duration", "-1s"}, {"disk"}, {}} {
		dir := t.TempDir()
		t.Chdir(dir)
		if r := nvactl(t, socket, append([]string{"profile"}, args...)...); r.code != 1 || !strings.Contains(r.err, "want ") {
			t.Errorf("%v: got %+v", args, r)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%v leaves %v", args, left)
		}
	}
}
