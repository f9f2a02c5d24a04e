package lifecycle

import (
	"fmt"
	"os"
	"strings"
	"testing"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// Addresses on the link between the two namespaces. Each FRR instance listens on its own.
const (
	ourAddress = "10.0.0.4"
	peer1      = "10.0.0.1"
	peer2      = "10.0.0.2"
)

// bed is two joined network namespaces, one for nvad and one for its neighbors.
type bed struct {
	*netbed.Bed
	ours   string // nvad's namespace
	theirs string
	socket string
	config string
}

// newBed creates a bed.
func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{Bed: netbed.New(t, "ours", "theirs"), ours: "ours", theirs: "theirs"}
	lab.Build(t, "./cmd/nvad")
	lab.Build(t, "./cmd/nvactl")
	b.socket, b.config = b.Path("run/nvad.sock"), b.Path("nvad.toml")
	if err := os.Mkdir(b.Path("run"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.connect()
	return b
}

// connect connects the two namespaces with a veth pair, and waits until its carrier is there,
// which on a busy machine comes later than the devices.
func (b *bed) connect() {
	b.Helper()
	b.Join(b.ours, "eth0", []string{ourAddress + "/24"}, b.theirs, "eth0", []string{peer1 + "/24", peer2 + "/24"})
	b.Eventually(patience, func() error { return contains(b.ip("link show eth0"), "state UP") })
}

// ip runs ip(8) in nvad's namespace.
func (b *bed) ip(args string) string {
	b.Helper()
	return b.IP(b.ours, args)
}

// contains returns an error unless text contains all of want.
func contains(text string, want ...string) error {
	for _, w := range want {
		if !strings.Contains(text, w) {
			return fmt.Errorf("%q is not in:\n%s", w, text)
		}
	}
	return nil
}

// must marks the test as failed if there is an error, and lets it continue.
func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Error(err)
	}
}
