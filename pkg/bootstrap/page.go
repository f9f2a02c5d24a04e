package bootstrap

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// render returns the text of p after checking that it is valid. Errors call the file
// name.
func render(p plan, name string) ([]byte, error) {
	text := page(p)
	if _, err := config.Parse(name, text); err != nil {
		return nil, fmt.Errorf("the flags do not result in a valid configuration, so nothing was written:\n%w", err)
	}
	return text, nil
}

// page returns the text of the file. It does not use text/template, which would make the
// linker keep all exported methods of the program.
func page(p plan) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# %s: %s on %s. reference.toml has every key;
# "nvad check" checks a change, "nvactl reload" applies it.

asn       = %d
router-id = "%s"

kernel.ip-forward = true
`, printable(p.VM), p.RouterID, printable(p.Device), p.ASN, p.RouterID)
	if len(p.Remotes) > 0 {
		fmt.Fprintf(&b, `
# The VNet does not know the routes that NVAs learn from each other, so packets
# between NVAs cross it inside VXLAN.
[[tunnel]]
name    = "vxlan0"
vni     = %d
device  = %s
remotes = [%s]
address = "%s"
`, p.VNI, tomlfile.Quote(p.Device), quoted(p.Remotes, func(r Remote) netip.Addr { return r.Address }), p.Tunnel)
		if len(p.Remotes) > 1 { // a single remote owns all addresses in the tunnel
			fmt.Fprintf(&b, "peers   = [%s]\n", quoted(p.Remotes, func(r Remote) Remote { return r }))
		}
	}
	pageLinks(&b, p)
	pageNICs(&b, p)
	if len(p.RouteServers) > 0 {
		pageRouteServer(&b, p)
	}
	if len(p.others()) > 0 {
		pageRemotes(&b, p)
	}
	return b.Bytes()
}

// pageNICs writes nothing for a single NIC, since table main uses it anyway.
func pageNICs(b *bytes.Buffer, p plan) {
	if len(p.NICs) < 2 {
		return
	}
	b.WriteString("\n# Each NIC answers the load balancer probes that it receives.\n")
	for _, device := range p.NICs {
		fmt.Fprintf(b, "[[nic]]\ndevice = %s\n", tomlfile.Quote(device))
	}
}

func pageRouteServer(b *bytes.Buffer, p plan) {
	fmt.Fprintf(b, `
# All that a Route Server needs, including the route to it through the gateway;
# "nvactl config show --expanded" and "nvactl routes" show it.
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
%s[peer-group.nva]
remote-asn    = %d
next-hop-self = true
`, names(p.Remotes), p.ASN)
	if p.Key != "" {
		fmt.Fprintf(b, "password-file = %s\n", tomlfile.Quote(p.Key))
	}
	if len(p.VNets) > 0 {
		b.WriteString("export        = { prefix-list = \"not-own-vnet\" }\n")
	}
	fmt.Fprintf(b, "neighbors     = [%s]\n", quoted(p.others(), func(a netip.Addr) netip.Addr { return a }))
	if len(p.VNets) == 0 {
		return
	}
	b.WriteString(`
# This end of the tunnel is in this NVA's own VNet, so the other end must not learn a
# route to that VNet through the tunnel.
[prefix-list]
not-own-vnet = [`)
	for _, v := range p.VNets {
		fmt.Fprintf(b, "\"deny %s le 32\", ", v)
	}
	b.WriteString("\"permit any\"]\n")
}

// names returns a comment that says which NVA has which address in the tunnel, as far as
// names are known.
func names(remotes []Remote) string {
	var b strings.Builder
	for _, m := range remotes {
		if m.Name != "" {
			fmt.Fprintf(&b, "# %s is %s.\n", m.label(), m.Overlay)
		}
	}
	return b.String()
}

// maxName bounds a name of Azure in a comment or a message. Azure's own limit for the name
// of a VM is 64.
const maxName = 80

// printable returns a name of Azure for a comment or a message. Whatever it contains, it
// stays on one line and does nothing to a terminal.
func printable(name string) string {
	short := string([]rune(name)[:min(maxName, len([]rune(name)))])
	if q := tomlfile.Quote(short); q != `"`+name+`"` || name == "" || strings.ContainsAny(name, " #") {
		return q
	}
	return name
}

// maxReason bounds an explanation of Azure in a message.
const maxReason = 500

// reason returns an explanation of Azure for a message, on one line and without effect on a
// terminal.
func reason(text string) string {
	q := tomlfile.Quote(string([]rune(text)[:min(maxReason, len([]rune(text)))]))
	return q[1 : len(q)-1]
}

// quoted returns the values of list as elements of a TOML array.
func quoted[T any, S fmt.Stringer](list []T, value func(T) S) string {
	var parts []string
	for _, v := range list {
		parts = append(parts, `"`+value(v).String()+`"`)
	}
	return strings.Join(parts, ", ")
}
