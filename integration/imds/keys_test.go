package imds

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/pkg/config"
)

// keeps gives a hub's NVA a state directory for withState.
func (b bed) keeps(t *testing.T, hub string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(b.dir, "state-"+hub), 0o700); err != nil {
		t.Fatal(err)
	}
}

// withState returns a run of nvad on a hub's NVA with a state directory of its own.
func (b bed) withState(hub string, args ...string) *exec.Cmd {
	return b.Command("vm-"+hub, append([]string{"env", "STATE_DIRECTORY=" + filepath.Join(b.dir, "state-"+hub), b.nvad}, args...)...)
}

// TestPublishedKeys: both hubs boot together and are told nothing but the tag. Each publishes
// its key and waits for the other's. Their files are the same as with --peer, nvad runs them,
// and packets pass.
func TestPublishedKeys(t *testing.T) {
	t.Parallel()
	lab.RequireCommands(t, "env")
	b := managed(t, "role-operator.json")
	hubs := map[string]string{"hub00": "10.10.0.4", "hub10": "10.0.0.4"} // with the other one's address
	flags := func(hub string) []string {
		return append([]string{"bootstrap"}, b.fromAzure(filepath.Join(b.dir, hub+".toml"), "2m", "--register", "--publish-key")...)
	}
	results := map[string]*result{}
	var all sync.WaitGroup
	for hub := range hubs {
		b.keeps(t, hub)
		r := &result{}
		results[hub] = r
		all.Go(func() { *r = finish(b.withState(hub, flags(hub)...)) })
	}
	all.Wait()
	keys := map[string]string{}
	for hub, r := range results {
		r.must(t)
		keys[hub] = strings.TrimSpace(finish(b.withState(hub, "public-key", "nva")).must(t).out)
	}
	tagged := 0
	for _, r := range b.changes(t) {
		if strings.HasPrefix(r, "PATCH ") && strings.HasSuffix(r, "/providers/Microsoft.Resources/tags/default") {
			tagged++
		}
	}
	if tagged != len(hubs) {
		t.Errorf("%d tags were written", tagged)
	}
	before := len(b.changes(t))
	for hub, address := range hubs {
		file := filepath.Join(b.dir, hub+".toml")
		other := map[string]string{"hub00": "hub10", "hub10": "hub00"}[hub]
		byHand := finish(b.withState(hub, "bootstrap", "--from-azure", "--peer", keys[other]+"@"+address, "--output", file, "--dry-run")).must(t)
		if byHand.out != read(t, file) {
			t.Errorf("--peer prints\n%sthe file contains\n%s", byHand.out, read(t, file))
		}
		if r := finish(b.withState(hub, flags(hub)...)).must(t); !strings.Contains(r.out, ": unchanged") {
			t.Errorf("the second time it said %q", r.out)
		}
		cfg, err := config.Load(file)
		if err != nil || len(cfg.Tunnels) != 1 || cfg.Tunnels[0].Type != config.TunnelWireGuard {
			t.Fatalf("%v\n%s", err, read(t, file))
		}
		private, err := os.ReadFile(cfg.Tunnels[0].WireGuard.PrivateKeyFile)
		if err != nil || strings.Contains(results[hub].out+results[hub].err+read(t, file), strings.TrimSpace(string(private))) {
			t.Errorf("%v, or the private key was printed", err)
		}
	}
	if again := b.changes(t); len(again) != before {
		t.Errorf("the second time it asked for %v", again[before:])
	}
	for hub := range hubs {
		b.start(t, hub, filepath.Join(b.dir, hub+".toml"))
	}
	b.settles(t)
}

// TestPublishRefused: without the permission, the error names it, and nothing is written.
func TestPublishRefused(t *testing.T) {
	t.Parallel()
	b := managed(t, "role-reader.json")
	b.keeps(t, "hub00")
	file := filepath.Join(b.dir, "nvad.toml")
	finish(b.withState("hub00", append([]string{"bootstrap"}, b.fromAzure(file, "3s", "--publish-key")...)...)).
		refused(t, file, "lacks the permission Microsoft.Resources/tags/write", "role-operator.json")
}
