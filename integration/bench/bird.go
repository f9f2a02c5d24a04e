package bench

import (
	"path/filepath"
	"strings"

	"github.com/nvad/nvad/integration/rivals"
)

// bird is a version of BIRD. Its timers are the defaults, but for the KEEPALIVEs that are
// watched.
type bird struct {
	processes
	rival rivals.Rival
	bed   *bed
}

const birdConfig = `
router id 10.0.0.4;

protocol device {}

protocol kernel {
	metric 20;
	merge paths on;
	ipv4 {
		import none;
		export where source ~ [ RTS_BGP, RTS_STATIC ];
	};
}

protocol static {
	ipv4;
	route 10.0.210.0/24 via 10.0.0.1;
	route 10.1.210.0/24 via 10.1.0.1;
}

filter from_route_server {
	if bgp_path ~ [ 0, 23456, 64496..64511, 65535, 65536..131071, 4294967295 ] then reject;
	accept;
}

filter to_route_server
bgppath received;
{
	if net ~ [ 10.0.0.0/16, 10.100.0.0/16 ] then reject;
	if bgp_path !~ [= * 65515 * =] then reject;
	received = bgp_path;
	bgp_path.empty;
	for int n in received do bgp_path.prepend(65001);
	accept;
}

template bgp route_server {
	multihop 255;
	ipv4 {
		import filter from_route_server;
		export filter to_route_server;
	};
}

protocol bgp rs1 from route_server { local 10.0.0.4 as 65001; neighbor 10.0.210.4 as 65515; }
protocol bgp rs2 from route_server {
	local 10.1.0.4 as 65001;
	neighbor 10.1.210.4 as 65515;
	hold time 30;
	keepalive time 1;
}

protocol bgp nva {
	local 169.254.0.1 as 65001;
	neighbor 169.254.0.2 as 65001;
	direct;
	ipv4 {
		next hop self;
		import all;
		export where source = RTS_BGP && net !~ [ 10.0.0.0/16+ ];
	};
}
`

func (d *bird) running() *processes { return &d.processes }

func (d *bird) socket() string { return filepath.Join(d.bed.dir, "bird.sock") }

func (d *bird) start(b *bed) error {
	d.bed = b
	config, err := b.write("bird.conf", birdConfig)
	if err != nil {
		return err
	}
	if err := d.spawn(b, d.rival.Command("", d.rival.Daemon("bird"), "-f", "-c", config, "-s", d.socket())...); err != nil {
		return err
	}
	return awaitSocket(d.socket())
}

func (d *bird) reload() error {
	text := strings.Replace(birdConfig, "then reject;\n\taccept;", "then reject;\n\tbgp_local_pref = 200;\n\taccept;", 1)
	if _, err := d.bed.write("bird.conf", text); err != nil {
		return err
	}
	return run(nil, d.rival.Command("", d.rival.Client(), "-s", d.socket(), "configure")...)
}
