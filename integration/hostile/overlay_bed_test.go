package hostile

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
)

// The hosts in the VNet of an overlay bed, by host number in both families of the underlay.
const (
	nvaHost      = 4
	farHost      = 5  // the other end of the tunnel
	thirdHost    = 6  // a remote of a shared tunnel
	strangerHost = 66 // in the VNet, but not a remote of any tunnel
)

// vnet is a switch with the NVA under attack and other hosts, each in its own namespace with
// eth0 on the switch.
type vnet struct{ *netbed.Bed }

// newVNet creates a switch and the hosts.
func newVNet(t *testing.T, hosts ...int) *vnet {
	t.Helper()
	lab.RequireCommands(t, "bridge", "nft", "ping")
	names := []string{"sw"}
	for _, h := range hosts {
		names = append(names, fmt.Sprint(h))
	}
	v := &vnet{netbed.New(t, names...)}
	v.IP("sw", "link add br0 type bridge")
	v.IP("sw", "link set br0 up")
	for _, h := range hosts {
		name := fmt.Sprint(h)
		v.Join(name, "eth0", []string{"10.0.0." + name + "/24", "fd00::" + name + "/64"}, "sw", "p"+name, nil)
		v.IP("sw", "link set p"+name+" master br0")
	}
	return v
}

// host runs a command on a host.
func (v *vnet) host(h int, format string, args ...any) string {
	v.Helper()
	return v.In(fmt.Sprint(h), strings.Fields(fmt.Sprintf(format, args...))...)
}

// ping sends from a host's address and returns an error if there is no answer.
func (v *vnet) ping(h int, from, to string) error {
	_, err := netbed.Try(v.Command(fmt.Sprint(h), "ping", "-n", "-c", "1", "-W", "1", "-I", from, to))
	return err
}

// vxlan creates a device as any host could: VNI 77 over IPv4 or IPv6 to the NVA.
func (v *vnet) vxlan(h, vni int, remote string, addresses ...string) {
	v.Helper()
	v.host(h, "ip link add vxlan0 type vxlan id %d dev eth0 remote %s dstport 4789", vni, remote)
	for _, a := range addresses {
		v.host(h, "ip addr add %s dev vxlan0 %s", a, map[bool]string{true: "nodad"}[strings.Contains(a, ":")])
	}
	v.host(h, "ip link set vxlan0 up")
}

// frame sends an Ethernet frame into a host's tunnel.
func (v *vnet) frame(h int, octets string) {
	v.Helper()
	err := lab.WithinNamespace(v.NS(fmt.Sprint(h)), func() error {
		i, err := net.InterfaceByName("vxlan0")
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, []byte(octets), 0, &unix.SockaddrLinklayer{Ifindex: i.Index})
	})
	if err != nil {
		v.Fatal(err)
	}
}

// nvad starts nvad on a host and waits until it is ready.
func (v *vnet) nvad(h int, config string) {
	v.Helper()
	v.configure(h, config)
	v.Nvad(fmt.Sprint(h), fmt.Sprint(h)).Logs("msg=ready")
}

func (v *vnet) configure(h int, config string) {
	v.Helper()
	v.Write(fmt.Sprint(h)+".toml", config)
}

// nvactl runs nvactl against the NVA.
func (v *vnet) nvactl(args string) string {
	v.Helper()
	out, err := v.Nvactl(fmt.Sprint(nvaHost), strings.Fields(args)...)
	if err != nil {
		v.Fatal(err)
	}
	return out
}

// tunnelView is the part of `nvactl tunnels NAME -o json` that the tests read.
type tunnelView struct {
	Unguarded bool
	Dropped   []struct {
		Reason  string
		Packets uint64
	}
	FDB []struct {
		MAC, Remote string
		Permanent   bool
	}
}

func (v *vnet) tunnel() (t tunnelView) {
	v.Helper()
	if err := json.Unmarshal([]byte(v.nvactl("tunnels vxlan0 -o json")), &t); err != nil {
		v.Fatal(err)
	}
	return t
}

// count returns how many packets were dropped for a reason.
func (t tunnelView) count(reason string) (n uint64) {
	for _, d := range t.Dropped {
		if d.Reason == reason {
			n += d.Packets
		}
	}
	return n
}

// dropped waits until packets have been dropped for a reason.
func (v *vnet) dropped(reason string) {
	v.Helper()
	lab.Eventually(v.T, 10*time.Second, func() error {
		if t := v.tunnel(); t.count(reason) == 0 {
			return fmt.Errorf("nothing was dropped because %q: %+v", reason, t)
		}
		return nil
	})
}

// established waits until the NVA's session with a neighbor is up and returns the time since
// when it is.
func (v *vnet) established(neighbor string) (since string) {
	v.Helper()
	lab.Eventually(v.T, 20*time.Second, func() error {
		var n struct{ State, Since string }
		if err := json.Unmarshal([]byte(v.nvactl("neighbors "+neighbor+" -o json")), &n); err != nil {
			return err
		}
		if since = n.Since; n.State != "Established" {
			return fmt.Errorf("neighbor %s is %s", neighbor, n.State)
		}
		return nil
	})
	return since
}
