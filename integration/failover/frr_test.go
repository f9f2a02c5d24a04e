package failover

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

const frrDir = "/usr/lib/frr/"

// frrDaemon is FRR as Debian ships it, its sockets in the bed's own directory.
var frrDaemon = daemon{
	name: "FRR", objects: true,
	require: func(t *testing.T) { lab.RequireCommands(t, frrDir+"zebra", frrDir+"bgpd", frrDir+"bfdd") },
	prepare: prepareFRR,
	start:   startFRR,
}

// prepareFRR writes a file for each daemon: none takes another's lines.
func prepareFRR(b *bed, c setup) {
	b.Helper()
	var w strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	p("router bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy", dutASN, dutID)
	for _, n := range c.neighbors {
		p(" neighbor %s remote-as %d", n.address, n.asn)
		if c.bfd > 0 {
			p(" neighbor %s bfd profile nva", n.address)
		}
	}
	p(" address-family ipv4 unicast")
	for _, n := range c.neighbors {
		p("  neighbor %s route-map nothing out", n.address)
	}
	p(" exit-address-family\nexit\nroute-map nothing deny 10")
	b.write("bgpd.conf", w.String())
	b.write("zebra.conf", "")
	w.Reset()
	if ms := c.bfd.Milliseconds(); ms > 0 {
		p("bfd\n profile nva\n  transmit-interval %d\n  receive-interval %d\n  detect-multiplier 3\n exit\nexit", ms, ms)
	}
	b.write("bfdd.conf", w.String())
	ownedByFRR(b)
}

// startFRR starts the daemons, each once the one before has its socket: zebra
// must be there first.
func startFRR(b *bed) (list []*process) {
	b.Helper()
	for _, name := range []string{"zebra", "bfdd", "bgpd"} {
		vty := filepath.Join(b.dir, name+".vty")
		if err := os.RemoveAll(vty); err != nil {
			b.Fatal(err)
		}
		argv := []string{
			frrDir + name, "-f", filepath.Join(b.dir, name+".conf"), "-i", filepath.Join(b.dir, name+".pid"),
			"--vty_socket", b.dir, "-z", filepath.Join(b.dir, "zserv.api"), "-A", "127.0.0.1", "-P", "0",
		}
		if name == "bfdd" {
			argv = append(argv, "--bfdctl", filepath.Join(b.dir, "bfdd.sock"))
		}
		list = append(list, b.spawn("dut", name, argv...))
		b.exists(vty)
	}
	return list
}

// ownedByFRR gives the bed's directory to the user that FRR's daemons become.
func ownedByFRR(b *bed) {
	b.Helper()
	u, err := user.Lookup("frr")
	if err != nil {
		b.Fatalf("is FRR installed? %v", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		b.Fatal(err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.Chown(b.dir, uid, gid); err != nil {
		b.Fatal(err)
	}
}
