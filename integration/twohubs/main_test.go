package twohubs

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/router"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// pair says which software runs at the near end, hub00, and at the far end, hub10.
type pair struct{ near, far lab.Kind }

// pairs are the combinations that have to work.
var pairs = []pair{
	{lab.FRR, lab.FRR},
	{lab.Nvad, lab.Nvad},
	{lab.Nvad, lab.FRR},
	{lab.Nvad, lab.BIRD},
}

// newer are the pairs with newer versions, which run the article alone.
var newer = []pair{
	{lab.Nvad, lab.FRR10},
	{lab.Nvad, lab.BIRD2},
	{lab.Nvad, lab.BIRD3},
}

func (p pair) String() string { return fmt.Sprintf("%s+%s", p.near, p.far) }

// up builds the lab with a pair of NVAs.
func (p pair) up(t *testing.T, o lab.Options) *lab.Lab {
	t.Helper()
	lab.RequireRoot(t)
	o.NVAs = map[string]lab.NVA{"hub00": spec(t, "hub00", p.near), "hub10": spec(t, "hub10", p.far)}
	return lab.Up(t, o)
}

func spec(t *testing.T, vnet string, kind lab.Kind) lab.NVA {
	t.Helper()
	if kind != lab.Nvad {
		return lab.NVA{Kind: kind}
	}
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return lab.NVA{
		Kind:   kind,
		Binary: lab.Build(t, "./cmd/nvad"),
		Config: filepath.Join(root, "configs", vnet+".toml"),
	}
}

// side is one hub as seen from its NVA.
type side struct {
	vnet, nva, vm       string
	address, far        netip.Addr
	own, behind, beyond string
	gateway, tunnel     string
	routeServer         [2]netip.Addr // its instances
}

// The two sides mirror each other. behind is the VNet at the end of the hub's own circuit,
// beyond the one at the end of the other hub's circuit.
var (
	near = side{
		vnet: "hub00", nva: "vm-hub00", vm: "vm-hub100",
		address: netip.MustParseAddr("10.0.0.4"), far: netip.MustParseAddr("10.10.0.4"),
		own: "10.0.0.0/16", behind: "10.100.0.0/16", beyond: "10.110.0.0/16",
		gateway: "10.0.0.1", tunnel: "169.254.0.2",
		routeServer: [2]netip.Addr{netip.MustParseAddr("10.0.210.4"), netip.MustParseAddr("10.0.210.5")},
	}
	far = side{
		vnet: "hub10", nva: "vm-hub10", vm: "vm-hub110",
		address: netip.MustParseAddr("10.10.0.4"), far: netip.MustParseAddr("10.0.0.4"),
		own: "10.10.0.0/16", behind: "10.110.0.0/16", beyond: "10.100.0.0/16",
		gateway: "10.10.0.1", tunnel: "169.254.0.1",
		routeServer: [2]netip.Addr{netip.MustParseAddr("10.10.210.4"), netip.MustParseAddr("10.10.210.5")},
	}
)

const (
	vm100 = "10.100.0.4"
	vm110 = "10.110.0.4"
)

// returnTime is how soon traffic is back after the cause of a failure has ended.
const returnTime = 5 * time.Second

// convergeTime is how long a lab may take to settle. FRR's first session can take half a
// minute on a busy machine. Nothing is measured by it.
const convergeTime = 90 * time.Second

// ping sends one packet and returns an error if there is no answer.
func ping(l *lab.Lab, vm, to string) error {
	_, err := l.Output(vm, "ping", "-c", "1", "-W", "0.3", to)
	return err
}

// converge waits until both directions work and the routes are programmed in both VNets.
func converge(t *testing.T, l *lab.Lab) {
	t.Helper()
	l.AwaitSessions(t, convergeTime)
	lab.Eventually(t, convergeTime, func() error {
		if err := ping(l, "vm-hub100", vm110); err != nil {
			return err
		}
		return ping(l, "vm-hub110", vm100)
	})
}

// find returns the route for a prefix.
func find(routes []router.Route, prefix string) (router.Route, bool) {
	for _, r := range routes {
		if r.Prefix.String() == prefix {
			return r, true
		}
	}
	return router.Route{}, false
}

// lines splits a command's output into trimmed lines.
func lines(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}
