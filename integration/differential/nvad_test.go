package differential

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// nvad is the daemon under test, built from this tree.
type nvad struct{ *bed }

func startNvad(t *testing.T, b *bed, config string) daemon {
	t.Helper()
	b.Write("nvad.toml", config)
	b.Nvad(ours, "nvad").Logs("msg=ready")
	return &nvad{b}
}

func (n *nvad) name() string   { return "nvad" }
func (n *nvad) bedOf() *bed    { return n.bed }
func (n *nvad) config() string { return n.Path("nvad.toml") }

func (n *nvad) nvactl(t *testing.T, into any, args ...string) {
	t.Helper()
	out, err := n.Nvactl("nvad", append([]string{"-o", "json"}, args...)...)
	if err == nil {
		err = json.Unmarshal([]byte(out), into)
	}
	if err != nil {
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
