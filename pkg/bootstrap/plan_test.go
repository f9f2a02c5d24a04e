package bootstrap

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nvad/nvad/pkg/imds"
)

var update = flag.Bool("update", false, "rewrite golden files")

func nicOf(addr string) imds.NIC {
	a := netip.MustParseAddr(addr)
	subnet, _ := a.Prefix(24)
	return imds.NIC{Addresses: []netip.Addr{a}, Subnet: subnet}
}

func remotes(t *testing.T, list ...string) (out []Remote) {
	t.Helper()
	for _, text := range list {
		r, err := ParseRemote(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// TestRender compares the rendered files with golden files.
func TestRender(t *testing.T) {
	rs := []netip.Addr{netip.MustParseAddr("10.0.210.5"), netip.MustParseAddr("10.0.210.4")}
	vnet := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}
	for name, r := range map[string]Request{
		"hub":     {RouteServers: rs, Remotes: remotes(t, "10.10.0.4"), VNets: vnet},
		"alone":   {RouteServers: rs},
		"nics":    {RouteServers: rs},
		"azure":   {RouteServers: rs, VNets: vnet, Remotes: []Remote{{Address: netip.MustParseAddr("10.10.0.4"), Name: "vm-hub10"}, {Address: netip.MustParseAddr("10.20.0.4"), Name: "vm-hub20"}}},
		"overlay": {Remotes: remotes(t, "10.10.0.4=192.168.7.2", "10.20.0.4=192.168.7.3"), TunnelAddress: netip.MustParsePrefix("192.168.7.1/29")},
	} {
		t.Run(name, func(t *testing.T) {
			r.ASN, r.VNI = 65001, 77
			if err := r.Check(); err != nil {
				t.Fatal(err)
			}
			p, err := derive(r, "vm-hub00", nicOf("10.0.0.4"), "eth0")
			if err != nil {
				t.Fatal(err)
			}
			p.NICs = []string{"eth0"}
			if name == "nics" {
				p.NICs = append(p.NICs, "eth1")
			}
			got, err := render(p, "nvad.toml")
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".toml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	p, err := derive(Request{Remotes: remotes(t, "10.10.0.4"), ASN: 65001}, "vm", nicOf("10.0.0.4"), "eth0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := render(p, "nvad.toml"); err == nil || !strings.Contains(err.Error(), "vni") {
		t.Errorf("VNI 0: %v", err)
	}
}
