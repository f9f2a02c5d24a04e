package imds

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/pkg/config"
)

// TestWireGuardPeers: each hub is told the keys of both. Bootstrap writes a tunnel and a neighbor in
// it, nvad runs the files, and packets of the sites pass encrypted.
func TestWireGuardPeers(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	lab.RequireCommands(t, "env")
	hubs := map[string]string{"hub00": "10.0.0.4", "hub10": "10.10.0.4"}
	var peers []string
	for hub, address := range hubs {
		b.keeps(t, hub)
		key := strings.TrimSpace(finish(b.withState(hub, "public-key", "nva")).must(t).out)
		peers = append(peers, "--peer", key+"@"+address)
	}
	for hub := range hubs {
		b.metadata(t, hub)
		flags := b.flags(hub, hub+".toml")
		flags = append(append(flags[:2:2], flags[4:]...), peers...) // without --remote-nva
		r := finish(b.withState(hub, append([]string{"bootstrap"}, flags...)...)).must(t)
		out := r.out + r.err
		file := filepath.Join(b.dir, hub+".toml")
		cfg, err := config.Load(file)
		if err != nil || len(cfg.Tunnels) != 1 || cfg.Tunnels[0].Type != config.TunnelWireGuard || len(config.Warnings(cfg)) > 0 {
			t.Fatalf("%v: %s\n%s", err, out, read(t, file))
		}
		key, err := os.ReadFile(cfg.Tunnels[0].WireGuard.PrivateKeyFile)
		if err != nil || strings.Contains(out+read(t, file), strings.TrimSpace(string(key))) {
			t.Errorf("%v, or the private key was printed: %s", err, out)
		}
		b.start(t, hub, file)
	}
	b.settles(t)
}
