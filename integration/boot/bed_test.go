package boot

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/machine"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// patience is the limit for everything that takes seconds on an idle host.
const patience = 90 * time.Second

// nva is an NVA: what Azure knows about it, and its machine.
type nva struct {
	hub, userData    string
	address, gateway netip.Addr
	store            string // VM that serves the package
	values           map[string]string
	*machine.Machine
}

// bed is the two hubs.
type bed struct {
	*lab.Lab
	hub00, hub10 *nva
}

// key is the TCP-MD5 key of both NVAs.
const key = "a key of this test"

// newBed builds the hubs with Azure's services in them, and the machines, which are off. The
// VMs' identities have a role, and the machines the user-data of these files.
func newBed(t *testing.T, role, hub00, hub10 string) bed {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	l := lab.Up(t, lab.Options{
		Scenario: "azure-from-nothing", Manager: true, Role: role,
		NVAs: map[string]lab.NVA{"vm-hub00": {Kind: lab.None}, "vm-hub10": {Kind: lab.None}},
	})
	b := bed{
		l,
		&nva{hub: "hub00", userData: hub00, address: netip.MustParseAddr("10.0.0.4"), store: "10.0.0.5"},
		&nva{hub: "hub10", userData: hub10, address: netip.MustParseAddr("10.10.0.4"), store: "10.10.0.5"},
	}
	for _, n := range b.nvas() {
		b.furnish(t, n, root)
	}
	return b
}

func (b bed) nvas() []*nva { return []*nva{b.hub00, b.hub10} }

// operator returns the file of the role that NVAs need.
func operator(t *testing.T) string {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "configs/azure/role-operator.json")
}

// configuration returns the file of an NVA that nobody bootstraps, beside one that bootstrap
// has configured.
func configuration(t *testing.T, root string) []byte {
	t.Helper()
	toml, err := os.ReadFile(filepath.Join(root, "configs/hub10.toml"))
	if err != nil {
		t.Fatal(err)
	}
	near := "address       = \"169.254.108.183\"\n"
	return []byte(strings.NewReplacer("169.254.0.2/24", "169.254.93.6/18", "address       = \"169.254.0.1\"\n", near+"password = \""+key+"\"\n").Replace(string(toml)))
}

// furnish adds to a hub the server of the package, and creates the machine.
func (b bed) furnish(t *testing.T, n *nva, root string) {
	t.Helper()
	subnet, _ := n.address.Prefix(24)
	n.gateway = subnet.Addr().Next()
	vm := "vm-" + n.hub
	mac, err := net.ParseMAC(strings.TrimSpace(b.Exec(t, vm, "cat", "/sys/class/net/eth0/address")))
	if err != nil {
		t.Fatal(err)
	}
	deb := machine.Deb(t, "1.0.0")
	values := map[string]string{
		"package_url": "http://" + n.store + "/" + filepath.Base(deb), "package_sha256": sum(t, deb),
		"repository_url": "", "repository_key": "", "package_version": "",
		"nva_tag": "nvad=rg-nva", "nvas": "2", "nva_key": base64.StdEncoding.EncodeToString([]byte(key)),
		"nva_tunnel": "vxlan", "nvad_toml": base64.StdEncoding.EncodeToString(configuration(t, root)),
	}

	store := filepath.Dir(deb)
	if n == b.hub10 { // whatever the user-data, one of the hubs uses a repository
		store = machine.NewSigner(t).Repository(t, deb)
		repositoryKey, err := os.ReadFile(filepath.Join(store, "nvad.gpg"))
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(values, map[string]string{
			"package_url": "", "package_sha256": "", "package_version": "1.0.0",
			"repository_url": "http://" + n.store, "repository_key": base64.StdEncoding.EncodeToString(repositoryKey),
		})
	}
	b.serve(t, vm+"-b", n.store+":80", http.FileServer(http.Dir(store)))

	n.Machine = machine.Make(t, machine.Options{Name: vm, Namespace: b.Namespace(vm)})
	text, err := os.ReadFile(filepath.Join(root, "configs/cloud-init", n.userData))
	if err != nil {
		t.Fatal(err)
	}
	seed := "/var/lib/cloud/seed/nocloud/"
	n.Put(t, seed+"meta-data", "instance-id: "+vm+"\nlocal-hostname: "+vm+"\n")
	n.Put(t, seed+"user-data", fill(t, string(text), values))
	n.Put(t, seed+"network-config", n.network(mac))
	// The root has neither locales nor an SSH server, so other modules would fail.
	n.Put(t, "/etc/cloud/cloud.cfg.d/90_nocloud.cfg", "datasource_list: [NoCloud]\ncloud_init_modules: [write-files, set_hostname, users-groups]\ncloud_config_modules: [runcmd]\n")
	n.trust(t, b.Lab)
}

// trust lets the machine find the emulated Azure under Azure's names, and trust it as other
// machines trust Azure.
func (n *nva) trust(t *testing.T, l *lab.Lab) {
	t.Helper()
	n.Put(t, "/etc/hosts", l.HostsFile()+"127.0.1.1 vm-"+n.hub+"\n")
	const bundle = "/etc/ssl/certs/ca-certificates.crt"
	var certificates []byte
	for _, file := range []string{filepath.Join(n.Root(), bundle), l.Certificate()} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		certificates = append(certificates, data...)
	}
	n.Put(t, bundle, string(certificates))
}

// network returns a netplan file with the settings that Azure's DHCP gives a VM: one
// address, a default route and two host routes.
func (n *nva) network(mac net.HardwareAddr) string {
	return fmt.Sprintf(`version: 2
ethernets:
  eth0:
    match: {macaddress: "%s"}
    set-name: eth0
    addresses: [%s/24]
    routes:
      - {to: 0.0.0.0/0, via: %[3]s, metric: 100}
      - {to: 168.63.129.16/32, via: %[3]s, metric: 100}
      - {to: 169.254.169.254/32, via: %[3]s, metric: 100}
`, mac, n.address, n.gateway)
}

// fill replaces placeholders in dollar braces, as Bicep does.
func fill(t *testing.T, text string, values map[string]string) string {
	t.Helper()
	for name, value := range values {
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	if strings.Contains(text, "${") {
		t.Fatalf("not all is filled in:\n%s", text)
	}
	return text
}

func sum(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// serve answers HTTP in the namespace of a node until the test ends.
func (b bed) serve(t *testing.T, node, address string, handler http.Handler) {
	t.Helper()
	var l net.Listener
	err := b.Within(node, func() (err error) {
		l, err = net.Listen("tcp4", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go http.Serve(l, handler)
}

// reach waits until traffic passes in both directions between the outer VNets.
func (b bed) reach(t *testing.T) {
	t.Helper()
	lab.Eventually(t, patience, func() error {
		for _, w := range ways {
			if _, err := b.Output(w.from, "ping", "-c", "1", "-W", "0.3", w.address); err != nil {
				return fmt.Errorf("%s does not reach %s: %w", w.from, w.to, err)
			}
		}
		return nil
	})
}

// settled waits until an NVA is in sync with all of its neighbors.
func (n *nva) settled(t *testing.T) {
	t.Helper()
	lab.Eventually(t, patience, func() error {
		out, err := n.Output(t.Context(), "nvactl", "status")
		if err != nil {
			return err
		}
		if !strings.Contains(out, "3 of 3 established") || !strings.Contains(out, "In sync    yes") {
			return fmt.Errorf("%s is not settled:\n%s", n.hub, out)
		}
		return nil
	})
}

// output returns what the machine's user-data has printed so far.
func (n *nva) output() string {
	text, _ := os.ReadFile(filepath.Join(n.Root(), "var/log/cloud-init-output.log"))
	return string(text)
}

// initialised waits for cloud-init to finish, which must not report an error.
func (n *nva) initialised(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if out, err := n.Output(ctx, "cloud-init", "status", "--wait", "--long"); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, n.output())
	}
}
