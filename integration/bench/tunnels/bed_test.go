package tunnels

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// bed is two nvads, each in a namespace, with all tunnels between them at once.
type bed struct {
	*netbed.Bed
	nvads  []int // their process ids
	kernel bool  // encrypts, not nvad
}

// ways are the ways between the two nvads: the address of the second one in each.
var ways = []struct{ name, to string }{
	{"plain VXLAN", "169.254.1.2"},
	{"WireGuard", "169.254.2.2"},
	{"VXLAN in WireGuard", "169.254.3.2"},
	{"no tunnel", "10.0.0.2"},
}

func newBed(t *testing.T) *bed {
	t.Helper()
	lab.RequireRoot(t)
	lab.RequireCommands(t, "iperf3")
	b := &bed{Bed: netbed.New(t, "a", "b")}
	b.Join("a", "eth0", []string{"10.0.0.1/24"}, "b", "eth0", []string{"10.0.0.2/24"})
	keys := map[string]string{}
	for _, name := range []string{"a", "b"} {
		if err := os.MkdirAll(b.Path(name), 0o755); err != nil {
			t.Fatal(err)
		}
		keys[name] = strings.TrimSpace(b.Run(lab.Build(t, "./cmd/nvad"), "public-key", "wg0", "--socket", b.socket(name)))
	}
	b.start("a", 1, 2, keys["b"])
	b.start("b", 2, 1, keys["a"])
	for _, way := range ways {
		b.Eventually(20*time.Second, func() error {
			_, err := netbed.Try(b.Command("a", "ping", "-c", "1", "-W", "0.5", way.to))
			return err
		})
	}
	b.kernel = b.encryptsInKernel()
	return b
}

func (b *bed) socket(name string) string { return b.Path(name + "/nvad.sock") }

// start starts an nvad whose last octet is self.
func (b *bed) start(name string, self, other int, key string) {
	b.Write(name+"/nvad.toml", fmt.Sprintf(`asn = 65001
router-id = "10.0.0.%[1]d"
[[tunnel]]
name = "vxlan0"
vni = 77
device = "eth0"
remotes = ["10.0.0.%[2]d"]
address = "169.254.1.%[1]d/24"
[[tunnel]]
name = "wg0"
type = "wireguard"
public-key = %[3]q
endpoint = "10.0.0.%[2]d:51820"
address = "169.254.2.%[1]d/24"
[[tunnel]]
name = "vxlan1"
vni = 78
device = "wg0"
remotes = ["169.254.2.%[2]d"]
address = "169.254.3.%[1]d/24"
`, self, other, key))
	p := b.Spawn(name, name, lab.Build(b.T, "./cmd/nvad"), "--config", b.Path(name+"/nvad.toml"), "--socket", b.socket(name))
	b.nvads = append(b.nvads, p.Process.Pid)
}

func (b *bed) encryptsInKernel() bool {
	out := b.Run(lab.Build(b.T, "./cmd/nvactl"), "--socket", b.socket("a"), "tunnels", "wg0", "-o", "json")
	var shown struct {
		Wireguard struct{ Userspace bool }
	}
	if err := json.Unmarshal([]byte(out), &shown); err != nil {
		b.T.Fatal(err)
	}
	return !shown.Wireguard.Userspace
}
