package bootstrap

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeNvactl puts an nvactl into PATH that runs a script, and returns what uses it. It
// writes its arguments, one call a line, to the returned file.
func fakeNvactl(t *testing.T, script string) (n nvactl, progress *strings.Builder, calls string) {
	t.Helper()
	dir := t.TempDir()
	calls = filepath.Join(dir, "calls")
	script = "#!/bin/sh\necho \"$*\" >>" + calls + "\n" + script
	if err := os.WriteFile(filepath.Join(dir, "nvactl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	progress = &strings.Builder{}
	n, err := findNvactl("", progress)
	if err != nil || n.path != filepath.Join(dir, "nvactl") {
		t.Fatalf("found %q, %v", n.path, err)
	}
	return n, progress, calls
}

func within(t *testing.T, wait time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	t.Cleanup(cancel)
	return ctx
}

var own00 = netip.MustParseAddr("10.0.0.4")

// TestDiscover: the first answers lack what shows up later, and the progress says what is
// waited for.
func TestDiscover(t *testing.T) {
	early := hub00()
	early.VM.Tags = nil
	n, progress, calls := fakeNvactl(t, fmt.Sprintf(`case $(wc -l <%[1]s) in
1) echo "nvactl: the managed identity of this VM lacks the permission Microsoft.Compute/virtualMachines/read" >&2; exit 1 ;;
2) cat %[2]s ;;
*) cat %[3]s ;;
esac`, "$(dirname $0)/calls", saved(t, early), saved(t, hub00())))
	n.clientID = "id-nva"
	r, _, err := n.discover(within(t, time.Minute), discovery(Discovery{Tag: siteTag}), own00)
	if err != nil || len(r.Remotes) != 1 {
		t.Fatalf("%v, %+v\n%s", err, r, progress)
	}
	for _, want := range []string{
		"nvactl: the managed identity of this VM lacks the permission Microsoft.Compute/virtualMachines/read\nAzure: trying again in 1s\n",
		"vm-hub00, has no tag nvad=site1 itself, so the other NVAs can't find it\nAzure: trying again in 2s\n",
		"Azure: Route Server rs-hub00, 10.0.210.4, 10.0.210.5", "Azure: NVA vm-hub10 (10.10.0.4)",
	} {
		if !strings.Contains(progress.String(), want) {
			t.Errorf("no %q in\n%s", want, progress)
		}
	}
	lines, _ := os.ReadFile(calls)
	if first, _, _ := strings.Cut(string(lines), "\n"); first != "azure snapshot -o json --tag nvad=site1 --client-id id-nva --timeout 1m0s" {
		t.Errorf("it was run with %q", first)
	}
}

// TestGivesUp: an error that stays is that of nvactl, in the words of nvactl.
func TestGivesUp(t *testing.T) {
	n, progress, _ := fakeNvactl(t, "echo 'nvactl: no identity of Azure: managed: Identity not found' >&2; exit 1")
	_, _, err := n.discover(within(t, 1500*time.Millisecond), discovery(Discovery{}), own00)
	if err == nil || err.Error() != "gave up after try 2: no identity of Azure: managed: Identity not found" {
		t.Error(err)
	}
	if strings.Count(progress.String(), "nvactl: no identity of Azure") != 2 {
		t.Errorf("stderr is not passed on:\n%s", progress)
	}
}

// TestGoesOnWithout: the NVAs that are waited for do not come, which is no reason to have
// none.
func TestGoesOnWithout(t *testing.T) {
	n, progress, _ := fakeNvactl(t, "cat "+saved(t, hub00()))
	r, _, err := n.discover(within(t, 500*time.Millisecond), discovery(Discovery{Tag: siteTag, NVAs: 3}), own00)
	if err != nil || len(r.Remotes) != 1 || !strings.Contains(progress.String(), "note: 2 of 3 NVAs have the tag nvad=site1; going on without") {
		t.Errorf("%v, %+v\n%s", err, r, progress)
	}
}

// TestBadAnswers: what nvactl never says ends the attempt at once.
func TestBadAnswers(t *testing.T) {
	for name, tt := range map[string]struct{ script, want string }{
		"no JSON":     {"echo hello", "did not answer as expected"},
		"other JSON":  {"echo '{}'", "there is no VM in it"},
		"bad address": {`echo '{"vm":{"id":"x","addresses":["10.0.0"]}}'`, "did not answer as expected"},
		"endless":     {"yes", "printed more than 16 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			n, progress, _ := fakeNvactl(t, tt.script)
			_, _, err := n.discover(within(t, time.Minute), discovery(Discovery{}), own00)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(progress.String(), "again") {
				t.Errorf("%v\n%s", err, progress)
			}
		})
	}
}

// TestHangs: an nvactl that does not end is ended when the time is over.
func TestHangs(t *testing.T) {
	n, _, _ := fakeNvactl(t, "exec sleep 60")
	begin := time.Now()
	_, _, err := n.discover(within(t, 300*time.Millisecond), discovery(Discovery{}), own00)
	if err == nil || !strings.Contains(err.Error(), "deadline exceeded") || time.Since(begin) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
}

// TestRegister: nvactl is told what to register, again if Azure refuses at first, and not
// at all if nothing lacks.
func TestRegister(t *testing.T) {
	n, progress, calls := fakeNvactl(t, `[ $(wc -l <$(dirname $0)/calls) -gt 1 ] || { echo "nvactl: not yet" >&2; exit 1; }; echo "rs-hub00: done"`)
	server := hub00().RouteServers[0]
	reg := registration{server: server, name: "vm-hub00", peer: own00, asn: 65001, peers: true}
	if err := n.register(within(t, time.Minute), reg); err != nil {
		t.Fatal(err)
	}
	lines, _ := os.ReadFile(calls)
	want := "azure register --route-server " + serverID + " --name vm-hub00 --peer 10.0.0.4 --asn 65001 --timeout "
	if strings.Count(string(lines), want) != 2 || !strings.Contains(progress.String(), "nvactl: not yet\nAzure: trying again") || !strings.Contains(progress.String(), "rs-hub00: done\n") {
		t.Errorf("it was run with\n%s\nand said\n%s", lines, progress)
	}
	for _, nothing := range []registration{{}, {server: server, peer: own00}} {
		if err := n.register(t.Context(), nothing); err != nil {
			t.Error(err)
		}
	}
	if again, _ := os.ReadFile(calls); len(again) != len(lines) {
		t.Errorf("it was run for nothing:\n%s", again)
	}
}

// TestNoNvactl: the error says what is not there.
func TestNoNvactl(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := findNvactl("", os.Stderr); err == nil || !strings.Contains(err.Error(), "neither beside this program nor in PATH") {
		t.Error(err)
	}
}

// TestDiscoveryCheck: faults of the flags are found before Azure is asked.
func TestDiscoveryCheck(t *testing.T) {
	for want, d := range map[string]Discovery{
		"--tag: =x is not a tag": {Tag: "=x"},
		"is not a tag":           {Tag: strings.Repeat("x", maxTag+1)},
		"--nvas: want a number":  {Tag: "a", NVAs: maxNVAs + 2},
		"--nvas: needs --tag":    {NVAs: 2},
		"nothing to register at": {Register: true, RouteServer: NoRouteServer},
	} {
		if err := discovery(d).Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", d, err, want)
		}
	}
	if err := discovery(Discovery{Tag: siteTag, NVAs: 2, Register: true}).Check(); err != nil {
		t.Error(err)
	}
}
