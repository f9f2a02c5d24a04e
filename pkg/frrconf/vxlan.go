package frrconf

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config"
)

// tunnel is a VXLAN device and the line that creates it.
type tunnel struct {
	config.Tunnel
	line *line
}

// kernelPort is Linux' default UDP port for VXLAN, from before 4789 was assigned.
const kernelPort = 8472

// readScript reads the commands of a shell script. It evaluates neither conditions nor
// variables: a line that is more than plain commands is left over.
func (c *converter) readScript(lines []*line) {
	for _, l := range lines {
		if l.text == "" || l.text[0] == '#' {
			l.fate = empty
			continue
		}
		l.settle(c.shell(l, l.text))
	}
}

// withoutExcuses removes the parts that only silence a failing command.
var withoutExcuses = strings.NewReplacer(
	"2>/dev/null", "", "2> /dev/null", "", ">/dev/null", "", "> /dev/null", "", "2>&1", "",
	"|| true", "", "|| :", "",
)

// shell reads the text of line l, which may have several commands.
func (c *converter) shell(l *line, text string) outcome {
	text, _, _ = strings.Cut(text, " #")
	text = withoutExcuses.Replace(text)
	if strings.ContainsAny(text, "$`|<>(){}\\\"'*") {
		return notPlain
	}
	result := carried
	for _, command := range strings.FieldsFunc(strings.ReplaceAll(text, "&&", ";"), func(r rune) bool { return r == ';' }) {
		if words := strings.Fields(command); len(words) > 0 {
			if o := c.command(l, words); o != carried {
				l.leave(o)
				result = o
			}
		}
	}
	return result
}

// harmless are commands that only prepare what nvad does itself.
var harmless = []string{"modprobe", "set", "exit", "sleep", "echo", "true", ":"}

// structure are the words of the shell for conditions and loops.
var structure = []string{"if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "function"}

var notPlain = attention("this is more than a plain command")

// command reads one command of a script.
func (c *converter) command(l *line, words []string) outcome {
	words = plain(words)
	if len(words) == 0 {
		return carried
	}
	switch name := words[0]; {
	case name == "ip" && len(words) > 2:
		return c.ipCommand(l, words[1:])
	case name == "bridge" && len(words) > 2 && words[1] == "fdb":
		return c.fdbCommand(words[2:])
	case name == "sysctl":
		return c.sysctlCommand(words[1:])
	case slices.Contains(structure, name):
		return notPlain
	case slices.Contains(harmless, name):
		return meaningless("nvad needs no %s", name)
	}
	return unsupported("the command %s", words[0])
}

// plain returns a command without sudo and without the directory of the program.
func plain(words []string) []string {
	if len(words) > 0 && words[0] == "sudo" {
		words = words[1:]
	}
	if len(words) == 0 {
		return nil
	}
	words = slices.Clone(words)
	words[0] = words[0][strings.LastIndexByte(words[0], '/')+1:]
	return words
}

// aboutTunnels reports whether a command of an interfaces file is about a tunnel.
func (c *converter) aboutTunnels(words []string) bool {
	words = plain(words)
	if len(words) == 0 || words[0] != "ip" && words[0] != "bridge" {
		return false
	}
	return slices.ContainsFunc(words, func(w string) bool { return w == "vxlan" || c.tunnel(w) != nil })
}

func (c *converter) ipCommand(l *line, words []string) outcome {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		words = words[1:]
	}
	if len(words) < 3 {
		return unsupported("this ip command")
	}
	object, verb, rest := words[0], words[1], words[2:]
	switch {
	case strings.HasPrefix("link", object) && slices.Contains([]string{"add", "a"}, verb):
		return c.linkAdd(l, rest)
	case strings.HasPrefix("link", object) && slices.Contains([]string{"set", "s"}, verb):
		return c.linkSet(rest)
	case strings.HasPrefix("link", object) && strings.HasPrefix("delete", verb):
		return meaningless("nvad creates or changes the tunnel by itself")
	case strings.HasPrefix("address", object) && slices.Contains([]string{"add", "a", "replace"}, verb):
		return c.addressAdd(l, rest)
	case strings.HasPrefix("route", object) && slices.Contains([]string{"add", "a", "replace"}, verb):
		return c.routeAdd(l, rest)
	}
	return unsupported("this ip command")
}

// linkAdd reads "ip link add [dev] NAME [OPTIONS] type vxlan OPTIONS".
func (c *converter) linkAdd(l *line, words []string) outcome {
	t := &tunnel{line: l, Tunnel: config.Tunnel{Port: kernelPort, Learning: true}}
	kind := slices.Index(words, "type")
	if kind < 0 || kind+1 >= len(words) || words[kind+1] != "vxlan" {
		return unsupported("devices other than VXLAN")
	}
	before := words[:kind]
	if len(before) > 0 && (before[0] == "dev" || before[0] == "name") {
		before = before[1:]
	}
	if len(before) == 0 {
		return attention("the device has no name")
	}
	t.Name = before[0]
	if o := t.options(before[1:], linkOptions); o != carried {
		return o
	}
	if o := t.options(words[kind+2:], vxlanOptions); o != carried {
		return o
	}
	c.tunnels = append(c.tunnels, t)
	return carried
}

// linkSet reads "ip link set [dev] NAME [up] [mtu N] [address MAC]", in any order.
func (c *converter) linkSet(words []string) outcome {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "dev" || w == "up" })
	if len(words) == 0 {
		return attention("no device is given")
	}
	i := slices.IndexFunc(words, func(w string) bool { return c.tunnel(w) != nil })
	if i < 0 {
		return unsupported("devices that nvad does not create")
	}
	return c.tunnel(words[i]).options(slices.Delete(words, i, i+1), linkOptions)
}

// tunnel returns the tunnel of that name, nil if no line so far creates it.
func (c *converter) tunnel(name string) *tunnel {
	i := slices.IndexFunc(c.tunnels, func(t *tunnel) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return c.tunnels[i]
}

// addressAdd reads "ip address add ADDRESS dev NAME".
func (c *converter) addressAdd(l *line, words []string) outcome {
	device := after(words, "dev")
	p, err := netip.ParsePrefix(words[0])
	if a, aerr := netip.ParseAddr(words[0]); aerr == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil || device == "" {
		return attention("want ip address add ADDRESS/LENGTH dev NAME")
	}
	c.hosts.add(device, p)
	c.hosts.pending = append(c.hosts.pending, deviceAddress{l, device, p})
	return carried
}

// after returns the word after key, or "".
func after(words []string, key string) string {
	if i := slices.Index(words, key); i >= 0 && i+1 < len(words) {
		return words[i+1]
	}
	return ""
}

// routeAdd reads "ip route add PREFIX [via ADDRESS] [dev NAME] [src ADDRESS]
// [metric N]".
func (c *converter) routeAdd(l *line, words []string) outcome {
	s := &static{line: l, Static: config.Static{Distance: 1}}
	dest := words[0]
	if dest == "default" {
		dest = "0.0.0.0/0"
	}
	var err error
	if s.Prefix, err = netip.ParsePrefix(dest); err != nil {
		return unsupported("this kind of route")
	}
	s.Prefix = s.Prefix.Masked()
	for rest := words[1:]; len(rest) > 0; rest = rest[2:] {
		if len(rest) == 1 || !s.routeWord(rest[0], rest[1]) {
			return unsupported("%s of a route", rest[0])
		}
	}
	c.statics = append(c.statics, s)
	return carried
}

// routeWord reads an option of a route; false if nvad has no key for it.
func (s *static) routeWord(key, value string) bool {
	var err error
	switch key {
	case "via":
		var a netip.Addr
		a, err = netip.ParseAddr(value)
		s.Via = []config.Gateway{{Address: a}}
	case "dev":
		s.Device = value
	case "src":
		s.Source, err = netip.ParseAddr(value)
	case "metric":
		n, ok := number(value)
		s.Metric = n
		return ok
	default:
		return false
	}
	return err == nil
}

// fdbCommand reads "bridge fdb append 00:00:00:00:00:00 dev NAME dst ADDRESS",
// which adds a remote.
func (c *converter) fdbCommand(words []string) outcome {
	t := c.tunnel(after(words, "dev"))
	dst, err := netip.ParseAddr(after(words, "dst"))
	verb := words[0]
	switch {
	case t == nil:
		return unsupported("forwarding entries of devices that nvad does not create")
	case err != nil || verb != "append" && verb != "add":
		return unsupported("this bridge command")
	}
	if mac, err := net.ParseMAC(words[min(1, len(words)-1)]); err != nil || strings.Trim(mac.String(), "0:") != "" {
		return meaningless("nvad maintains the entries of single MAC addresses by itself")
	}
	t.addRemote(dst)
	return carried
}

func (t *tunnel) addRemote(a netip.Addr) {
	if !slices.Contains(t.Remotes, a) {
		t.Remotes = append(t.Remotes, a)
	}
}

// sysctlCommand reads "sysctl -w NAME=VALUE".
func (c *converter) sysctlCommand(words []string) outcome {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.HasPrefix(w, "-") })
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || !strings.Contains(name, ".") || strings.Contains(name, "..") {
			return unsupported("sysctl %s", w)
		}
		c.sysctl(name, value)
	}
	return carried
}

// finishTunnels gives the tunnels their addresses and adds them to the result.
func (c *converter) finishTunnels() {
	for _, a := range c.hosts.pending {
		if t := c.tunnel(a.device); t != nil {
			if !slices.Contains(t.Addresses, a.address) {
				t.Addresses = append(t.Addresses, a.address)
			}
			continue
		}
		if slices.Contains(c.hosts.given[a.device], a.address) {
			a.line.drop(meaningless("the interfaces file sets it too"))
			continue
		}
		a.line.drop(attention("without this file, %[1]s does not get the address: add \"network: { ethernets: { %[1]s: { addresses: [%[2]s] } } }\" to netplan, "+
			"or \"Address=%[2]s\" to [Network] in the .network file of %[1]s for networkd", a.device, a.address))
	}
	for _, t := range c.tunnels {
		c.cfg.Tunnels = append(c.cfg.Tunnels, t.Tunnel)
	}
}
