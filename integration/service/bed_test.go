package service

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/failover/probe"
	"github.com/nvad/nvad/integration/frrouting"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/machine"
	"github.com/nvad/nvad/integration/rivals"
)

const (
	patience = 30 * time.Second
	routes   = 100 // announced by the neighbor
	rate     = 2000
	steady   = 300 * time.Millisecond
	password = "rosebud"
)

// bed is a machine, vm-hub00, between two namespaces: a neighbor with the networks from
// 10.100.0.0/24 onwards, and a host behind it.
type bed struct {
	*testing.T
	*machine.Machine
	net *netbed.Bed
}

func newBed(t *testing.T) *bed {
	t.Helper()
	lab.RequireRival(t, rivals.FRR8)
	lab.RequireCommands(t, "make", "dpkg-deb")
	n := netbed.New(t, "nva", "far", "host")
	b := &bed{T: t, net: n}
	n.Join("nva", "eth0", nil, "far", "eth0", []string{"10.0.0.1/24"})
	n.Join("nva", "eth1", nil, "host", "eth0", []string{"10.1.0.2/24"})
	n.Batch("far", "route add local 10.100.0.0/16 dev lo", "route add 10.1.0.0/24 via 10.0.0.4")
	n.Batch("host", "route add default via 10.1.0.1")
	b.frr()

	b.Machine = machine.Make(t, machine.Options{Name: "vm-hub00", Namespace: n.NS("nva")})
	b.Put(t, "/etc/systemd/network/10-eth0.network", machine.Networkd("10.0.0.4/24")) // no default route: it would hide a loss
	b.Put(t, "/etc/systemd/network/10-eth1.network", strings.Replace(machine.Networkd("10.1.0.1/24"), "eth0", "eth1", 1))
	b.Boot(t)
	return b
}

// frr starts the neighbor: FRR's bgpd in AS 65010, which keeps nvad's routes while nvad
// restarts (RFC 4724).
func (b *bed) frr() {
	b.Helper()
	var conf strings.Builder
	conf.WriteString(`router bgp 65010
 bgp router-id 10.0.0.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
 bgp graceful-restart preserve-fw-state
 neighbor 10.0.0.4 remote-as 65001
 neighbor 10.0.0.4 password ` + password + `
 neighbor 10.0.0.4 timers 10 30
 neighbor 10.0.0.4 timers connect 1
 address-family ipv4 unicast
`)
	for i := range routes {
		fmt.Fprintf(&conf, "  network 10.100.%d.0/24\n", i)
	}
	n := b.net
	n.Spawn("far", "bgpd", frrouting.Command(rivals.FRR8, n.Dir, "bgpd", n.Write("bgpd.conf", conf.String()), "-Z", "-S", "-l", "10.0.0.1")...)
}

// neighborView returns FRR's view of its session with nvad.
func (b *bed) neighborView() string {
	out, err := netbed.Try(b.net.Command("far", frrouting.Vtysh(rivals.FRR8, b.net.Dir, "-c", "show bgp neighbors 10.0.0.4")...))
	if err != nil {
		return err.Error()
	}
	return out
}

// configure writes nvad.toml and the key of the session. kernel is added to [kernel].
func (b *bed) configure(kernel string) {
	b.Helper()
	b.Put(b.T, "/etc/nvad/nvad.toml", `asn = 65001
router-id = "10.0.0.4"

[kernel]
ip-forward = true
`+kernel+`

[[tunnel]]
name    = "vxlan0"
vni     = 77
device  = "eth0"
remotes = ["10.0.0.5"]
address = "169.254.0.1/24"

[[static-route]]
prefix = "10.0.210.0/24"
via    = "10.0.0.1"

[[snat]]
source = "10.9.0.0/16"
out    = "eth0"
to     = "10.0.0.4:1024-65535"

[[network]]
prefix = "10.1.0.0/24"

[[neighbor]]
address       = "10.0.0.1"
remote-asn    = 65010
password-file = "/etc/nvad/far.key"
import        = "accept"
export        = "accept"
`)
	b.Put(b.T, "/etc/nvad/far.key", password+"\n")
	b.Sh(b.T, "chgrp nvad /etc/nvad/*; chmod 640 /etc/nvad/*")
}

// install installs the package of a version, or upgrades to it.
func (b *bed) install(version string) {
	b.Helper()
	b.CopyIn(b.T, machine.Deb(b.T, version), "/root/nvad.deb")
	b.Sh(b.T, "dpkg -i /root/nvad.deb 2>&1")
}

// converged waits until the session is up, every route is in the kernel and nvad is in sync.
func (b *bed) converged() {
	b.Helper()
	lab.Eventually(b.T, patience, func() error {
		status, err := b.Output(b.Context(), "nvactl", "status", "-o", "json")
		if err != nil {
			return err
		}
		if !strings.Contains(status, `"in_sync": true`) {
			return fmt.Errorf("status: %s", status)
		}
		table, err := b.Output(b.Context(), "ip", "route", "show", "proto", "bgp")
		if got := strings.Count(table, "10.100."); err == nil && got != routes {
			err = fmt.Errorf("%d of %d routes: %s", got, routes, table)
		}
		return err
	})
}

// watched runs do while packets pass from the host to every network of the neighbor, and
// returns the outages.
func (b *bed) watched(do func()) probe.Result {
	b.Helper()
	var to []netip.Addr
	for i := range routes {
		to = append(to, netip.AddrFrom4([4]byte{10, 100, byte(i), 9}))
	}
	s, err := probe.Start(b.net.NS("host"), b.net.NS("far"), to, rate)
	if err != nil {
		b.Fatal(err)
	}
	err = s.Flowing(steady, patience)
	if err == nil {
		do()
		err = s.Flowing(steady, patience)
	}
	r, stopErr := s.Stop()
	if err := errors.Join(err, stopErr); err != nil {
		b.Fatal(err)
	}
	return r
}

// lossless fails the test if a packet was lost.
func (b *bed) lossless(what string, r probe.Result) {
	b.Helper()
	b.Logf("%s: %d packets, %d lost", what, r.Sent, r.Lost)
	if r.Lost > 0 {
		b.Errorf("%s: %d of %d packets lost, worst outage %v", what, r.Lost, r.Sent, r.Worst())
	}
}

// pid returns nvad's process id, 0 if it is not running.
func (b *bed) pid() string {
	b.Helper()
	return strings.TrimSpace(b.Exec(b.T, "systemctl", "show", "-P", "MainPID", "nvad.service"))
}
