package ctl

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api"
)

func TestControl(t *testing.T) {
	d := hub00()
	d.Hold, d.At.Drain.Since = time.Second, time.Now()
	socket := serve(t, d)
	for _, tt := range []struct{ args, out, did string }{
		{"reset 10.0.210.4", "10.0.210.4: session reset\n", "reset 10.0.210.4 hard"},
		{"reset 10.0.210.4 --soft in", "10.0.210.4: import policy applied again\n", "reset 10.0.210.4 soft in"},
		{"reset 10.0.210.4 --soft=out -o json", "{}\n", "reset 10.0.210.4 soft out"},
		{"reset --group route-server", "10.0.210.4: session reset\n10.0.210.5: session reset\n", "reset 10.0.210.5 hard"},
		{"reset --all --soft out", "10.0.210.4: routes sent again\n10.0.210.5: routes sent again\n169.254.0.2: routes sent again\n", "reset 169.254.0.2 soft out"},
		{"reset --all -o json", "{}\n", "reset 169.254.0.2 hard"},
		{"shutdown 10.0.210.5 --message maintenance", "10.0.210.5: shut down\n", `neighbor 10.0.210.5 shutdown=true "maintenance"`},
		{"enable 10.0.210.5", "10.0.210.5: enabled\n", `neighbor 10.0.210.5 shutdown=false ""`},
		{"drain --reason kernel", "draining, traffic will have moved in 1s\n", `drain "kernel"`},
		{"drain --wait", "drained\n", `drain ""`},
		{"drain --wait -o json", "{\n  \"remaining_seconds\": 1\n}\n", `drain ""`},
		{"drain --off", "this NVA carries traffic again\n", "undrain"},
		{"log-level debug", "log level is debug\n", "log-level debug"},
		{"stop --flush --message bye", "nvad has ended\n", `shutdown flush=true "bye"`},
	} {
		t.Run(tt.args, func(t *testing.T) {
			r := nvactl(t, socket, strings.Fields(tt.args)...)
			if r.code != 0 || r.err != "" || r.out != tt.out {
				t.Errorf("got %+v, want %q", r, tt.out)
			}
			if did := d.Commands(); did[len(did)-1] != tt.did {
				t.Errorf("did %q, want %q", did[len(did)-1], tt.did)
			}
		})
	}
	if r := nvactl(t, socket, "status"); r.code != 1 || !strings.Contains(r.err, "not running") {
		t.Errorf("after the shutdown: %+v", r)
	}
}

// TestDrainEnded: drain --wait fails if somebody ends the drain meanwhile.
func TestDrainEnded(t *testing.T) {
	socket := serve(t, hub00())
	if r := nvactl(t, socket, "drain", "--wait"); r.code != 1 || !strings.Contains(r.err, "ended the drain before traffic had moved") {
		t.Errorf("got %+v", r)
	}
	if r := nvactl(t, socket, "drain", "--off", "--wait"); r.code != 1 || !strings.Contains(r.err, "--help") {
		t.Errorf("got %+v", r)
	}
}

func TestReload(t *testing.T) {
	d := hub00()
	show(t, serve(t, d), "reload", "reload")

	d = hub00()
	d.Changes, d.Cautions, d.Effect = nil, api.Cautions{}, &api.Effect{}
	socket := serve(t, d)
	for args, want := range map[string]string{
		"reload": "Nothing changed.\n", "reload --dry-run": "Nothing would change.\n",
	} {
		if r := nvactl(t, socket, strings.Fields(args)...); r.code != 0 || r.out != want {
			t.Errorf("%s: %+v", args, r)
		}
	}
}

// TestDryRun: --dry-run prints the same as a reload, and changes nothing.
func TestDryRun(t *testing.T) {
	d := hub00()
	socket := serve(t, d)
	show(t, socket, "dry-run", "reload", "--dry-run")
	if did := d.Commands(); len(did) > 0 {
		t.Errorf("did %q", did)
	}
	d = hub00()
	d.Refused = "global: asn: 65001 -> 65009: only a restart changes that; a reload is refused"
	socket = serve(t, d)
	for _, args := range []string{"reload --dry-run", "reload --dry-run -o json"} {
		r := nvactl(t, socket, strings.Fields(args)...)
		wantError(t, r, d.Refused)
		if !strings.Contains(r.out, "hold-time") {
			t.Errorf("the changes are missing: %s", r.out)
		}
	}
}

func TestVersion(t *testing.T) {
	socket := serve(t, hub00())
	r := nvactl(t, socket, "version")
	if r.code != 0 || !strings.HasPrefix(r.out, "nvactl devel") ||
		!strings.HasSuffix(r.out, "\nnvad   v1.2.3 (4f2a9c1d0e7b, go1.25.0)\n") {
		t.Errorf("got %+v", r)
	}
	for path, want := range map[string]string{socket: "v1.2.3", "/nonexistent": ""} {
		r := nvactl(t, path, "version", "-o", "json")
		var v struct{ Client, Daemon *struct{ Version string } }
		if err := json.Unmarshal([]byte(r.out), &v); err != nil {
			t.Fatal(err)
		}
		if v.Client == nil || (v.Daemon != nil) != (want != "") || v.Daemon != nil && v.Daemon.Version != want {
			t.Errorf("%s: got %s", path, r.out)
		}
		if (r.code == 0) != (want != "") {
			t.Errorf("%s: exit code %d", path, r.code)
		}
	}
}

func TestCompletion(t *testing.T) {
	socket := serve(t, hub00())
	neighbors := []string{
		"10.0.210.4\tRoute Server, instance 0", "10.0.210.5\tRoute Server, instance 1", "169.254.0.2\tvm-hub10",
	}
	for _, tt := range []struct {
		socket string
		args   []string
		want   []string
	}{
		{socket, []string{"neighbors", ""}, neighbors},
		{socket, []string{"routes", "received", ""}, neighbors},
		{socket, []string{"reset", "10.0.210.4", ""}, nil},
		{socket, []string{"routes", "10.1"}, []string{"10.100.0.0/16", "10.110.0.0/16"}},
		{socket, []string{"explain", ""}, []string{"10.0.0.0/16", "10.100.0.0/16", "10.110.0.0/16"}},
		{socket, []string{"routes", "10.100.0.0/16", ""}, nil},
		{socket, []string{"routes", "--neighbor", ""}, neighbors},
		{socket, []string{"tunnels", ""}, []string{"rotate\tChange the key of a WireGuard tunnel, step by step", "vxlan0"}},
		{socket, []string{"--output", ""}, []string{"table", "json"}},
		{socket, []string{"reset", "10.0.210.4", "--soft", ""}, []string{"in", "out"}},
		{socket, []string{"log-level", ""}, []string{"debug", "info", "warn", "error"}},
		{"/nonexistent", []string{"neighbors", ""}, nil},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			r := nvactl(t, tt.socket, append([]string{"__complete"}, tt.args...)...)
			lines := strings.Split(strings.TrimSpace(r.out), "\n")
			if got := lines[:len(lines)-1]; r.code != 0 || !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if lines[len(lines)-1] != ":4" {
				t.Errorf("directive %s: files are not offered", lines[len(lines)-1])
			}
		})
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if r := nvactl(t, socket, "completion", shell); r.code != 0 || !strings.Contains(r.out, "nvactl") {
			t.Errorf("completion %s: %d %s", shell, r.code, r.err)
		}
	}
}

// TestDrainAlone: drain warns if no other NVA can take the traffic.
func TestDrainAlone(t *testing.T) {
	d := badDay()
	d.Hold = time.Second
	r := nvactl(t, serve(t, d), "drain")
	if r.code != 0 || r.err != "Warning: no other NVA is known to have the routes of this one.\n" {
		t.Errorf("got %+v", r)
	}
	if r := nvactl(t, serve(t, hub00()), "drain"); r.code != 0 || r.err != "" {
		t.Errorf("got %+v", r)
	}
}

func TestProfile(t *testing.T) {
	socket := serve(t, hub00())
	for _, name := range []string{"cpu", "heap", "goroutine", "allocs", "trace"} {
		file := filepath.Join(t.TempDir(), name)
		if r := nvactl(t, socket, "profile", name, "--duration", "1s", "-o", file); r.code != 0 || r.out != file+"\n" {
			t.Fatalf("got %+v", r)
		}
		magic := "\x1f\x8b" // gzip, as pprof wants it
		if name == "trace" {
			magic = "go 1."
		}
		if b, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(b, []byte(magic)) {
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
