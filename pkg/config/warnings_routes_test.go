package config

import (
	"regexp"
	"strings"
	"testing"
)

// pair is a file with a warning, and a similar one without.
type pair struct {
	name      string
	warns     string // the file
	instead   string // a part of it, and what stands in its place
	near      string
	code, key string // of the warning
	says      string // an expression
}

// try checks that the first file has the warning once, at its key, and that the similar
// file has none of this kind.
func (p pair) try(t *testing.T) {
	t.Helper()
	found := func(file string) (list []Warning) {
		cfg, err := Parse("nvad.toml", []byte(file))
		if err != nil {
			t.Fatalf("%v\n%s", err, file)
		}
		for _, w := range Warnings(cfg) {
			if w.Code == p.code {
				list = append(list, w)
			}
		}
		return list
	}
	got := found(p.warns)
	switch {
	case len(got) != 1:
		t.Errorf("%d warnings: %v", len(got), got)
	case got[0].Key != p.key || got[0].Line < 1:
		t.Errorf("at %s, line %d", got[0].Key, got[0].Line)
	case !regexp.MustCompile(p.says).MatchString(got[0].Msg):
		t.Errorf("says %q, want %s", got[0].Msg, p.says)
	}
	near := strings.Replace(p.warns, p.instead, p.near, 1)
	if near == p.warns {
		t.Fatalf("%q is not in the file", p.instead)
	}
	if got := found(near); len(got) > 0 {
		t.Errorf("the near miss: %v", got)
	}
}

// Parts of a file with the instances of a Route Server and another NVA.
const (
	checkHead   = "asn = 65001\n"
	checkServer = "[peer-group.rs]\nremote-asn = 65515\nebgp-multihop = 255\ndomain = \"ars\"\nneighbors = [\"10.0.210.4\", \"10.0.210.5\"]\n" +
		"import = { deny-asns = \"reserved\" }\n"
	checkNVA    = "[[neighbor]]\naddress = \"169.254.0.2\"\nremote-asn = 65001\n"
	checkTunnel = "[[tunnel]]\nname = \"vxlan0\"\nvni = 77\ndevice = \"eth0\"\nremotes = [\"10.10.0.4\"]\naddress = \"169.254.0.1/24\"\n"
	checkSecond = "[[tunnel]]\nname = \"vxlan1\"\nvni = 78\ndevice = \"eth0\"\nremotes = [\"10.20.0.4\"]\n"
)

// TestServerLoops: Route Server drops every path with its own ASN.
func TestServerLoops(t *testing.T) {
	const permit = "[[route-map.m]]\naction = \"permit\"\n"
	const replace = permit + "set = { as-path-replace = \"65515\" }\n"
	const export = "export = { route-map = \"m\" }\n"
	const says = "routes that 169.254.0.2 learned from Azure .* AS 65515 still in the path, .*drops every path.*as-path-replace = \"65515\""
	other := strings.NewReplacer("peer-group.rs", "peer-group.other", `"ars"`, `"other"`, "10.0.210", "10.9.210").Replace(checkServer)
	for _, p := range []pair{
		{name: "replaced", warns: checkHead + checkServer + export + checkNVA + permit, instead: permit, near: replace},
		{name: "excluded", warns: checkHead + checkServer + export + checkNVA + permit, instead: permit, near: permit + "set = { as-path-exclude = [65515] }\n"},
		{name: "as-override", warns: checkHead + checkServer + "export = \"accept\"\n" + checkNVA, instead: "export =", near: "as-override = true\nexport ="},
		{name: "denied", warns: checkHead + checkServer + "export = \"accept\"\n" + checkNVA, instead: `"accept"`, near: `"deny"`},
		{name: "nobody to learn from", warns: checkHead + checkServer + "export = \"accept\"\n" + checkNVA, instead: checkNVA, near: ""},
		{name: "the other's are denied at import", warns: checkHead + checkServer + "export = \"accept\"\n" + checkNVA + "import = \"accept\"\n",
			instead: `import = "accept"`, near: `import = "deny"`},
		{name: "own networks alone", warns: checkHead + checkServer + "export = { prefix-list = \"p\" }\n" + checkNVA + "[prefix-list]\np = [\"permit 10.10.0.0/16\"]\n" +
			"[[network]]\nprefix = \"10.11.0.0/16\"\n", instead: "10.11.0.0/16", near: "10.10.0.0/16"},
		{name: "remove-private-as is not enough", warns: checkHead + checkServer + "remove-private-as = true\nexport = \"accept\"\n" + checkNVA,
			instead: "remove-private-as", near: "as-override"},
		{name: "denied by the path", warns: checkHead + checkServer + export + checkNVA + permit + "match = { as-path-list = \"l\" }\n[as-path-list]\nl = [\"permit _65515_\"]\n",
			instead: "permit _65515_", near: "permit _64580_"},
	} {
		p.code, p.key, p.says = "own-asn", "peer-group.rs.export", says
		t.Run(p.name, p.try)
	}
	pair{warns: checkHead + checkServer + "export = \"accept\"\n" + other + "export = \"deny\"\n", instead: `domain = "other"`, near: `domain = "ars"`,
		code: "own-asn", key: "peer-group.rs.export", says: "routes that 10.9.210.4 learned"}.try(t)
}

// TestDefaultToServer: Azure programs a default route on this NVA's NIC, too.
func TestDefaultToServer(t *testing.T) {
	const network = "[[network]]\nprefix = \"0.0.0.0/0\"\n"
	const accept = "export = \"accept\"\n"
	const says = `Route Server ars.* every NIC .*0\.0\.0\.0/0 to Internet.*make sure that it exists, or deny`
	list := "[prefix-list]\np = [\"permit any\"]\n"
	for _, p := range []pair{
		{name: "network", warns: checkHead + checkServer + accept + network, instead: "0.0.0.0/0", near: "0.0.0.0/1", key: "network.0.0.0.0/0.prefix"},
		{name: "network that export denies", warns: checkHead + checkServer + "export = { prefix-list = \"p\" }\n" + network + list,
			instead: "permit any", near: `deny 0.0.0.0/0", "permit any`, key: "network.0.0.0.0/0.prefix"},
		{name: "default-originate", warns: checkHead + checkServer + "export = \"deny\"\ndefault-originate = true\n", instead: "true", near: "false",
			key: "peer-group.rs.default-originate"},
		{name: "redistributed static", warns: checkHead + checkServer + accept + "[[static-route]]\nprefix = \"0.0.0.0/0\"\nvia = \"10.0.0.1\"\ndevice = \"eth0\"\n" +
			"[[redistribute]]\nsource = \"static\"\n", instead: "0.0.0.0/0", near: "10.9.0.0/16", key: "redistribute.static.source"},
		{name: "redistributed kernel", warns: checkHead + checkServer + accept + "[[redistribute]]\nsource = \"kernel\"\n", instead: `"kernel"`, near: `"connected"`,
			key: "redistribute.kernel.source"},
		{name: "learned", warns: checkHead + "kernel.allow-default = true\n" + checkServer + accept + checkNVA, instead: "true", near: "false", key: "peer-group.rs.export"},
		{name: "learned from eBGP", warns: checkHead + "kernel.allow-default = true\n" + checkServer + accept +
			"[[neighbor]]\naddress = \"192.168.0.2\"\nremote-asn = 64580\nimport = \"accept\"\nexport = \"deny\"\n",
			instead: `import = "accept"`, near: `import = "deny"`, key: "peer-group.rs.export"},
		{name: "to somebody else", warns: checkHead + checkServer + accept + network, instead: "remote-asn = 65515", near: "remote-asn = 64580", key: "network.0.0.0.0/0.prefix"},
	} {
		p.code, p.says = "default-to-azure", says
		t.Run(p.name, p.try)
	}
}

// TestPrivateASNs: 65515 is private, so rejecting private ASNs rejects all routes from
// Azure.
func TestPrivateASNs(t *testing.T) {
	deny := "[[route-map.m]]\naction = \"deny\"\nmatch = { bogons = \"all\" }\n[[route-map.m]]\naction = \"permit\"\n"
	server := checkHead + strings.Replace(checkServer, "reserved", "private", 1) + "export = \"deny\"\n"
	for _, p := range []pair{
		{name: "from Route Server", warns: server, instead: "private", near: "reserved", key: "peer-group.rs.import.deny-asns", says: "all its routes are rejected; use"},
		{name: "in a route-map", warns: strings.Replace(server, `deny-asns = "private"`, `route-map = "m"`, 1) + deny, instead: `"all"`, near: `"reserved"`,
			key: "route-map.m.5.match.bogons", says: "all its routes"},
		{name: "with another condition", warns: strings.Replace(server, `deny-asns = "private"`, `route-map = "m"`, 1) + deny,
			instead: `bogons = "all"`, near: `bogons = "all", tag = 5`, key: "route-map.m.5.match.bogons", says: "all its routes"},
		{name: "from another NVA", warns: checkHead + checkServer + checkNVA + "import = { deny-asns = \"private\" }\n", instead: checkServer, near: "",
			key: "neighbor.169.254.0.2.import.deny-asns", says: "all routes that other NVAs learned"},
		{name: "to another NVA", warns: checkHead + checkServer + checkNVA + "export = { deny-asns = \"private\" }\n", instead: `"private"`, near: `"reserved"`,
			key: "neighbor.169.254.0.2.export.deny-asns", says: "no route learned from Azure reaches"},
	} {
		p.code = "private-asns"
		t.Run(p.name, p.try)
	}
}

// TestTunnelWarnings: tunnels and neighbors that do not match.
func TestTunnelWarnings(t *testing.T) {
	const forward = "kernel.ip-forward = true\n"
	two := checkHead + forward + checkTunnel + checkSecond
	neighbor := func(a string) string { return "[[neighbor]]\naddress = \"" + a + "\"\nremote-asn = 65001\n" }
	for _, p := range []pair{
		{name: "same address", warns: two + "address = \"169.254.0.1/30\"\n", instead: "169.254.0.1/30", near: "169.254.1.1/30",
			code: "same-address", key: "tunnel.vxlan1.address", says: "169.254.0.1 is also the address of tunnel vxlan0.*subnet of its own"},
		{name: "same subnet", warns: two + "address = \"169.254.0.9/24\"\n", instead: "169.254.0.9", near: "169.254.1.9",
			code: "same-subnet", key: "tunnel.vxlan1.address", says: "169.254.0.0/24 is also the subnet of tunnel vxlan0"},
		{name: "link-local IPv6", warns: strings.Replace(two, "169.254.0.1/24", "fd00::1/64", 1) + "address = \"fd00::1/64\"\n",
			instead: "fd00::1/64\"\n" + checkSecond + "address = \"fd00", near: "fe80::1/64\"\n" + checkSecond + "address = \"fe80", code: "same-address", key: "tunnel.vxlan1.address", says: "fd00::1"},
		{name: "outside the subnet", warns: checkHead + forward + checkTunnel + neighbor("169.254.1.2"), instead: "169.254.1.2", near: "169.254.0.2",
			code: "outside-tunnel", key: "neighbor.169.254.1.2.address", says: "in no tunnel's subnet.*vxlan0 has 169.254.0.1/24"},
		{name: "a route leads there", warns: checkHead + forward + checkTunnel + neighbor("169.254.1.2") + "[[static-route]]\nprefix = \"169.254.2.0/24\"\nvia = \"169.254.0.3\"\n",
			instead: "169.254.2.0", near: "169.254.1.0", code: "outside-tunnel", key: "neighbor.169.254.1.2.address", says: "in no tunnel's subnet"},
		{name: "local-address on a tunnel", warns: checkHead + forward + checkTunnel + neighbor("10.7.0.2") + "local-address = \"169.254.0.1\"\n",
			instead: "local-address = \"169.254.0.1\"", near: "local-address = \"10.7.0.1\"", code: "outside-tunnel", key: "neighbor.10.7.0.2.address", says: "in no subnet of tunnel vxlan0.*local-address"},
		{name: "the remote itself", warns: checkHead + forward + checkTunnel + neighbor("10.10.0.4"), instead: "address = \"10.10.0.4\"", near: "address = \"10.10.0.5\"",
			code: "outside-tunnel", key: "neighbor.10.10.0.4.address", says: "remote of tunnel vxlan0.*without VXLAN"},
		{name: "the remote, with another next hop", warns: checkHead + forward + checkTunnel + neighbor("10.10.0.4") + "import = { route-map = \"m\" }\n[[route-map.m]]\naction = \"permit\"\n",
			instead: "action = \"permit\"\n", near: "action = \"permit\"\nset = { next-hop = \"169.254.0.2\" }\n",
			code: "outside-tunnel", key: "neighbor.10.10.0.4.address", says: "remote of tunnel"},
		{name: "no forwarding", warns: checkHead + checkTunnel + checkNVA, instead: checkHead, near: checkHead + forward,
			code: "no-forwarding", key: "tunnel.vxlan0", says: "this tunnel.*the kernel drops them.*kernel.ip-forward = true, or false"},
		{name: "forwarding is another's", warns: checkHead + checkTunnel + checkNVA, instead: checkHead, near: checkHead + "kernel.ip-forward = false\n",
			code: "no-forwarding", key: "tunnel.vxlan0", says: "this tunnel"},
		{name: "forwarding by sysctl", warns: checkHead + checkTunnel + checkNVA, instead: checkHead, near: checkHead + "kernel.sysctls = { \"net.ipv4.ip_forward\" = 1 }\n",
			code: "no-forwarding", key: "tunnel.vxlan0", says: "this tunnel"},
		{name: "a host's tunnel", warns: checkHead + checkTunnel + checkNVA, instead: checkNVA, near: "",
			code: "no-forwarding", key: "tunnel.vxlan0", says: "this tunnel"},
		{name: "NAT", warns: checkHead + "[[masquerade]]\nout = \"eth0\"\n", instead: checkHead, near: checkHead + forward,
			code: "no-forwarding", key: "masquerade.eth0", says: "masquerade is for packets of other machines"},
	} {
		t.Run(p.name, p.try)
	}
}

// TestUnreachedWarnings: rules that pkg/policy finds are reported at their keys.
func TestUnreachedWarnings(t *testing.T) {
	use := func(chain string) string { return checkHead + checkNVA + "import = { " + chain + " = \"l\" }\n" }
	for _, p := range []pair{
		{name: "prefix-list", warns: use("prefix-list") + "[prefix-list]\nl = [\n\"permit any\",\n\"deny 10.0.0.0/16\",\n\"deny 10.1.0.0/16\",\n]\n", instead: "permit any", near: "permit 10.2.0.0/16",
			key: "prefix-list.l[2]", says: `^this rule and 1 more are never reached, because the earlier "seq 5 permit any" matches first`},
		{name: "as-path-list", warns: use("as-path-list") + "[as-path-list]\nl = [\n\"permit .*\",\n\"deny _64580_\",\n]\n", instead: "permit .*", near: "permit ..*",
			key: "as-path-list.l[2]", says: `^this rule is never reached, because the earlier "seq 5 permit \.\*"`},
		{name: "route-map", warns: use("route-map") + "[[route-map.l]]\naction = \"permit\"\n[[route-map.l]]\naction = \"deny\"\n", instead: "\"permit\"\n", near: "\"permit\"\non-match = \"next\"\n",
			key: "route-map.l.10", says: "^this clause is never reached, because permit 5 has no conditions"},
	} {
		p.code = "unreached"
		t.Run(p.name, p.try)
	}
}
