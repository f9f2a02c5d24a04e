package differential

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/nvad/nvad/integration/differential/gen"
	"github.com/nvad/nvad/integration/rivals"
	"github.com/nvad/nvad/pkg/frrconf"
)

// article is a published configuration, with the addresses around it.
type article struct {
	name          string
	file          string
	routerID      string
	daemon, peers []string // ip(8) commands
	neighbors     []gen.Neighbor
	// copies says that the second neighbor announces the same as the first, as the two
	// instances of a Route Server do.
	copies bool
}

func hub(name string, n int, own, far string) article {
	host := func(format string) string { return fmt.Sprintf(format, n) }
	return article{
		name:     name,
		file:     "../lab/testdata/two-hubs/vm-" + name + ".frr.conf",
		routerID: host("10.%d.0.4"),
		daemon:   []string{"addr add " + host("10.%d.0.4/24") + " dev eth0", "addr add " + own + "/24 dev eth0"},
		peers: []string{
			"addr add " + host("10.%d.0.1/24") + " dev eth0", "addr add " + far + "/24 dev eth0",
			"addr add " + host("10.%d.210.4/32") + " dev lo", "addr add " + host("10.%d.210.5/32") + " dev lo",
		},
		neighbors: []gen.Neighbor{
			neighbor("route-server-0", 65515, host("10.%d.210.4"), host("10.%d.0.4")),
			neighbor("route-server-1", 65515, host("10.%d.210.5"), host("10.%d.0.4")),
			neighbor("nva", 65001, far, own),
		},
		copies: true,
	}
}

func neighbor(name string, asn uint32, address, self string) gen.Neighbor {
	return gen.Neighbor{Name: name, ASN: asn, Address: netip.MustParseAddr(address), Self: netip.MustParseAddr(self)}
}

var articles = []article{
	hub("hub00", 0, "169.254.0.1", "169.254.0.2"),
	hub("hub10", 10, "169.254.0.2", "169.254.0.1"),
	{
		name:     "edge",
		file:     "../../pkg/frrconf/testdata/edge.frr",
		routerID: "192.168.0.1",
		daemon: []string{
			"link set eth0 down", "link set eth0 name bond0.1000", "link set bond0.1000 up", "addr add 192.168.0.1/30 dev bond0.1000",
		},
		peers:     []string{"addr add 192.168.0.2/30 dev eth0"},
		neighbors: []gen.Neighbor{neighbor("msee", 12076, "192.168.0.2", "192.168.0.1")},
	},
	{
		name:     "external",
		file:     "../../pkg/frrconf/testdata/external.frr",
		routerID: "10.255.1.1",
		daemon:   []string{"addr add 10.255.1.1/24 dev eth0", "addr add 10.255.4.1/24 dev eth0", "addr add 10.255.9.9/32 dev lo"},
		peers:    []string{"addr add 10.255.1.2/24 dev eth0", "addr add 10.255.4.2/24 dev eth0"},
		neighbors: []gen.Neighbor{
			neighbor("feeder", 64580, "10.255.1.2", "10.255.1.1"), neighbor("other", 64581, "10.255.4.2", "10.255.4.1"),
		},
	},
}

// TestArticles runs the configurations as published of the articles in which nvad replaces
// FRR, and one of our own with what the articles lack, and compares them with their
// conversion.
func TestArticles(t *testing.T) { forFRRs(t, testArticles) }

func testArticles(t *testing.T, version rivals.Rival) {
	for _, a := range articles {
		t.Run(a.name, func(t *testing.T) {
			text, err := os.ReadFile(a.file)
			if err != nil {
				t.Fatal(err)
			}
			cfg, left, err := frrconf.Convert(frrconf.Input{FRR: text, RouterID: netip.MustParseAddr(a.routerID)})
			if err != nil {
				t.Fatal(err)
			}
			a.neighbors = slices.Clone(a.neighbors) // the other version of FRR has the same
			a.announce(version)
			frr := meet(t, startFRR(t, version, newBed(t, a.daemon, a.peers), string(text)), a.neighbors)
			converted, err := frrconf.Render(cfg, left)
			if err != nil {
				t.Fatal(err)
			}
			nvad := meet(t, startNvad(t, newBed(t, a.daemon, a.peers), string(converted)), a.neighbors)
			if seen := expectSame(t, frr, nvad); len(seen) == 0 {
				t.Error("nothing was accepted or announced")
			}
		})
	}
}

// announce draws the neighbors' announcements, each with its own prefixes.
func (a *article) announce(version rivals.Rival) {
	for i := range a.neighbors {
		if i == 1 && a.copies {
			a.neighbors[i].Routes = gen.Moved(a.neighbors[0].Routes, a.neighbors[i].Address)
			continue
		}
		a.neighbors[i].Routes = gen.Routes(uint64(i), &a.neighbors[i], 200)
		if version != rivals.FRR8 {
			gen.SentByFRR10(a.neighbors[i].Routes)
		}
	}
}
