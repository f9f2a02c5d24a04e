package bootstrap

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"unicode"

	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/config"
)

// FuzzNames: Azure may call its resources anything. The file stays valid, and says the same
// as if they had ordinary names.
func FuzzNames(f *testing.F) {
	for _, name := range []string{
		"vm-hub00", "", "x\nasn = 1", "x\r\n[kernel]\nip-forward = false\n", `"; asn = 1 #`, "'''", `"""`, "\\u000a", "\x00\x1b[2J\x7f", "\u2028asn = 1", "é\xff\xfe",
		strings.Repeat("y", 5000) + "\n[[tunnel]]",
	} {
		f.Add(name, name)
	}
	want := parsed(f, "vm", "vm-far")
	f.Fuzz(func(t *testing.T, own, far string) {
		if got := parsed(t, own, far); got != want {
			t.Errorf("with the names %q and %q the file says\n%s\nnot\n%s", own, far, got, want)
		}
	})
}

// parsed writes a file in which VMs have these names, and returns what it says.
func parsed(t testing.TB, own, far string) string {
	t.Helper()
	s := hub00()
	s.VM.Name, s.NVAs[0].Name = own, far
	s.RouteServers[0].Name = far
	r, reg, err := complete(discovery(Discovery{Tag: siteTag, Register: true}), s, own00)
	if err != nil {
		t.Fatal(err)
	}
	p, err := derive(r, own, nicOf("10.0.0.4"), "eth0")
	if err != nil {
		t.Fatal(err)
	}
	text, err := render(p, "nvad.toml")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var said strings.Builder
	reg.report(&said)
	nvactl{progress: &said}.note(r, reg)
	if n := strings.Count(said.String(), "\n"); n != 4 && (far != "" || n != 3) {
		t.Errorf("%d lines:\n%s", n, said.String())
	}
	for _, r := range string(text) + said.String() {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("unprintable %U in\n%s%s", r, text, said.String())
		}
	}
	cfg, err := config.Parse("nvad.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	return string(config.Print(cfg, false))
}

// FuzzTags: whatever the tags of VMs are, they result in an error of one line, or in a file
// that is valid or refused as a whole.
func FuzzTags(f *testing.F) {
	for _, v := range []string{"65001", "0", "-1", "99999999999999999999", "169.254.64.7", "169.254.64.0", "169.254.127.255", "1\n2", "::1", "::ffff:169.254.64.7", "169.254.64.7%eth0", "10.0.0.1"} {
		f.Add(v, v, v)
	}
	f.Fuzz(func(t *testing.T, asn, vni, address string) {
		s := hub00()
		for _, vm := range []*azure.VM{&s.VM, &s.NVAs[0]} {
			vm.Tags = map[string]string{"nvad": "site1", tagASN: asn, tagVNI: vni}
		}
		s.NVAs[0].Tags[tagOverlay] = address
		r, _, err := complete(discovery(Discovery{Tag: siteTag}), s, own00)
		if err != nil {
			if len(err.Error()) > 1000 || strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("%q", err)
			}
			return
		}
		p, err := derive(r, "vm", nicOf("10.0.0.4"), "eth0")
		if err != nil {
			return
		}
		if text, err := render(p, "nvad.toml"); err == nil {
			check(t, string(text), p.Tunnel.Addr())
		}
	})
}

// FuzzSnapshot: whatever Resource Manager answers, there is an error, or a file that is valid
// or refused as a whole.
func FuzzSnapshot(f *testing.F) {
	for _, change := range []func(*azure.Snapshot){
		func(*azure.Snapshot) {},
		func(s *azure.Snapshot) { s.RouteServers[0].Addresses = addresses("10.0.210.4", "fd00::1") },
		func(s *azure.Snapshot) { s.RouteServers[0].Addresses = addresses("10.0.210.4", "10.0.210.4") },
		func(s *azure.Snapshot) { s.NVAs[0].Addresses = addresses("::ffff:10.0.0.9", "10.0.0.9") },
		func(s *azure.Snapshot) { s.NVAs[0].Addresses = []netip.Addr{{}} },
		func(s *azure.Snapshot) { s.VNets[0].Space = []netip.Prefix{{}, netip.MustParsePrefix("fd00::/48")} },
		func(s *azure.Snapshot) { s.RouteServers[0].Connections = make([]azure.Connection, 3) },
	} {
		s := hub00()
		change(&s)
		data, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s azure.Snapshot
		if json.Unmarshal(data, &s) != nil {
			return
		}
		r, reg, err := complete(discovery(Discovery{Tag: siteTag, Register: true}), s, own00)
		if err != nil {
			return
		}
		var said strings.Builder
		reg.report(&said)
		nvactl{progress: &said}.note(r, reg)
		p, err := derive(r, s.VM.Name, nicOf("10.0.0.4"), "eth0")
		if err != nil {
			return
		}
		_, _ = render(p, "nvad.toml")
	})
}

// check requires two different addresses within the tunnel's prefix.
func check(t *testing.T, text string, own netip.Addr) {
	t.Helper()
	cfg, err := config.Parse("nvad.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range cfg.Neighbors {
		if overlay.Contains(n.Address) && n.Address == own {
			t.Errorf("the neighbor is the NVA itself:\n%s", text)
		}
	}
	if got := fmt.Sprint(cfg.Tunnels[0].Addresses); !strings.HasSuffix(got, "/18]") {
		t.Errorf("tunnel %s", got)
	}
}
