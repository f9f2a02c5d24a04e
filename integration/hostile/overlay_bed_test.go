package hostile

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/integration/lab"
)

// Who is who in the VNet of an overlay bed, by host number in both families of the
// underlay.
const (
	nvaHost      = 4
	farHost      = 5  // the other end of the tunnel
	thirdHost    = 6  // a remote of a shared tunnel
	strangerHost = 66 // in the VNet, and nobody's remote
)

// vnet is a switch with the NVA under attack and other hosts, each in a namespace of
// its own with eth0 on the switch.
type vnet struct {
	*testing.T
	dir, prefix string
}

var vnets int

// newVNet makes a switch and the hosts. All of it ends with the test.
func newVNet(t *testing.T, hosts ...int) *vnet {
	t.Helper()
	lab.RequireRoot(t)
	lab.RequireCommands(t, "ip", "bridge", "nft", "ping")
	lab.Build(t, "./cmd/nvad")
	lab.Build(t, "./cmd/nvactl")
	vnets++
	v := &vnet{T: t, dir: t.TempDir(), prefix: fmt.Sprintf("%s%dxv%d", namespacePrefix, os.Getpid(), vnets)}
	v.namespace("sw")
	v.sh("ip -n %s link add br0 type bridge", v.ns("sw"))
	v.sh("ip -n %s link set br0 up", v.ns("sw"))
	for _, h := range hosts {
		name := fmt.Sprint(h)
		v.namespace(name)
		v.sh("ip link add eth0 netns %s type veth peer name p%s netns %s", v.ns(name), name, v.ns("sw"))
		v.sh("ip -n %s link set p%s master br0 up", v.ns("sw"), name)
		v.host(h, "ip addr add 10.0.0.%d/24 dev eth0", h)
		v.host(h, "ip addr add fd00::%d/64 dev eth0 nodad", h)
		v.host(h, "ip link set eth0 up")
		v.host(h, "ip link set lo up")
	}
	return v
}

func (v *vnet) ns(name string) string { return v.prefix + name }

func (v *vnet) namespace(name string) {
	v.Helper()
	v.sh("ip netns add %s", v.ns(name))
	v.Cleanup(func() { _ = exec.Command("ip", "netns", "del", v.ns(name)).Run() })
}

// try runs a command, split at spaces.
func (v *vnet) try(format string, args ...any) (string, error) {
	argv := strings.Fields(fmt.Sprintf(format, args...))
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, out)
	}
	return string(out), nil
}

func (v *vnet) sh(format string, args ...any) string {
	v.Helper()
	out, err := v.try(format, args...)
	if err != nil {
		v.Fatal(err)
	}
	return out
}

// host runs a command on a host.
func (v *vnet) host(h int, format string, args ...any) string {
	v.Helper()
	return v.sh("ip netns exec %s %s", v.ns(fmt.Sprint(h)), fmt.Sprintf(format, args...))
}

// ping sends from a host's address and says whether there was an answer.
func (v *vnet) ping(h int, from, to string) error {
	_, err := v.try("ip netns exec %s ping -n -c 1 -W 1 -I %s %s", v.ns(fmt.Sprint(h)), from, to)
	return err
}

// vxlan makes a device as anybody can: VNI 77 over IPv4 or IPv6 to the NVA.
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
	err := lab.WithinNamespace(v.ns(fmt.Sprint(h)), func() error {
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

func (v *vnet) path(h int, name string) string {
	return filepath.Join(v.dir, fmt.Sprintf("%d-%s", h, name))
}

// nvad starts nvad on a host and waits until it is ready.
func (v *vnet) nvad(h int, config string) {
	v.Helper()
	v.configure(h, config)
	log, err := os.Create(v.path(h, "log"))
	if err != nil {
		v.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("ip", "netns", "exec", v.ns(fmt.Sprint(h)), lab.Build(v.T, "./cmd/nvad"),
		"--config", v.path(h, "toml"), "--socket", v.path(h, "sock"))
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		v.Fatal(err)
	}
	v.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if data, _ := os.ReadFile(v.path(h, "log")); v.Failed() {
			v.Logf("nvad of host %d:\n%s", h, data)
		}
	})
	lab.Eventually(v.T, 15*time.Second, func() error {
		if data, _ := os.ReadFile(v.path(h, "log")); !strings.Contains(string(data), "msg=ready") {
			return fmt.Errorf("not ready:\n%s", data)
		}
		return nil
	})
}

func (v *vnet) configure(h int, config string) {
	v.Helper()
	if err := os.WriteFile(v.path(h, "toml"), []byte(config), 0o600); err != nil {
		v.Fatal(err)
	}
}

// nvactl asks the NVA.
func (v *vnet) nvactl(args string) string {
	v.Helper()
	return v.sh("%s --socket %s %s", lab.Build(v.T, "./cmd/nvactl"), v.path(nvaHost, "sock"), args)
}

// tunnelView is what of `nvactl tunnels NAME -o json` is looked at.
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

// count is how many packets were dropped for a reason.
func (t tunnelView) count(reason string) (n uint64) {
	for _, d := range t.Dropped {
		if d.Reason == reason {
			n += d.Packets
		}
	}
	return n
}

// dropped waits until packets were dropped for a reason.
func (v *vnet) dropped(reason string) {
	v.Helper()
	lab.Eventually(v.T, 10*time.Second, func() error {
		if t := v.tunnel(); t.count(reason) == 0 {
			return fmt.Errorf("nothing was dropped because %q: %+v", reason, t)
		}
		return nil
	})
}

// established waits until the NVA's session with a neighbor is up and returns since
// when.
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
