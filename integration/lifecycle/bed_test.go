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

// Addresses on the link between the two namespaces. FRR listens on one of its
// own for each instance.
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

// newBed makes a bed.
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

// connect joins the two namespaces by a veth pair that is up.
func (b *bed) connect() {
	b.Helper()
	b.Join(b.ours, "eth0", []string{ourAddress + "/24"}, b.theirs, "eth0", []string{peer1 + "/24", peer2 + "/24"})
}

// ip runs ip(8) in nvad's namespace.
func (b *bed) ip(args string) string {
	b.Helper()
	return b.IP(b.ours, args)
}

// contains is an error unless text holds all of want.
func contains(text string, want ...string) error {
	for _, w := range want {
		if !strings.Contains(text, w) {
			return fmt.Errorf("%q is not in:\n%s", w, text)
		}
	}
	return nil
}

// must fails the test, but lets it go on, for an error.
func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Error(err)
	}
}
