package service

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/machine"
)

// TestWireGuardDropIn: the unit opens /dev/net/tun to nobody by default. Where the kernel has no
// WireGuard, the tunnel then says what to do, and with the drop-in of docs/wireguard.md nvad
// encrypts itself.
func TestWireGuardDropIn(t *testing.T) {
	t.Parallel()
	lab.RequireRoot(t)
	lab.RequireCommands(t, "make", "dpkg-deb")
	b := newWireGuardBed(t)
	b.tunnelSays(b.unaided())
	if got := b.Sh(t, "systemctl is-active nvad; ls /proc/"+b.pid()+"/root/dev/net/tun 2>&1 || true"); !strings.HasPrefix(got, "active\n") || !strings.Contains(got, "No such file") {
		t.Errorf("the unit without the drop-in: %s", got)
	}
	b.Logf("without the drop-in: %s", b.exposure())

	b.Put(t, "/etc/systemd/system/nvad.service.d/tun.conf", documentedDropIn(t))
	b.Sh(t, "chmod 666 /dev/net/tun") // as udev's rules do, which a container does not run
	b.Sh(t, "systemctl daemon-reload; systemctl restart nvad")
	b.tunnelSays(`"state": "up"`)
	b.Sh(t, "ping -c 3 -i 0.2 -W 2 169.254.0.2")
	b.Logf("with the drop-in: %s", b.exposure())
	if got := b.Sh(t, "systemctl show -p DevicePolicy -p DeviceAllow nvad"); !strings.Contains(got, "closed") || !strings.Contains(got, "/dev/net/tun rw") {
		t.Errorf("devices that the unit may use: %s", got)
	}
}

// newWireGuardBed is a machine with the package and a tunnel to an nvad in another namespace.
func newWireGuardBed(t *testing.T) *bed {
	t.Helper()
	n := netbed.New(t, "nva", "far")
	b := &bed{T: t, net: n}
	n.Join("nva", "eth0", nil, "far", "eth0", []string{"10.0.0.1/24"})
	b.Machine = machine.Make(t, machine.Options{Name: "vm-hub00", Namespace: n.NS("nva")})
	b.Put(t, "/etc/systemd/network/10-eth0.network", machine.Networkd("10.0.0.4/24"))
	b.Boot(t)
	b.install("1.0.0")

	far := strings.TrimSpace(n.Run(lab.Build(t, "./cmd/nvad"), "public-key", "wg0", "--socket", n.Path("far.sock")))
	near := strings.TrimSpace(b.Exec(t, "nvad", "public-key", "wg0"))
	n.Write("far.toml", wireGuardFile("10.0.0.1", near, "10.0.0.4", "169.254.0.2"))
	n.Nvad("far", "far")
	b.Put(t, "/etc/nvad/nvad.toml", wireGuardFile("10.0.0.4", far, "10.0.0.1", "169.254.0.1"))
	b.Exec(t, "systemctl", "start", "nvad")
	return b
}

func wireGuardFile(router, key, endpoint, address string) string {
	return fmt.Sprintf(`asn = 65001
router-id = %q
[[tunnel]]
name = "wg0"
type = "wireguard"
public-key = %q
endpoint = "%s:51820"
address = "%s/30"
`, router, key, endpoint, address)
}

// unaided returns what the tunnel says without the drop-in: what to do, unless the kernel has
// WireGuard.
func (b *bed) unaided() string {
	b.Helper()
	attributes := netlink.NewLinkAttrs()
	attributes.Name = "probe"
	err := lab.WithinNamespace(b.net.NS("far"), func() error { return netlink.LinkAdd(&netlink.Wireguard{LinkAttrs: attributes}) })
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		return "allow nvad /dev/net/tun with the drop-in in docs/wireguard.md"
	case err != nil:
		b.Fatal(err)
	}
	return `"state": "up"`
}

// tunnelSays waits until what nvactl says of the tunnel contains a text.
func (b *bed) tunnelSays(want string) {
	b.Helper()
	lab.Eventually(b.T, patience, func() error {
		out, err := b.Output(b.Context(), "nvactl", "tunnels", "wg0", "-o", "json")
		if err == nil && !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			err = fmt.Errorf("%q is not in %s", want, out)
		}
		return err
	})
}

// exposure returns systemd's judgement of the unit with its drop-ins.
func (b *bed) exposure() string {
	b.Helper()
	return strings.TrimSpace(b.Sh(b.T, "systemd-analyze security --no-pager nvad.service | tail -1"))
}

// documentedDropIn returns the drop-in that docs/wireguard.md shows.
func documentedDropIn(t *testing.T) string {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "wireguard.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n    [Service]\n")
	block, _, end := strings.Cut(rest, "\n\n")
	if !found || !end {
		t.Fatal("docs/wireguard.md shows no drop-in")
	}
	return "[Service]\n" + strings.ReplaceAll(strings.TrimSpace(block), "\n    ", "\n") + "\n"
}
