package lifecycle

import (
	"fmt"
	"strings"
)

// settings generates a configuration file, so that a test can change one value at a time.
type settings struct {
	global    []string // lines before all tables
	daemon    []string // lines of [daemon]
	tunnel    bool
	statics   []string // prefixes, all through peer1
	networks  []string // originated
	neighbors []neighborSettings
	rest      string // lists
}

type neighborSettings struct {
	address string
	lines   []string // besides the ASN
}

// open returns a neighbor that gets every route and whose routes are all accepted.
func open(address string, lines ...string) neighborSettings {
	return neighborSettings{address, append(lines, `import = "accept"`, `export = "accept"`)}
}

// ordinary returns settings with a tunnel, a static route and a neighbor.
func ordinary(neighbors ...neighborSettings) settings {
	return settings{
		tunnel: true, statics: []string{"10.0.210.0/24"}, networks: []string{"10.20.0.0/16"}, neighbors: neighbors,
	}
}

func (s settings) String() string {
	var w strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	if len(s.global) == 0 {
		p("asn = 65001\nrouter-id = %q", ourAddress)
	}
	p("%s", strings.Join(s.global, "\n"))
	if len(s.daemon) > 0 {
		p("[daemon]\n%s", strings.Join(s.daemon, "\n"))
	}
	if s.tunnel {
		p("[[tunnel]]\nname = \"vxlan0\"\nvni = 77\ndevice = \"eth0\"\nremotes = [\"10.10.0.4\"]\naddress = \"169.254.0.1/24\"")
	}
	for _, prefix := range s.statics {
		p("[[static-route]]\nprefix = %q\nvia = %q", prefix, peer1)
	}
	for _, prefix := range s.networks {
		p("[[network]]\nprefix = %q", prefix)
	}
	for _, n := range s.neighbors {
		p("[[neighbor]]\naddress = %q\nremote-asn = 65010\n%s", n.address, strings.Join(n.lines, "\n"))
	}
	p("%s", s.rest)
	return w.String()
}

// configure writes the configuration file.
func (b *bed) configure(s settings) {
	b.Helper()
	b.Write("nvad.toml", s.String())
}

// line returns the number of the file's first line that contains text.
func (s settings) line(text string) int {
	before, _, _ := strings.Cut(s.String(), text)
	return 1 + strings.Count(before, "\n")
}
