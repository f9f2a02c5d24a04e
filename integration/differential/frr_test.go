package differential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"testing"

	"github.com/nvad/nvad/integration/frrouting"
	"github.com/nvad/nvad/integration/rivals"
)

// frr is a version of FRR, with its sockets in the bed's directory.
type frr struct {
	*bed
	version rivals.Rival
}

// frrPreamble makes FRR log every route-map decision, from which the hits are counted, and
// removes the second for which FRR waits for more updates to send.
const frrPreamble = `log file %s debugging
debug route-map
`

// neighborLine matches the line that begins a neighbor in FRR's configuration.
var neighborLine = regexp.MustCompile(`(?m)^ ?neighbor (\S+) remote-as \d+$`)

// startFRR starts FRR. Only the neighbors dial: if FRR dials too, it may clear a session that
// has just come up, see integration/interop.
func startFRR(t *testing.T, version rivals.Rival, b *bed, config string) daemon {
	t.Helper()
	f := &frr{b, version}
	err := frrouting.Start(version, b.Dir, []string{"zebra", "staticd", "bgpd"}, frrouting.Unconfigured, func(name string, argv ...string) error {
		b.Spawn(ours, name, argv...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	file := b.Write("frr.conf", fmt.Sprintf(frrPreamble, f.log())+neighborLine.ReplaceAllString(config, "$0\n neighbor $1 passive"))
	// If FRR rejects a line, the case is wrong. Without this check that would look like a
	// difference.
	out, err := b.Command(ours, frrouting.Vtysh(version, b.Dir, "-f", file)...).CombinedOutput()
	if err != nil || bytes.ContainsAny(out, "%") || bytes.Contains(out, []byte("Unknown command")) {
		t.Fatalf("FRR does not take %s: %v\n%s", file, err, out)
	}
	return f
}

func (f *frr) name() string   { return f.version.Title }
func (f *frr) bedOf() *bed    { return f.bed }
func (f *frr) config() string { return f.Path("frr.conf") }
func (f *frr) log() string    { return f.Path("frr.log") }

func (f *frr) vtysh(t *testing.T, into any, command string) {
	t.Helper()
	out := f.In(ours, frrouting.Vtysh(f.version, f.Dir, "-c", command)...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func (f *frr) heardAll(t *testing.T, from netip.Addr) error {
	t.Helper()
	var neighbors map[string]struct {
		GracefulRestartInfo struct {
			EndOfRibRecv map[string]bool `json:"endOfRibRecv"`
		} `json:"gracefulRestartInfo"`
	}
	f.vtysh(t, &neighbors, fmt.Sprintf("show bgp neighbors %s json", from))
	for _, received := range neighbors[from.String()].GracefulRestartInfo.EndOfRibRecv {
		if received {
			return nil
		}
	}
	return fmt.Errorf("FRR has not read all of %s", from)
}

func (f *frr) table(t *testing.T) []path {
	t.Helper()
	var out struct {
		Routes map[netip.Prefix][]struct {
			PeerID                     string
			Valid, Bestpath, Multipath bool
			Weight                     uint32
		}
	}
	f.vtysh(t, &out, "show bgp ipv4 unicast json")
	var paths []path
	for prefix, list := range out.Routes {
		for _, r := range list {
			peer := r.PeerID
			if peer == "(unspec)" {
				peer = local
			}
			paths = append(paths, path{prefix, peer, r.Valid, r.Bestpath, r.Multipath, r.Weight})
		}
	}
	return paths
}
