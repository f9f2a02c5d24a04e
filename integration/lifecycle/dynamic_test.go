package lifecycle

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// listening configures a peer-group whose neighbors connect from the link, and the keys of
// the group besides its ASN.
func listening(lines ...string) string {
	return fmt.Sprintf("asn = 65001\nrouter-id = %q\n[[network]]\nprefix = \"10.20.0.0/16\"\n[peer-group.scale-set]\nremote-asn = \"external\"\n"+
		"import = \"accept\"\nexport = \"accept\"\n%s\n", ourAddress, strings.Join(lines, "\n"))
}

// birdDials starts BIRD as AS 65011 at peer2. It announces prefixes to nvad.
func (b *bed) birdDials(password string, prefixes ...string) (stop func()) {
	b.Helper()
	lab.RequireCommands(b.T, "bird")
	routes := ""
	for _, p := range prefixes {
		routes += "route " + p + " blackhole; "
	}
	conf := b.Write("bird.conf", fmt.Sprintf(`router id %[1]s; log stderr all;
protocol device {}
protocol static { ipv4; %[2]s}
protocol bgp nvad {
	local %[1]s as 65011; neighbor %[3]s as 65001; password %[4]q; strict bind on;
	hold time 9; connect delay time 0; connect retry time 1; error wait time 1, 2; error forget time 1;
	ipv4 { import all; export all; next hop self; };
}
`, peer2, routes, ourAddress, password))
	return b.Spawn(b.theirs, "bird", "bird", "-f", "-c", conf, "-s", b.Path("bird.ctl")).Kill
}

// dynamic waits until exactly these dynamic neighbors are shown, or none.
func (b *bed) dynamic(want ...string) {
	b.Helper()
	b.Eventually(patience, func() error {
		var got []string
		for _, n := range ask[[]struct {
			Address     string
			State       string
			ListenRange string `json:"listen_range"`
		}](b, "neighbors") {
			if n.ListenRange != "" {
				got = append(got, n.Address+" "+n.State)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("dynamic neighbors %v, want %v", got, want)
		}
		return nil
	})
}

// FRR and BIRD connect from a listen-range with its key. They get nvad's routes and nvad
// installs theirs. What nvad keeps of each goes with its session, or with the range.
func TestDynamicNeighbors(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const key = "rosebud"
	b.Write("nvad.toml", listening(`listen-range = ["10.0.0.0/29"]`, `password = "rosebud"`, "listen-limit = 2"))
	f := b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}, password: key, dials: true, graceful: true})
	stopBIRD := b.birdDials(key, "10.110.0.0/16", peer1+"/32")
	b.start()
	b.dynamic(peer1+" Established", peer2+" Established")
	b.routed("10.100.0.0/16", "10.110.0.0/16")
	f.knows("10.20.0.0/16")
	f.knows("10.110.0.0/16", "65001 65011")
	b.must(contains(b.tell("neighbors"), "*"+peer1, "*"+peer2, "* listen-range 10.0.0.0/29 (peer-group scale-set): 2 established, 2 of 2 places taken"))
	b.must(contains(b.tell("neighbors "+peer2), "AS 65011", "10.0.0.0/29 (dynamic neighbor)"))
	b.must(contains(b.tell("explain 10.110.0.0/16"), peer2))
	b.must(contains(b.tell("topology"), "*"+peer2))

	// BIRD also announces FRR's own address. That must not divert FRR's session.
	b.Eventually(patience, func() error {
		return contains(b.tell("explain "+peer1+"/32"), "neighbor "+peer1+" "+peer1+" would leave via "+peer2)
	})
	b.unrouted("\n" + peer1 + " ")

	stopBIRD() // without graceful restart
	b.unrouted("10.110.0.0/16")
	b.dynamic(peer1 + " Established")
	f.misses("10.110.0.0/16")

	f.stop() // with graceful restart: the route stays, and so does the neighbor
	b.Eventually(patience, func() error {
		if n := b.neighbor(peer1); n.State == "Established" {
			return errors.New("FRR's session is still up")
		}
		return nil
	})
	b.routed("10.100.0.0/16")
	f = b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}, password: key, dials: true, graceful: true})
	b.dynamic(peer1 + " Established")
	b.routed("10.100.0.0/16")

	b.Write("nvad.toml", listening(`listen-range = ["10.0.0.2/32"]`, `password = "rosebud"`))
	b.must(contains(b.tell("reload --dry-run"), "session reset  listen-range 10.0.0.0/29: removed"))
	b.tell("reload")
	b.unrouted("10.100.0.0/16")
	b.dynamic()
	b.Eventually(patience, func() error {
		return contains(f.view().Reason, "Cease/Peer De-configured")
	})
}

// Without the range's key, or with another ASN, nobody gets in, and nvad says why.
func TestDynamicNeighborsRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.Write("nvad.toml", listening(`listen-range = ["10.0.0.1/32"]`, "role = \"provider\"", "role-strict = true"))
	b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}, dials: true})
	b.birdDials("another", "10.110.0.0/16")
	n := b.start()
	n.Logs("dynamic neighbor not up", "neighbor="+peer1, "Role Mismatch")
	b.dynamic()
	b.must(contains(b.tell("neighbors"), "No neighbor is there.", "0 established, 1 of 100 places taken"))
	if text := b.ip("route"); strings.Contains(text, "bgp") {
		t.Errorf("routes of strangers:\n%s", text)
	}
}
