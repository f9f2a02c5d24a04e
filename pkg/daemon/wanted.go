package daemon

import (
	"cmp"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/tunnel"
)

// encrypted are the WireGuard tunnels of a configuration, by name.
type encrypted map[string]*tunnel.WireGuard

// wanted returns everything that the configuration wants in the kernel, except routes. wg has its
// WireGuard tunnels, and calls where they are at present.
func wanted(cfg *config.Config, wg encrypted, calls map[string]contact) dataplane.Wanted {
	w := dataplane.Wanted{
		Sysctls: map[string]string{}, Protected: protected(cfg, wg, calls), NAT: natRules(cfg, wg, calls), AllowDefault: cfg.Kernel.AllowDefault,
		DefaultAlone: cfg.Kernel.DefaultAlone,
		Displace:     cfg.Kernel.Displace,
	}
	if cfg.Kernel.IPForward {
		w.Sysctls["net.ipv4.ip_forward"] = "1"
		w.Sysctls["net.ipv6.conf.all.forwarding"] = "1"
	}
	maps.Copy(w.Sysctls, cfg.Kernel.Sysctls)
	for _, t := range cfg.Tunnels {
		w.Tunnels = append(w.Tunnels, tunnel.Tunnel{
			Name: t.Name, VNI: t.VNI, Device: t.Device, Local: t.Local, Remotes: t.Remotes, Group: t.Group,
			Port: t.Port, TTL: uint8(t.TTL), MTU: t.MTU, Addresses: t.Addresses, NoLearning: !t.Learning && t.Type == config.TunnelVXLAN,
			WireGuard: wg[t.Name],
		})
	}
	for _, n := range cfg.NICs {
		w.NICs = append(w.NICs, nic.NIC{Device: n.Device, Table: n.TableNumber(), Gateway: n.Gateway})
	}
	return w
}

// protected returns the addresses that learned routes must not make unreachable.
func protected(cfg *config.Config, wg encrypted, calls map[string]contact) []fib.Protected {
	out := []fib.Protected{
		{Addr: netip.AddrFrom4([4]byte{168, 63, 129, 16}), Why: "Azure's platform address"},
		{Addr: netip.AddrFrom4([4]byte{169, 254, 169, 254}), Why: "Azure's metadata service"},
	}
	for _, a := range cfg.Kernel.Protected {
		out = append(out, fib.Protected{Addr: a, Why: "kernel.protected"})
	}
	for _, t := range cfg.Tunnels {
		for _, r := range t.Remotes {
			out = append(out, fib.Protected{Addr: r, Why: "remote of tunnel " + t.Name, NotBy: []string{t.Name}})
		}
		for _, a := range ends(wg[t.Name], calls[t.Name].peer) {
			out = append(out, fib.Protected{Addr: a, Why: "endpoint of tunnel " + t.Name, NotBy: []string{t.Name}})
		}
	}
	for _, n := range cfg.Neighbors {
		out = append(out, fib.Protected{Addr: n.Address, Why: "neighbor " + n.Address.String(), Neighbor: true})
	}
	return out
}

// ends returns the addresses of a peer of WireGuard: the wanted one, and where it calls from.
func ends(w *tunnel.WireGuard, call netip.Addr) (out []netip.Addr) {
	if w == nil {
		return nil
	}
	for _, a := range []netip.Addr{w.Peer.Endpoint.Addr(), call} {
		if a.IsValid() && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// natRules returns the rules that the configuration wants in nvad's nftables table.
func natRules(cfg *config.Config, wg encrypted, calls map[string]contact) nat.Rules {
	r := nat.Rules{Masquerades: cfg.Masquerades, SNATs: cfg.SNATs, DNATs: cfg.DNATs}
	for _, t := range cfg.Tunnels {
		r.Overlays = append(r.Overlays, overlay(cfg, &t, wg[t.Name], calls[t.Name].port))
		if t.MSSClamp != config.MSSOff {
			r.Clamps = append(r.Clamps, nat.Clamp{Device: t.Name, Size: int(t.MSSClamp)})
		}
	}
	return r
}

// overlay says which packets may enter and leave a tunnel. port is where WireGuard listens at
// present.
func overlay(cfg *config.Config, t *config.Tunnel, w *tunnel.WireGuard, port uint16) nat.Overlay {
	if w != nil {
		return encryptedOverlay(cfg, t, w, port)
	}
	o := nat.Overlay{Device: t.Name, Under: t.Device, VNI: t.VNI, Port: t.Port, Remotes: t.Remotes, Subnets: t.Addresses}
	for _, other := range cfg.Tunnels {
		holds := func(p netip.Prefix) bool { return p.Addr() == t.Local }
		if t.Device == "" && slices.ContainsFunc(other.Addresses, holds) {
			o.Under = other.Name // a tunnel within a tunnel
		}
	}
	for _, p := range t.Peers {
		o.Peers = append(o.Peers, nat.Peer(p))
	}
	return o
}

// encryptedOverlay is overlay for WireGuard.
func encryptedOverlay(cfg *config.Config, t *config.Tunnel, w *tunnel.WireGuard, port uint16) nat.Overlay {
	o := nat.Overlay{Device: t.Name, WireGuard: true, Port: cmp.Or(w.Port, port), Subnets: t.Addresses}
	end := w.Peer.Endpoint.Addr()
	if w.Pinned {
		o.Pinned = end
		if !end.IsValid() { // nobody may call until the peer's name resolves
			o.Pinned = netip.IPv4Unspecified()
		}
	}
	for _, other := range cfg.Tunnels {
		if other.Name != t.Name && slices.ContainsFunc(other.Addresses, func(p netip.Prefix) bool { return p.Contains(end) }) {
			o.Under = other.Name // a tunnel within a tunnel
		}
	}
	return o
}

// plain decides whether routes do without next-hop objects. Before version 256,
// systemd-networkd deletes the objects of other programs when it restarts, and with
// them their routes. It does not touch routes that carry their next hops themselves, if
// told so (ManageForeignRoutes=no).
func (d *daemon) plain(cfg *config.Config) bool {
	if cfg.Kernel.NextHopGroups != config.Auto {
		return cfg.Kernel.NextHopGroups == config.Off
	}
	links := networkdLinks("/")
	if len(links) > 0 {
		d.log.Info("routes without next-hop groups: systemd-networkd would delete them when it restarts",
			"links", strings.Join(links, " "), "otherwise", "kernel.nexthop-groups = true")
	}
	return len(links) > 0
}

// networkdLinks names the links that systemd-networkd manages: none if it manages
// another network namespace.
func networkdLinks(root string) []string {
	own, err1 := os.Readlink(filepath.Join(root, "proc/self/ns/net"))
	init, err2 := os.Readlink(filepath.Join(root, "proc/1/ns/net"))
	if err1 == nil && err2 == nil && own != init {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(root, "run/systemd/netif/links/*"))
	if err != nil {
		return nil
	}
	var names []string
	for _, f := range files {
		index, err := strconv.Atoi(filepath.Base(f))
		if err != nil || !managed(f) {
			continue
		}
		if l, err := net.InterfaceByIndex(index); err == nil && l.Flags&net.FlagLoopback == 0 {
			names = append(names, l.Name)
		}
	}
	return names
}

// managed reports whether systemd-networkd has been told to configure the link of a
// state file (networkctl(1), SETUP).
func managed(file string) bool {
	b, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	lines := strings.Split(string(b), "\n")
	return slices.Contains(lines, "ADMIN_STATE=configured") || slices.Contains(lines, "ADMIN_STATE=configuring")
}
