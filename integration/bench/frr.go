package bench

import (
	"github.com/nvad/nvad/integration/frrouting"
	"github.com/nvad/nvad/integration/rivals"
)

// frr is a version of FRR: zebra, staticd, bgpd, and mgmtd if staticd needs it, with the
// sockets in the bed's directory.
type frr struct {
	processes
	rival rivals.Rival
	bed   *bed
}

const frrConfig = `
frr defaults traditional
no ipv6 forwarding
ip route 10.0.210.0/24 10.0.0.1
ip route 10.1.210.0/24 10.1.0.1
ip prefix-list vm-hub10 seq 5 deny 10.0.0.0/16 ge 16
ip prefix-list vm-hub10 seq 10 permit any
ip prefix-list rs-hub00 seq 5 deny 10.0.0.0/16
ip prefix-list rs-hub00 seq 10 deny 10.100.0.0/16
ip prefix-list rs-hub00 seq 15 permit any
bgp as-path access-list azure-asns seq 5 permit _65515_
bgp as-path access-list bogon-asns seq 5 permit _0_
bgp as-path access-list bogon-asns seq 10 permit _23456_
bgp as-path access-list bogon-asns seq 15 permit _1310[0-6][0-9]_|_13107[0-1]_
bgp as-path access-list bogon-asns seq 20 deny _65515_
bgp as-path access-list bogon-asns seq 25 permit ^65
route-map rmap-bogon-asns deny 5
match as-path bogon-asns
exit
route-map rmap-bogon-asns permit 10
exit
route-map rmap-azure-asns permit 5
match as-path azure-asns
set as-path replace any
exit
route-map rmap-azure-asns deny 10
exit
router bgp 65001
bgp router-id 10.0.0.4
neighbor 10.0.210.4 remote-as 65515
neighbor 10.0.210.4 ebgp-multihop 255
neighbor 10.1.210.4 remote-as 65515
neighbor 10.1.210.4 ebgp-multihop 255
neighbor 10.1.210.4 timers 1 30
neighbor 169.254.0.2 remote-as 65001
address-family ipv4 unicast
neighbor 10.0.210.4 soft-reconfiguration inbound
neighbor 10.0.210.4 prefix-list rs-hub00 out
neighbor 10.0.210.4 route-map rmap-bogon-asns in
neighbor 10.0.210.4 route-map rmap-azure-asns out
neighbor 10.1.210.4 soft-reconfiguration inbound
neighbor 10.1.210.4 prefix-list rs-hub00 out
neighbor 10.1.210.4 route-map rmap-bogon-asns in
neighbor 10.1.210.4 route-map rmap-azure-asns out
neighbor 169.254.0.2 next-hop-self
neighbor 169.254.0.2 soft-reconfiguration inbound
neighbor 169.254.0.2 prefix-list vm-hub10 out
exit-address-family
exit
`

func (d *frr) running() *processes { return &d.processes }

func (d *frr) start(b *bed) error {
	d.bed = b
	config, err := b.write("frr.conf", frrConfig)
	if err != nil {
		return err
	}
	err = frrouting.Start(d.rival, b.dir, []string{"zebra", "staticd", "bgpd"}, frrouting.Unconfigured, func(_ string, argv ...string) error {
		return d.spawn(b, argv...)
	})
	if err != nil {
		return err
	}
	return run(nil, frrouting.Vtysh(d.rival, b.dir, "-f", config)...)
}

func (d *frr) reload() error {
	return run(nil, frrouting.Vtysh(d.rival, d.bed.dir, "-c", "configure terminal",
		"-c", "route-map rmap-bogon-asns permit 10", "-c", "set local-preference 200")...)
}
