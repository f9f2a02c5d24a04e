package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netns"
)

// network is the plan of a lab's namespaces. It is built in memory from a Topology and then
// carried out, so that the plan can be tested without root.
type network struct {
	prefix string
	nodes  map[string]*node
	// order lists the nodes in the order in which they were added.
	order []string
	links []string
}

// node is one namespace: ip(8) commands to run in it, sysctls and an nftables
// ruleset.
type node struct {
	name    string
	ip      []string
	sysctls map[string]string
	nft     string
}

// ns is the network namespace of a node.
func (n *network) ns(name string) string { return namespace(n.prefix, name) }

func namespace(prefix, name string) string { return prefix + "-" + name }

func (n *network) node(name string) *node {
	if have, ok := n.nodes[name]; ok {
		return have
	}
	fresh := &node{name: name, sysctls: map[string]string{}}
	fresh.add("link set lo up")
	n.nodes[name] = fresh
	n.order = append(n.order, name)
	return fresh
}

func (n *node) add(format string, args ...any) {
	n.ip = append(n.ip, fmt.Sprintf(format, args...))
}

// forward makes the node a router. It turns IPv6 off, which the underlay does not have.
func (n *node) forward() {
	n.sysctls["net/ipv4/ip_forward"] = "1"
	n.sysctls["net/ipv6/conf/all/disable_ipv6"] = "1"
}

// link joins two nodes by a veth pair and brings it up.
func (n *network) link(a, devA, b, devB string) {
	n.node(a).add("link set %s up", devA)
	n.node(b).add("link set %s up", devB)
	n.links = append(n.links, fmt.Sprintf("link add %s netns %s type veth peer name %s netns %s", devA, n.ns(a), devB, n.ns(b)))
}

// nic attaches a node's eth0 to a VNet. The port is point-to-point, and the VNet's router
// answers ARP for every address on it, so that even neighbors within a subnet talk through the
// router. The node itself sees only its /24.
func (n *network) nic(router, name string, addr netip.Addr) {
	subnet, _ := addr.Prefix(24)
	gw := host(subnet, 1)
	n.link(name, "eth0", router, port(name))
	r := n.node(router)
	r.add("addr add %s/32 dev %s", gw, port(name))
	r.add("route add %s/32 dev %s", addr, port(name))
	r.sysctls["net/ipv4/conf/"+port(name)+"/proxy_arp"] = "1"
	r.sysctls["net/ipv4/neigh/"+port(name)+"/proxy_delay"] = "0"
	m := n.node(name)
	m.add("addr add %s/24 dev eth0", addr)
	m.ip = append(m.ip, dhcpRoutes(addr)...)
}

// dhcpRoutes returns the routes that a VM's DHCP client installs.
func dhcpRoutes(addr netip.Addr) []string {
	subnet, _ := addr.Prefix(24)
	var routes []string
	for _, dst := range []string{"default", wireServer, metadataService} {
		routes = append(routes, fmt.Sprintf("route add %s via %s dev eth0 proto dhcp src %s metric 100", dst, host(subnet, 1), addr))
	}
	return routes
}

// The platform's addresses, which exist in every VNet.
const (
	wireServer      = "168.63.129.16"
	metadataService = "169.254.169.254"
)

// port returns the name of the router's device towards a NIC.
func port(name string) string {
	if len(name) > 15 {
		panic("device name too long: " + name)
	}
	return name
}

// batch returns all ip(8) commands of a node as input for `ip -batch`.
func (n *node) batch() string { return strings.Join(n.ip, "\n") + "\n" }

// build carries out the plan: namespaces first, then links, then what is inside each
// namespace.
func (n *network) build() error {
	var batch strings.Builder
	for _, name := range n.order {
		fmt.Fprintf(&batch, "netns add %s\n", n.ns(name))
	}
	batch.WriteString(strings.Join(n.links, "\n"))
	if err := Run(batch.String(), "ip", "-batch", "-"); err != nil {
		return fmt.Errorf("namespaces and links: %w", err)
	}
	for _, name := range n.order {
		if err := n.configure(n.nodes[name]); err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
	}
	return nil
}

func (n *network) configure(m *node) error {
	ns := n.ns(m.name)
	if len(m.sysctls) > 0 {
		var text strings.Builder
		for key, value := range m.sysctls {
			fmt.Fprintf(&text, "%s = %s\n", key, value)
		}
		if err := Run(text.String(), "ip", "netns", "exec", ns, "sysctl", "-q", "-p", "-"); err != nil {
			return err
		}
	}
	if err := Run(m.batch(), "ip", "-n", ns, "-batch", "-"); err != nil {
		return err
	}
	if m.nft == "" {
		return nil
	}
	return Run(m.nft, "ip", "netns", "exec", ns, "nft", "-f", "-")
}

// remove removes the namespaces, and with them the links and everything else.
func (n *network) remove() error {
	var errs []error
	for _, name := range n.order {
		if _, err := os.Stat(filepath.Join("/run/netns", n.ns(name))); err == nil {
			errs = append(errs, removeNamespace(n.ns(name)))
		}
	}
	return errors.Join(errs...)
}

// SweepNamespaces removes the namespaces PREFIX PID xN-NAME whose process PID was killed
// before it could remove them, and ends the daemons that still run in them.
func SweepNamespaces(prefix string) error {
	paths, err := filepath.Glob("/run/netns/" + prefix + "*x*-*")
	errs := []error{err}
	for _, path := range paths {
		name := filepath.Base(path)
		owner, _, _ := strings.Cut(strings.TrimPrefix(name, prefix), "x")
		if pid, err := strconv.Atoi(owner); err != nil || alive(pid) {
			continue
		}
		errs = append(errs, removeNamespace(name))
	}
	return errors.Join(errs...)
}

// removeNamespace removes a namespace and ends what still runs in it, such as a daemon that an
// NVA's script started.
func removeNamespace(name string) error {
	pids, _ := exec.Command("ip", "netns", "pids", name).Output()
	for word := range strings.FieldsSeq(string(pids)) {
		if pid, err := strconv.Atoi(word); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return Run("", "ip", "netns", "del", name)
}

// Run runs a command with input. If the command fails, the error contains its output.
func Run(input string, argv ...string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// Command prepares a command that runs in the namespace of a node.
func (l *Lab) Command(node string, argv ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", l.Namespace(node)}, argv...)...)
	if l.Options.Manager {
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+l.Certificate())
	}
	return cmd
}

// Output runs a command in the namespace of a node and returns everything it printed.
func (l *Lab) Output(node string, argv ...string) (string, error) {
	return output(l.Command(node, argv...))
}

// Within runs do on a thread in the network namespace of a node.
func (l *Lab) Within(node string, do func() error) error {
	return WithinNamespace(l.Namespace(node), do)
}

// WithinNamespace runs do on a thread in the named network namespace. Sockets opened there
// stay there. Afterwards the thread returns to its earlier namespace. If it ended instead, the
// kernel would send Pdeathsig to the processes that it has started for others.
func WithinNamespace(name string, do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := netns.Get()
		if err != nil {
			result <- fmt.Errorf("own namespace: %w", err)
			return
		}
		defer home.Close()
		ns, err := netns.GetFromName(name)
		if err != nil {
			result <- fmt.Errorf("namespace %s: %w", name, err)
			runtime.UnlockOSThread()
			return
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			result <- fmt.Errorf("namespace %s: %w", name, err)
			return
		}
		err = do()
		if netns.Set(home) == nil {
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	return <-result
}

// DialFrom returns a function that opens TCP connections from the named namespace.
func DialFrom(name string) func(ctx context.Context, local, remote netip.AddrPort) (net.Conn, error) {
	return func(ctx context.Context, local, remote netip.AddrPort) (conn net.Conn, err error) {
		err = WithinNamespace(name, func() error {
			// This dials on the current thread, because a numeric address needs no resolver.
			d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(local), Timeout: 2 * time.Second}
			conn, err = d.DialContext(ctx, "tcp", remote.String())
			return err
		})
		return conn, err
	}
}

// LinkDown takes a VM's eth0 down. The kernel then silently drops every route over it.
func (l *Lab) LinkDown(vm string) error {
	_, err := l.Output(vm, "ip", "link", "set", "eth0", "down")
	return err
}

// LinkUp brings a VM's eth0 up and reinstalls the routes of its DHCP client.
func (l *Lab) LinkUp(vm string) error {
	if _, err := l.Output(vm, "ip", "link", "set", "eth0", "up"); err != nil {
		return err
	}
	for _, v := range l.Topology.VNets {
		for _, m := range v.VMs {
			if m.Name == vm {
				return Run(strings.Join(dhcpRoutes(m.Address), "\n"), "ip", "-n", l.Namespace(vm), "-batch", "-")
			}
		}
	}
	return nil
}

// Connect connects a VNet's gateway to its circuit, if the scenario starts with the gateway
// unconnected.
func (l *Lab) Connect(vnet string) error {
	v, ok := l.Topology.vnet(vnet)
	if !ok || v.Circuit == "" {
		return fmt.Errorf("no VNet %q with a circuit", vnet)
	}
	_, err := l.Output(mseeNode(v.Circuit), "ip", "link", "set", port(gatewayNode(vnet)), "up")
	return err
}
