package engine

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/route"
)

// Try names everything that neither the file nor the trial says, and nothing else.
func TestTryAssumes(t *testing.T) {
	const alone = "asn = 65001\nrouter-id = \"10.0.0.4\"\n[[neighbor]]\naddress = \"10.0.1.4\"\nremote-asn = 65002\nimport = \"accept\"\nexport = \"accept\"\n"
	const other = "[[neighbor]]\naddress = \"10.0.0.5\"\nremote-asn = 65001\n"
	neighbor, from, hop := netip.MustParseAddr("10.0.1.4"), netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.9.9")
	for _, c := range []struct {
		name, file string
		trial      Trial
		want       []string
	}{
		{"in", alone, Trial{}, []string{"next hop 10.0.1.4, that neighbor's address", "the next hop is reached"}},
		{"in, with a next hop", alone, Trial{Attrs: route.Attrs{NextHop: hop}}, []string{"the next hop is reached"}},
		{"out, nobody to learn from", alone, Trial{Export: true}, []string{
			"learned from 192.0.2.1, which stands for a neighbor: the file has none whose routes may go to 10.0.1.4",
			"next hop 192.0.2.1, that neighbor's address",
			"session address 10.0.0.4, the router ID: the file gives no local-address",
			"the next hop is reached, and no other path is better",
		}},
		{"out", alone + other, Trial{Export: true}, []string{
			"learned from 10.0.0.5, the first neighbor whose routes may go to 10.0.1.4",
			"next hop 10.0.0.5, that neighbor's address",
			"session address 10.0.0.4, the router ID: the file gives no local-address",
			"the next hop is reached, and no other path is better",
		}},
		{"out, all given", alone + "local-address = \"10.0.1.1\"\n" + other, Trial{Export: true, From: from, Attrs: route.Attrs{NextHop: hop}},
			[]string{"the next hop is reached, and no other path is better"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := config.Parse("nvad.toml", []byte(c.file))
			if err != nil {
				t.Fatal(err)
			}
			c.trial.Neighbor, c.trial.Prefix = neighbor, netip.MustParsePrefix("10.1.0.0/16")
			x, err := Try(cfg, c.trial)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, x.Assumed); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
