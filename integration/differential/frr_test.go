package differential

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// frr is FRR as Debian ships it, its sockets in the bed's own directory.
type frr struct{ *bed }

// frrDir is where Debian has the daemons.
const frrDir = "/usr/lib/frr/"

// frrPreamble has the route-map of every decision logged, of which the hits are
// counted, and saves the second for which FRR waits for more to send.
const frrPreamble = `log file %s debugging
debug route-map
`

func startFRR(t *testing.T, b *bed, config string) daemon {
	t.Helper()
	f := &frr{b}
	own(t, b.dir)
	for _, name := range []string{"zebra", "staticd", "bgpd"} {
		b.start(t, frrDir+name, "-f", os.DevNull, "-i", filepath.Join(b.dir, name+".pid"),
			"--vty_socket", b.dir, "-z", filepath.Join(b.dir, "zserv.api"), "-A", "127.0.0.1", "-P", "0")
		awaitSocket(t, filepath.Join(b.dir, name+".vty"))
	}
	file := filepath.Join(b.dir, "frr.conf")
	text := fmt.Sprintf(frrPreamble, f.log()) + config
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	// A line that FRR does not take is a mistake of the case, which would
	// otherwise pass for a difference.
	out := b.exec(t, "vtysh", "--vty_socket", b.dir, "-f", file)
	if strings.Contains(out, "%") || strings.Contains(out, "Unknown command") {
		t.Fatalf("FRR does not take %s:\n%s", file, out)
	}
	return f
}

// own gives a directory to the user that FRR's daemons become.
func own(t *testing.T, dir string) {
	t.Helper()
	u, err := user.Lookup("frr")
	if err != nil {
		t.Fatalf("is FRR installed? %v", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
}

func awaitSocket(t *testing.T, path string) {
	t.Helper()
	await(t, 10*time.Second, func() error {
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
		}
		return err
	})
}

func (f *frr) name() string   { return "FRR" }
func (f *frr) bedOf() *bed    { return f.bed }
func (f *frr) config() string { return filepath.Join(f.dir, "frr.conf") }
func (f *frr) log() string    { return filepath.Join(f.dir, "frr.log") }

func (f *frr) vtysh(t *testing.T, into any, command string) {
	t.Helper()
	out := f.exec(t, "vtysh", "--vty_socket", f.dir, "-c", command)
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
