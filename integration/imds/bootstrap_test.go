package imds

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/metadata"
	"github.com/nvad/nvad/pkg/config"
)

// TestTwoHubs lets bootstrap write both NVAs' files and nvad run them.
func TestTwoHubs(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for _, hub := range []string{"hub00", "hub10"} {
		b.metadata(t, hub)
		r := b.bootstrap(hub, b.flags(hub, hub+".toml")...).must(t)
		if want := "ok: 3 neighbors, 1 tunnel, 0 static routes"; !strings.Contains(r.out, want) || r.err != "" {
			t.Errorf("it said %q and %q, not %q", r.out, r.err, want)
		}
		b.start(t, hub, filepath.Join(b.dir, hub+".toml"))
	}
	b.settles(t)
	cfg, err := config.Load(filepath.Join(b.dir, "hub10.toml"))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s %s %s %s", cfg.RouterID, cfg.Tunnels[0].Device, cfg.Tunnels[0].Addresses, cfg.Neighbors[0].Address)
	if want := "10.10.0.4 eth0 [169.254.93.6/18] 169.254.108.183"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestTwoNICs: bootstrap writes a table for each NIC that the kernel has and reports the one
// that is missing. nvad then adds the NICs' rules.
func TestTwoNICs(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	vm := b.vm(t, "hub00")
	for i, address := range []string{"10.0.1.4", "10.0.2.4"} {
		mac := net.HardwareAddr{2, 0, 0, 0, byte(os.Getpid()), byte(i)}
		addr := netip.MustParseAddr(address)
		subnet, _ := addr.Prefix(24)
		vm.NICs = append(vm.NICs, metadata.NIC{MAC: mac, Addresses: []netip.Addr{addr}, Subnet: subnet})
	}
	b.Exec(t, "vm-hub00", "ip", "link", "add", "eth1", "address", vm.NICs[1].MAC.String(), "type", "veth", "peer", "name", "far")
	b.Exec(t, "vm-hub00", "ip", "addr", "add", "10.0.1.4/24", "dev", "eth1")
	for _, end := range []string{"eth1", "far"} {
		b.Exec(t, "vm-hub00", "ip", "link", "set", end, "up")
	}
	b.listen(t, "hub00", metadata.New(vm))
	r := b.bootstrap("hub00", b.flags("hub00", "nvad.toml")...).must(t)
	if want := "note: a NIC is left out: no network interface has the MAC address " + vm.NICs[2].MAC.String(); !strings.Contains(r.err, want) {
		t.Errorf("it said %q, not %q", r.err, want)
	}
	file := filepath.Join(b.dir, "nvad.toml")
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(cfg.NICs); len(cfg.NICs) != 2 || cfg.NICs[0].Device != "eth0" || cfg.NICs[1].Device != "eth1" {
		t.Errorf("NICs are %s", got)
	}
	b.start(t, "hub00", file)
	lab.Eventually(t, time.Minute, func() error {
		rules := b.Exec(t, "vm-hub00", "ip", "rule", "show", "pref", "168")
		for _, want := range []string{"from 10.0.0.4 to 168.63.129.16 lookup 16800", "from 10.0.1.4 to 168.63.129.16 lookup 16801"} {
			if !strings.Contains(rules, want) {
				return fmt.Errorf("no %q in\n%s", want, rules)
			}
		}
		return nil
	})
}

// TestFile follows one file: bootstrap writes it, finds it unchanged, writes it again, and
// leaves it alone once somebody has edited it.
func TestFile(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.metadata(t, "hub00")
	file := filepath.Join(b.dir, "nvad.toml")
	flags := b.flags("hub00", "nvad.toml")
	dry := b.bootstrap("hub00", append(flags, "--dry-run")...).must(t)
	if _, err := os.Stat(file); err == nil {
		t.Error("--dry-run wrote")
	}
	b.bootstrap("hub00", flags...).must(t)
	first := read(t, file)
	if first != dry.out {
		t.Errorf("--dry-run printed\n%sthe file contains\n%s", dry.out, first)
	}
	if st, _ := os.Stat(file); st.Mode() != 0o640 {
		t.Errorf("mode %v", st.Mode())
	}
	if r := b.bootstrap("hub00", flags...).must(t); !strings.Contains(r.out, ": unchanged") || read(t, file) != first {
		t.Errorf("the second time it said %q", r.out)
	}
	b.bootstrap("hub00", append(flags, "--asn", "65010")...).must(t)
	if !strings.Contains(read(t, file), "asn       = 65010") {
		t.Error("bootstrap did not update its own file")
	}
	edited := read(t, file) + "# mine\n"
	if err := os.WriteFile(file, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	r := b.bootstrap("hub00", flags...)
	for _, w := range []string{file, "changed since", "--dry-run", "move it away"} {
		if !strings.Contains(r.err, w) {
			t.Errorf("no %q in %q", w, r.err)
		}
	}
	if r.code != 1 || read(t, file) != edited {
		t.Errorf("exit code %d, or a changed file was overwritten", r.code)
	}
	left, _ := filepath.Glob(filepath.Join(b.dir, ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestMetadataErrors covers the service's failures, temporary and permanent.
func TestMetadataErrors(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	file := filepath.Join(b.dir, "nvad.toml")
	flags := b.flags("hub00", "nvad.toml")
	b.bootstrap("hub00", append(flags, "--wait", "2s")...).refused(t, file, "no answer from 169.254.169.254", "primary NIC")
	s := b.metadata(t, "hub00")
	for _, status := range []int{404, 410, 429, 500} {
		lasting := make([]metadata.Fault, 3)
		for i := range lasting {
			lasting[i].Status = status
		}
		s.Fail(lasting[:2]...)
		b.bootstrap("hub00", append(flags, "--wait", "1s")...).refused(t, file, fmt.Sprint("/instance: ", status))
		r := b.bootstrap("hub00", flags...).must(t)
		if want := fmt.Sprint("/instance: ", status); strings.Count(r.err, want) != 1 || !strings.Contains(r.err, "asking again in 1s") {
			t.Errorf("%d: it said %q", status, r.err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSlowStart: the service comes up while bootstrap waits, and answers slowly.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := metadata.New(b.vm(t, "hub00"))
	s.Fail(metadata.Fault{Delay: 2 * time.Second})
	var up sync.Once
	r := b.watched(func(string) { up.Do(func() { b.listen(t, "hub00", s) }) }, "hub00", b.flags("hub00", "nvad.toml")...).must(t)
	if !strings.Contains(r.err, "connection refused; asking again") {
		t.Errorf("it said %q", r.err)
	}
}

// TestRefuses: the error names the flag that is wrong, and nothing is written.
func TestRefuses(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.metadata(t, "hub00")
	file := filepath.Join(b.dir, "nvad.toml")
	for want, flags := range map[string]string{
		"no one to peer with":         "",
		"half of the traffic":         "--route-server 10.0.210.4",
		"there are 3 addresses":       "--route-server 10.0.210.4,10.0.210.5,10.0.210.6",
		"10.0.210.4 is there twice":   "--route-server 10.0.210.4,10.0.210.4",
		`--route-server: "rs"`:        "--route-server rs,10.0.210.5",
		`--remote-nva: "far"`:         "--remote-nva far",
		"10.10.0.4 is there twice":    "--remote-nva 10.10.0.4,10.10.0.4",
		"needs --tunnel-address":      "--remote-nva 10.10.0.4=169.254.0.2",
		"--remote-nva 10.10.0.4=ADD":  "--remote-nva 10.10.0.4 --tunnel-address 169.254.0.1/24",
		"--vnet: 10.0.0.1/16":         "--remote-nva 10.10.0.4 --vnet 10.0.0.1/16",
		"no one to peer with; set":    "--vnet 10.0.0.0/16",
		"--register: needs":           "--route-server 10.0.210.4,10.0.210.5 --register",
		"--tag: needs --from-azure":   "--route-server 10.0.210.4,10.0.210.5 --tag a=b",
		"--nvas: needs --tag":         "--from-azure --nvas 2",
		"--client-id: needs":          "--route-server 10.0.210.4,10.0.210.5 --client-id id",
		"--asn: 0 is":                 "--from-azure --asn 0",
		"--route-server: \"far\" is":  "--from-azure --route-server far,near",
		"does not peer with AS 65515": "--route-server 10.0.210.4,10.0.210.5 --asn 65515",
	} {
		args := append(strings.Fields(flags), "--output", file)
		b.bootstrap("hub00", args...).refused(t, file, want)
	}
	if n := s.Requests(); n != 1 {
		t.Errorf("the service got %d requests, want 1: wrong flags have to be found first", n)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
