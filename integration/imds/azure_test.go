package imds

import (
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/azure"
)

// standIn is an nvactl that answers with a file and notes what it was asked.
type standIn struct{ dir string }

// standIn puts nvad and a stand-in for nvactl beside each other, and makes the bed use that
// nvad.
func (b *bed) standIn(t *testing.T) standIn {
	t.Helper()
	s := standIn{t.TempDir()}
	script := "#!/bin/sh\necho \"$*\" >>" + s.dir + "/calls\n[ $2 = register ] || cat " + s.dir + "/snapshot\n"
	if err := os.WriteFile(filepath.Join(s.dir, "nvactl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", b.nvad, s.dir+"/nvad").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.nvad = filepath.Join(s.dir, "nvad")
	return s
}

// says makes the stand-in answer with a snapshot from now on.
func (s standIn) says(t *testing.T, snapshot azure.Snapshot) {
	t.Helper()
	data, err := json.Marshal(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "snapshot"), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// registered returns how often something was registered.
func (s standIn) registered(t *testing.T) int {
	t.Helper()
	return strings.Count(read(t, filepath.Join(s.dir, "calls")), "azure register --route-server rs --name vm-hub00 --peer 10.0.0.4 --asn 65001 ")
}

// snapshot returns Azure's answers at vm-hub00 before anything is registered.
func snapshot() azure.Snapshot {
	tags := map[string]string{"nvad": "site1"}
	own := []netip.Addr{netip.MustParseAddr("10.0.0.4")}
	return azure.Snapshot{
		VM:           azure.VM{ID: "vm", Name: "vm-hub00", Tags: tags, Addresses: own, VNet: "vnet"},
		NVAs:         []azure.VM{{ID: "far", Name: "vm-hub10", Tags: tags, Addresses: []netip.Addr{netip.MustParseAddr("10.10.0.4")}}},
		NICs:         []azure.NIC{{ID: "nic", VM: "vm", Addresses: own, IPForwarding: true}},
		VNets:        []azure.VNet{{ID: "vnet", Space: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}},
		RouteServers: []azure.RouteServer{{ID: "rs", Name: "rs-hub00", VNet: "vnet", Addresses: []netip.Addr{netip.MustParseAddr("10.0.210.4"), netip.MustParseAddr("10.0.210.5")}}},
	}
}

// TestFromAzure follows an NVA that is given nothing but a tag: its first run, a second one,
// another NVA that joins, and a file that somebody has edited.
func TestFromAzure(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.metadata(t, "hub00")
	azure := b.standIn(t)
	azure.says(t, snapshot())
	file := filepath.Join(b.dir, "nvad.toml")
	flags := []string{"--from-azure", "--register", "--tag", "nvad=site1", "--output", file, "--wait", "20s"}

	dry := b.bootstrap("hub00", append(flags, "--dry-run")...).must(t)
	if _, err := os.Stat(file); err == nil || azure.registered(t) > 0 || !strings.Contains(dry.err, "would register: 10.0.0.4, AS 65001, as peer vm-hub00 of Route Server rs-hub00") {
		t.Errorf("--dry-run: registered %d times, %v, said %q", azure.registered(t), err, dry.err)
	}
	b.bootstrap("hub00", flags...).must(t)
	first := read(t, file)
	if first != dry.out || azure.registered(t) != 1 {
		t.Errorf("registered %d times; --dry-run printed\n%sthe file contains\n%s", azure.registered(t), dry.out, first)
	}
	if r := b.bootstrap("hub00", flags...).must(t); !strings.Contains(r.out, ": unchanged") || read(t, file) != first {
		t.Errorf("the second time it said %q", r.out)
	}

	more := snapshot()
	third := more.NVAs[0]
	third.ID, third.Name, third.Addresses = "third", "vm-hub20", []netip.Addr{netip.MustParseAddr("10.20.0.4")}
	more.NVAs = append(more.NVAs, third)
	azure.says(t, more)
	b.bootstrap("hub00", flags...).must(t)
	joined := read(t, file)
	for _, line := range []string{"# vm-hub10 (10.10.0.4) is 169.254.93.6.", "# vm-hub20 (10.20.0.4) is 169.254.77.85.", `address = "169.254.108.183/18"`} {
		if !strings.Contains(joined, line) {
			t.Errorf("no %s in\n%s", line, joined)
		}
	}
	for line := range strings.Lines(first) { // what was there is as it was
		if strings.HasPrefix(line, "address") && !strings.Contains(joined, line) {
			t.Errorf("%s is gone", line)
		}
	}

	if err := os.WriteFile(file, []byte(joined+"# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := azure.registered(t)
	r := b.bootstrap("hub00", flags...)
	if r.code != 1 || !strings.Contains(r.err, "changed since") || azure.registered(t) != before || read(t, file) != joined+"# mine\n" {
		t.Errorf("an edited file: exit code %d, registered %d times, said %q", r.code, azure.registered(t)-before, r.err)
	}
}
