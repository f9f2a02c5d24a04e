package differential

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// nvad is the daemon under test, built from this tree.
type nvad struct {
	*bed
	ctl string
}

func startNvad(t *testing.T, b *bed, config string) daemon {
	t.Helper()
	n := &nvad{bed: b, ctl: lab.Build(t, "./cmd/nvactl")}
	if err := os.WriteFile(n.config(), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	b.start(t, lab.Build(t, "./cmd/nvad"), "--config", n.config(), "--socket", n.socket())
	awaitSocket(t, n.socket())
	return n
}

func (n *nvad) name() string   { return "nvad" }
func (n *nvad) bedOf() *bed    { return n.bed }
func (n *nvad) config() string { return filepath.Join(n.dir, "nvad.toml") }
func (n *nvad) socket() string { return filepath.Join(n.dir, "nvad.sock") }

func (n *nvad) nvactl(t *testing.T, into any, args ...string) {
	t.Helper()
	out := run(t, "", n.ctl, append([]string{"--socket", n.socket(), "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("nvactl %v: %v\n%s", args, err, out)
	}
}

func (n *nvad) heardAll(t *testing.T, from netip.Addr) error {
	t.Helper()
	var neighbors []struct {
		Address  netip.Addr
		EndOfRIB []string `json:"end_of_rib"`
	}
	n.nvactl(t, &neighbors, "neighbors")
	for _, p := range neighbors {
		if p.Address == from && slices.Contains(p.EndOfRIB, "ipv4 unicast") {
			return nil
		}
	}
	return fmt.Errorf("nvad has not read all of %s", from)
}

func (n *nvad) table(t *testing.T) []path {
	t.Helper()
	var routes []struct {
		Prefix                 netip.Prefix
		Neighbor               string
		Valid, Best, Multipath bool
		Weight                 uint32
	}
	n.nvactl(t, &routes, "routes")
	var paths []path
	for _, r := range routes {
		peer := r.Neighbor
		if peer == "" {
			peer = local
		}
		paths = append(paths, path{r.Prefix, peer, r.Valid, r.Best, r.Multipath, r.Weight})
	}
	return paths
}
