package reload

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

const ourASN = 65001

var (
	ourAddress = netip.MustParseAddr("10.0.0.4")
	// sources are the preferred source addresses that the policies set.
	sources = [2]string{ourAddress.String(), "10.0.0.8"}
)

// bed is nvad in a namespace that one link connects to its neighbors' namespace.
type bed struct {
	*netbed.Bed
	daemon *netbed.Process
}

// newBed creates the namespaces and runs nvad with a configuration.
func newBed(t *testing.T, config string) *bed {
	t.Helper()
	b := &bed{Bed: netbed.New(t, "nvad", "peers")}
	b.Join("nvad", "eth0", []string{sources[0] + "/24", sources[1] + "/24"},
		"peers", "eth0", []string{"10.0.0.1/24", "10.0.0.2/24", "10.0.0.5/24", "10.0.0.6/24"})
	b.Write("nvad.toml", config)
	b.daemon = b.Nvad("nvad", "nvad")
	return b
}

// reload makes nvad read its file again, by signal or by nvactl.
func (b *bed) reload(bySignal bool) {
	b.Helper()
	if bySignal {
		b.daemon.Signal(syscall.SIGHUP)
		return
	}
	if _, err := b.Nvactl("nvad", "reload"); err != nil {
		b.Fatal(err)
	}
}

// neighbor is an entry of `nvactl neighbors -o json`.
type neighbor struct {
	Address  string
	State    string
	Flaps    int
	EndOfRIB []string `json:"end_of_rib"`
}

func (b *bed) neighbors() (list []neighbor) {
	b.Helper()
	out, err := b.Nvactl("nvad", "neighbors", "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &list)
	}
	if err != nil {
		b.Fatal(err)
	}
	return list
}

// session connects a neighbor.
func (b *bed) session(asn uint32, address netip.Addr, watch func(rawbgp.Update)) *rawbgp.Session {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	s, err := rawbgp.Peer{Local: address, Remote: ourAddress, ASN: asn, Dial: lab.DialFrom(b.NS("peers")), Watch: watch}.Connect(ctx)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}
