package kernel

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/tunnel"
)

func sync(t *testing.T, m *tunnel.Manager) {
	t.Helper()
	if next, err := m.Sync(time.Now()); err != nil || !next.IsZero() {
		t.Fatalf("sync: %v, %+v", err, m.Status())
	}
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// tunnelKinds lists a tunnel of each kind and how iproute2 shows it.
var tunnelKinds = []struct {
	name   string
	tunnel tunnel.Tunnel
	link   []string // in `ip -d link`
	not    string
	fdb    []string // in `bridge fdb`
}{
	{
		"one remote", tunnel.Tunnel{Remotes: addrs("10.10.0.4")},
		[]string{"vxlan id 77 remote 10.10.0.4 dev eth0 srcport 0 0 dstport 4789 ttl auto ageing 300 maxaddr 8192 udpcsum", "mtu 1450"}, "local ",
		[]string{"00:00:00:00:00:00 dst 10.10.0.4 ", "12:65:71:58:64:64 dst 10.10.0.4 self permanent"},
	},
	{
		"three remotes", tunnel.Tunnel{Remotes: addrs("10.10.0.4", "10.10.0.5", "10.10.0.6")},
		[]string{"vxlan id 77 dev eth0 srcport 0 0 dstport 4789", "mtu 1450"}, "remote ",
		[]string{"00:00:00:00:00:00 dst 10.10.0.4 ", "00:00:00:00:00:00 dst 10.10.0.5 ", "00:00:00:00:00:00 dst 10.10.0.6 "},
	},
	{
		"IPv6 underlay", tunnel.Tunnel{Remotes: addrs("fd00::9"), Local: netip.MustParseAddr("fd00::4")},
		[]string{"vxlan id 77 remote fd00::9 local fd00::4 dev eth0 srcport 0 0 dstport 4789", "mtu 1430"}, "239.",
		[]string{"00:00:00:00:00:00 dst fd00::9 "},
	},
	{
		"several IPv6 remotes", tunnel.Tunnel{Remotes: addrs("fd00::8", "fd00::9"), Local: netip.MustParseAddr("fd00::4")},
		[]string{"vxlan id 77 local fd00::4 dev eth0", "mtu 1430"}, "remote ",
		[]string{"00:00:00:00:00:00 dst fd00::8 ", "00:00:00:00:00:00 dst fd00::9 "},
	},
	{
		"multicast group", tunnel.Tunnel{Group: netip.MustParseAddr("239.1.1.1"), TTL: 16},
		[]string{"vxlan id 77 group 239.1.1.1 dev eth0 srcport 0 0 dstport 4789 ttl 16", "mtu 1450"}, "remote ",
		[]string{"00:00:00:00:00:00 dst 239.1.1.1 "},
	},
	{
		"everything given", tunnel.Tunnel{
			Remotes: addrs("10.10.0.4"), Local: netip.MustParseAddr("10.0.0.4"), Port: 8472, TTL: 9, MTU: 1350, NoLearning: true,
		},
		[]string{"remote 10.10.0.4 local 10.0.0.4 dev eth0 srcport 0 0 dstport 8472 nolearning ttl 9", "mtu 1350"}, "239.",
		[]string{"00:00:00:00:00:00 dst 10.10.0.4 "},
	},
}

// Each kind of tunnel is built so that iproute2 shows it as expected, and a restart changes nothing.
func TestTunnelKinds(t *testing.T) {
	for _, tt := range tunnelKinds {
		t.Run(tt.name, func(t *testing.T) {
			ns, name := testNS(t)
			k := open(t, ns)
			tt.tunnel.Name, tt.tunnel.VNI, tt.tunnel.Device = "vxlan0", 77, "eth0"
			tt.tunnel.Addresses = []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24"), netip.MustParsePrefix("fd77::1/64")}
			m := tunnel.New(k.Tunnels)
			m.SetWanted([]tunnel.Tunnel{tt.tunnel})
			sync(t, m)
			show := func() string {
				return sh(t, "ip -n "+name+" -d link show vxlan0") + sh(t, "bridge -n "+name+" fdb show dev vxlan0")
			}
			got := show() + sh(t, "ip -n "+name+" -o addr show dev vxlan0")
			for _, want := range append(append(tt.link, tt.fdb...), "inet 169.254.0.1/24 ", "inet6 fd77::1/64 ") {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in\n%s", want, got)
				}
			}
			if line := sh(t, "ip -n "+name+" -d link show vxlan0"); strings.Contains(line, tt.not) {
				t.Errorf("%q is in\n%s", tt.not, line)
			}
			// A second process finds nothing to do.
			before := show()
			again := tunnel.New(recorder{t, k.Tunnels})
			again.SetWanted([]tunnel.Tunnel{tt.tunnel})
			sync(t, again)
			if after := show(); after != before {
				t.Errorf("after the restart\n%s\nbefore\n%s", after, before)
			}
		})
	}
}

// recorder fails the test for every operation.
type recorder struct {
	t *testing.T
	tunnel.Kernel
}

func (r recorder) Do(op tunnel.Op) error {
	r.t.Errorf("unneeded: %s", op)
	return r.Kernel.Do(op)
}

// A new remote changes the device in place: it keeps its index and does not flap.
func TestRemoteMovesInPlace(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	m := tunnel.New(k.Tunnels)
	want := tunnel.Tunnel{Name: "vxlan0", VNI: 77, Device: "eth0"}
	index := ""
	for _, remotes := range [][]netip.Addr{
		addrs("10.10.0.4"), addrs("10.10.0.5"), addrs("10.10.0.5", "10.10.0.6"), addrs("10.10.0.6"),
	} {
		want.Remotes = remotes
		m.SetWanted([]tunnel.Tunnel{want})
		sync(t, m)
		got := strings.Count(sh(t, "bridge -n "+name+" fdb show dev vxlan0"), "00:00:00:00:00:00")
		if got != len(remotes) {
			t.Errorf("%v: %d default entries", remotes, got)
		}
		i, _, _ := strings.Cut(sh(t, "ip -n "+name+" -o link show vxlan0"), ":")
		if index != "" && i != index {
			t.Errorf("%v: index changed from %s to %s", remotes, index, i)
		}
		index = i
	}
	want.VNI = 78
	m.SetWanted([]tunnel.Tunnel{want})
	sync(t, m)
	if got := sh(t, "ip -n "+name+" -d link show vxlan0"); !strings.Contains(got, "vxlan id 78 remote 10.10.0.6") {
		t.Errorf("other VNI: %s", got)
	}
	m.SetWanted(nil)
	sync(t, m)
	if got := sh(t, "ip -n "+name+" -o link"); strings.Contains(got, "vxlan0") {
		t.Errorf("the unwanted device was not removed: %s", got)
	}
}

func TestSourcePortsAvoidReserved(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	if err := k.Sysctls.Set("net.ipv4.ip_local_port_range", "1024 65535"); err != nil {
		t.Fatal(err)
	}
	m := tunnel.New(k.Tunnels)
	m.SetWanted([]tunnel.Tunnel{{Name: "vxlan0", VNI: 77, Device: "eth0", Remotes: addrs("10.10.0.4")}})
	sync(t, m)
	if got := sh(t, "ip -n "+name+" -d link show vxlan0"); !strings.Contains(got, "srcport 1024 65329 ") {
		t.Errorf("device is %s", got)
	}
}

// An error about a link contains the kernel's explanation and not only a number.
func TestLinkErrorExplains(t *testing.T) {
	ns, _ := testNS(t)
	k := open(t, ns)
	op := tunnel.Op{Kind: tunnel.Create, Name: "vxlan0", MTU: 1400, VXLAN: tunnel.VXLAN{VNI: 77, Port: 4789}}
	if err := k.Tunnels.Do(op); err != nil {
		t.Fatal(err)
	}
	op.Name = "vxlan1"
	err := k.Tunnels.Do(op)
	if !errors.Is(err, unix.EEXIST) || !strings.Contains(err.Error(), "VNI") {
		t.Errorf("second device for a VNI: %v", err)
	}
}

// nvad announces the addresses of a new device to its neighbours at once: the frames on gw0
// include the gratuitous ARP and the neighbour advertisement.
func TestAnnounces(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	sh(t, "ip -n "+name+" route add 10.10.0.0/16 via 10.0.0.1")
	sh(t, "ip -n "+name+" neigh add 10.0.0.1 lladdr 12:34:56:78:9a:bc dev eth0")
	fd := capture(t, ns, "gw0")
	m := tunnel.New(k.Tunnels)
	v4, v6 := netip.MustParsePrefix("169.254.0.1/24"), netip.MustParsePrefix("fd77::1/64")
	m.SetWanted([]tunnel.Tunnel{{
		Name: "vxlan0", VNI: 77, Device: "eth0", Remotes: addrs("10.10.0.4"), Addresses: []netip.Prefix{v4, v6},
	}})
	sync(t, m)
	mac := m.Status()[0].MAC
	missing := [][]byte{gratuitousARP(mac, v4.Addr()), unsolicitedNA(mac, v6.Addr())}
	frame := make([]byte, 2048)
	for len(missing) > 0 {
		n, _, err := unix.Recvfrom(fd, frame, 0)
		if err != nil {
			t.Fatalf("%d announcements are missing: %v", len(missing), err)
		}
		missing = slices.DeleteFunc(missing, func(want []byte) bool { return bytes.Contains(frame[:n], want) })
	}
}

// gratuitousARP returns an ARP announcement (RFC 5227 section 2.3), beginning with the
// sender's hardware address.
func gratuitousARP(mac net.HardwareAddr, addr netip.Addr) []byte {
	b := append(slices.Clone(mac), addr.AsSlice()...)
	b = append(b, make([]byte, 6)...)
	return append(b, addr.AsSlice()...)
}

// unsolicitedNA returns a neighbour advertisement that overrides cached entries (RFC 4861
// sections 4.4 and 7.2.6), beginning with its flags.
func unsolicitedNA(mac net.HardwareAddr, addr netip.Addr) []byte {
	b := append([]byte{0x20, 0, 0, 0}, addr.AsSlice()...)
	b = append(b, 2, 1) // option: target link-layer address, 8 bytes
	return append(b, mac...)
}

// capture opens a socket that receives every frame of a link, for at most a second.
func capture(t *testing.T, ns Namespace, link string) int {
	t.Helper()
	var fd int
	err := ns.do(func() (err error) {
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, unix.ETH_P_ALL<<8); err != nil {
			return err
		}
		i, err := net.InterfaceByName(link)
		if err != nil {
			return err
		}
		if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: unix.ETH_P_ALL << 8, Ifindex: i.Index}); err != nil {
			return err
		}
		return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}
