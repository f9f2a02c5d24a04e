package bootstrap

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
)

// page is the file that says p. It is written without text/template, with which
// the linker would keep every exported method of the program.
func page(p plan) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# %s: %s on %s. reference.toml has every key;
# "nvad check" checks a change, "nvactl reload" applies it.

asn       = %d
router-id = "%s"

kernel.ip-forward = true
`, p.VM, p.RouterID, p.Device, p.ASN, p.RouterID)
	if len(p.Remotes) > 0 {
		fmt.Fprintf(&b, `
# The VNet's routers know nothing of what the other NVAs have learned, so packets
# cross it inside VXLAN.
[[tunnel]]
name    = "vxlan0"
vni     = %d
device  = "%s"
remotes = [%s]
address = "%s"
`, p.VNI, p.Device, quoted(p.Remotes, func(r Remote) netip.Addr { return r.Address }), p.Tunnel)
		if len(p.Remotes) > 1 { // one alone has every address of the tunnel
			fmt.Fprintf(&b, "peers   = [%s]\n", quoted(p.Remotes, func(r Remote) Remote { return r }))
		}
	}
	pageNICs(&b, p)
	if len(p.RouteServers) > 0 {
		pageRouteServer(&b, p)
	}
	if len(p.Remotes) > 0 {
		pageRemotes(&b, p)
	}
	return b.Bytes()
}

// pageNICs has nothing to say of a NIC alone: table main leads through it.
func pageNICs(b *bytes.Buffer, p plan) {
	if len(p.NICs) < 2 {
		return
	}
	b.WriteString("\n# A load balancer's probe is answered by the NIC that it came to.\n")
	for _, device := range p.NICs {
		fmt.Fprintf(b, "[[nic]]\ndevice = \"%s\"\n", device)
	}
}

func pageRouteServer(b *bytes.Buffer, p plan) {
	fmt.Fprintf(b, `
# Everything that a Route Server needs, with a route to it through the gateway:
# "nvactl config show --expanded" and "nvactl routes" tell.
[peer-group.route-server]
preset    = "azure-route-server"
neighbors = [%s]
`, quoted(p.RouteServers, func(a netip.Addr) netip.Addr { return a }))
	if len(p.VNets) > 0 {
		fmt.Fprintf(b, "vnet      = [%s]\n", quoted(p.VNets, func(v netip.Prefix) netip.Prefix { return v }))
	}
}

func pageRemotes(b *bytes.Buffer, p plan) {
	fmt.Fprintf(b, `
# The other NVAs, by their addresses in the tunnel.
[peer-group.nva]
remote-asn    = %d
next-hop-self = true
`, p.ASN)
	if p.Key != "" {
		fmt.Fprintf(b, "password-file = %q\n", p.Key)
	}
	if len(p.VNets) > 0 {
		b.WriteString("export        = { prefix-list = \"not-own-vnet\" }\n")
	}
	fmt.Fprintf(b, "neighbors     = [%s]\n", quoted(p.Remotes, func(r Remote) netip.Addr { return r.Overlay }))
	if len(p.VNets) == 0 {
		return
	}
	b.WriteString(`
# The own VNet holds this end of the tunnel, which must not be reached through
# it.
[prefix-list]
not-own-vnet = [`)
	for _, v := range p.VNets {
		fmt.Fprintf(b, "\"deny %s le 32\", ", v)
	}
	b.WriteString("\"permit any\"]\n")
}

// quoted is the addresses of list as elements of a TOML array.
func quoted[T any, S fmt.Stringer](list []T, value func(T) S) string {
	var parts []string
	for _, v := range list {
		parts = append(parts, `"`+value(v).String()+`"`)
	}
	return strings.Join(parts, ", ")
}
